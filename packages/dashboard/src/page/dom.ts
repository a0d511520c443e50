type Child = Node | string | undefined | false
type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

const SVG = 'http://www.w3.org/2000/svg'

/** An element of HTML. Text stays text: nothing here is ever parsed. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children)
}

/** An element of SVG. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS<K>(SVG, tag), attributes, children)
}

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  for (const child of children) if (child !== undefined && child !== false) element.append(child)
  return element
}

/** Changes text only where it differs, so that a screen reader hears of changes alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** The element that the page's own HTML has. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new TypeError(`the page has no #${id}`)
  return found
}

const ICONS = {
  workload: 'M3 4h10v8H3zM3 7h10M6 4v3',
  service: 'M8 3v10M3 8h10M4.5 4.5l7 7M11.5 4.5l-7 7',
  waypoint: 'M8 2l6 6-6 6-6-6zM5.5 8h5M9 6l2 2-2 2',
  gateway: 'M3 13V6a5 5 0 0 1 10 0v7M6.5 13V8.5h3V13M2 13h12',
  outside: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM2 8h12M8 2c-4 4-4 8 0 12M8 2c4 4 4 8 0 12',
  locked: 'M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5M8 10v1.5',
  open: 'M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 4.6-1.3M8 10v1.5',
  denied: 'M4 4l8 8M12 4l-8 8',
  failed: 'M8 2.5L14 13H2zM8 6.5v3.2M8 11.2v.6',
  unknown: 'M6 6a2 2 0 1 1 2.8 1.8c-.6.3-.8.7-.8 1.4M8 11.4v.6',
} as const

export type IconName = keyof typeof ICONS

/** A sign beside words that say the same. */
export function icon(name: IconName): SVGSVGElement {
  return s('svg', { class: `icon ${name}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' }, s('path', { d: ICONS[name] }))
}
