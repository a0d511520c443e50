import type { TextMatch } from '@ambit/state'

export function fitsText(match: TextMatch, text: string): boolean {
  switch (match.kind) {
    case 'exact':
      return text === match.value
    case 'prefix':
      return text.startsWith(match.value)
    case 'regex':
      return match.pattern.test(text)
  }
}
