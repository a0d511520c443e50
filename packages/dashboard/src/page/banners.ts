import type { Topology } from '../topology.types.ts'
import { byId, h, icon } from './dom.ts'

const MAX_SHOWN = 4

/** Says what is missing on the page. `gone` is why nothing new comes at all. */
export class Banners {
  #key = ''

  show(topology: Topology | undefined, gone: string | undefined): void {
    const texts = textsOf(topology, gone)
    const key = texts.join('\n')
    if (key === this.#key) return
    this.#key = key
    byId('banners').replaceChildren(...texts.map((text) => h('p', {}, icon('failed'), text)))
  }
}

export function textsOf(topology: Topology | undefined, gone: string | undefined): readonly string[] {
  if (gone !== undefined) return [gone]
  if (topology === undefined) return []
  const { lost, problems } = topology.health
  const shown = problems.slice(0, MAX_SHOWN)
  return [
    ...(lost === undefined
      ? []
      : [
          `The cluster has not answered since ${timeOf(lost.since)}: ${lost.reason}. What is shown may be out of date; it is asked again.`,
        ]),
    ...shown,
    ...(problems.length > shown.length ? [`and ${problems.length - shown.length} more like this`] : []),
    ...(topology.leftOut === 0
      ? []
      : [`${topology.leftOut} of the quietest edges are left out: -n shows one namespace alone`]),
  ]
}

export function timeOf(at: string): string {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })
}
