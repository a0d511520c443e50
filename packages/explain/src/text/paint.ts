/** How parts of a text are set off. */
export interface Paint {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
  readonly strong: (text: string) => string
  readonly faint: (text: string) => string
}

const same = (text: string): string => text

export const PLAIN: Paint = { good: same, bad: same, warn: same, strong: same, faint: same }

export const COLOURED: Paint = {
  good: sgr(32),
  bad: sgr(31),
  warn: sgr(33),
  strong: sgr(1),
  faint: sgr(2),
}

/** ECMA-48: Select Graphic Rendition. */
function sgr(code: number): (text: string) => string {
  return (text) => `\u001b[${code}m${text}\u001b[0m`
}
