import { labelsMatch } from '../compile/labels-match.ts'
import type { KubeService, Pod } from '../domain.types.ts'

/** The ports of the pods that a port of the Services leads to, ascending. */
export function targetPortsOf(services: Iterable<KubeService>, pods: readonly Pod[], port: number): readonly number[] {
  const found = new Set<number>()
  for (const service of services) {
    if (Object.keys(service.selector).length === 0) continue
    const selected = pods.filter(({ labels }) => labelsMatch(service.selector, labels))
    for (const { port: number, protocol, target } of service.ports) {
      if (number !== port || protocol !== 'TCP' || selected.length === 0) continue
      if (typeof target === 'number') found.add(target)
      else
        for (const { ports } of selected)
          for (const one of ports) if (one.name === target && one.protocol === 'TCP') found.add(one.port)
    }
  }
  return [...found].sort((a, b) => a - b)
}
