import type { TopologyEdge } from '../topology.types.ts'
import { type IconName, icon } from './dom.ts'
import { formatRate } from './format.ts'

/** The sign of a transport: closed lock, open lock, or a question mark. */
export function securityIcon({ security }: TopologyEdge): IconName {
  if (security.level === 'unknown') return 'unknown'
  return security.level === 'plain' || security.level === 'mixed' ? 'open' : 'locked'
}

/** What a label shows, as a key: while it is the same nothing is drawn anew. */
export function chipKey(edge: TopologyEdge): string {
  return [edge.security.level, formatRate(edge), edge.deniedLately, edge.failedLately].join('|')
}

/** Lock, rate, and what went wrong; before them, where nobody sees it, what a chip alone does not say. */
export function fillChip(chip: HTMLElement, edge: TopologyEdge, words?: string): void {
  const part = (name: string, ...children: (Node | string)[]): HTMLElement => {
    const span = document.createElement('span')
    span.className = name
    span.append(...children)
    return span
  }
  const parts: Node[] = [icon(securityIcon(edge))]
  if (edge.security.level === 'mtls-post-quantum') parts.push(part('pq', 'PQ'))
  if (edge.security.level === 'plain') parts.push(part('pq', 'plain'))
  if (edge.security.level === 'mixed') parts.push(part('pq', 'mixed'))
  const hasNothingElse = edge.deniedLately + edge.failedLately === 0
  if (formatRate(edge) !== 'idle' || hasNothingElse) parts.push(part('rate', formatRate(edge)))
  if (edge.deniedLately > 0) parts.push(part('denied', icon('denied'), String(edge.deniedLately)))
  if (edge.failedLately > 0) parts.push(part('failed', icon('failed'), String(edge.failedLately)))
  if (words !== undefined) parts.unshift(part('sr', `${words}: `))
  // With blanks between them for who reads it as one text.
  chip.replaceChildren(...parts.flatMap((one) => [one, ' ']))
}
