import { byId, h, icon, s } from './dom.ts'

const MARKERS = ['', 'plain', 'denied', 'selected'] as const

/** Heads of arrows, in the colours of lines. */
export function markers(): SVGDefsElement {
  const marker = (name: string): SVGMarkerElement =>
    s(
      'marker',
      {
        id: `arrow${name}`,
        class: `arrow ${name}`,
        viewBox: '0 0 8 8',
        refX: 7,
        refY: 4,
        markerWidth: 8,
        markerHeight: 8,
        markerUnits: 'userSpaceOnUse',
        orient: 'auto',
      },
      s('path', { d: 'M0 0L8 4L0 8z' }),
    )
  return s('defs', {}, ...MARKERS.map((name) => marker(name === '' ? '' : `-${name}`)))
}

/** The legend: the same signs as in the graph. */
export function fillLegend(): void {
  const sample = (level: string): SVGSVGElement =>
    s(
      'svg',
      { viewBox: '0 0 44 12', width: 44, height: 12, 'aria-hidden': 'true' },
      s(
        'g',
        { class: `edge active ${level}` },
        s('path', { class: 'line', d: 'M2 6H42' }),
        s('path', { class: 'core', d: 'M2 6H42' }),
      ),
    )
  const row = (level: string, text: string, ...signs: Node[]): HTMLElement =>
    h('li', {}, sample(level), ...signs, h('span', {}, text))
  byId('legend-items').append(
    h(
      'ul',
      {},
      row('mtls-post-quantum', 'mutual TLS, post-quantum key exchange', icon('locked')),
      row('mtls', 'mutual TLS', icon('locked')),
      row('plain', 'plain text', icon('open')),
      row('mixed', 'partly plain text', icon('open')),
      row('mtls is-denied', 'denied within 5 minutes, and how often', icon('denied')),
      row('mtls is-failed', 'failed within 5 minutes', icon('failed')),
      h('li', {}, servingSample(), h('span', {}, 'answers for the service')),
      h('li', {}, h('span', { class: 'gate sample' }, icon('waypoint')), h('span', {}, 'waypoint before a service')),
    ),
  )
}

function servingSample(): SVGSVGElement {
  return s(
    'svg',
    { viewBox: '0 0 44 12', width: 44, height: 12, 'aria-hidden': 'true' },
    s('g', { class: 'servings' }, s('path', { d: 'M2 6H42' })),
  )
}
