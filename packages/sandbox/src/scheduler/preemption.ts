import type { Pod } from '../objects/pod.types.ts'
import { refuser, type Surroundings } from './choose-node.ts'
import { type NodeInfo, nameOf } from './snapshot.ts'
import { isFinal } from './unschedulable.ts'

export interface Preemption {
  readonly node: string
  readonly victims: readonly Pod[]
}

const priorityOf = (pod: Pod): number => pod.spec.priority ?? 0

/**
 * Where room can be made for a pod by ending pods of lower priority, and which: as few and as unimportant as it takes, those
 * that a disruption budget protects last.
 */
export function choosePreemption(
  pod: Pod,
  nodes: readonly NodeInfo[],
  around: Surroundings,
  isProtected: (pod: Pod) => boolean,
): Preemption | undefined {
  const refuse = refuser(pod, nodes, around)
  const options = nodes
    .filter((info) => !isFinal(refuse(info)))
    .flatMap((info) => {
      const victims = victimsOn(pod, info, nodes, around, isProtected)
      return victims === undefined || victims.length === 0 ? [] : [{ node: nameOf(info), victims }]
    })
  const costs = new Map(options.map((option) => [option, costOf(option.victims, isProtected)]))
  return options.toSorted((a, b) => {
    const [left = [], right = []] = [costs.get(a), costs.get(b)]
    const first = left.findIndex((value, i) => value !== right[i])
    return first === -1 ? a.node.localeCompare(b.node) : (left[first] ?? 0) - (right[first] ?? 0)
  })[0]
}

function costOf(victims: readonly Pod[], isProtected: (pod: Pod) => boolean): readonly number[] {
  return [
    victims.filter(isProtected).length,
    Math.max(...victims.map(priorityOf)),
    victims.reduce((sum, victim) => sum + priorityOf(victim), 0),
    victims.length,
  ]
}

/** The pods that have to go from a node; undefined when it would not fit even without all of them. */
function victimsOn(
  pod: Pod,
  info: NodeInfo,
  nodes: readonly NodeInfo[],
  around: Surroundings,
  isProtected: (pod: Pod) => boolean,
): readonly Pod[] | undefined {
  const lower = [...info.pods.values()].filter((one) => priorityOf(one) < priorityOf(pod))
  if (lower.length === 0) return undefined
  const fitsWithout = (gone: readonly Pod[]): boolean => {
    const emptied = info.changed({ without: gone })
    const others = nodes.map((one) => (one === info ? emptied : one))
    return refuser(pod, others, around)(emptied).length === 0
  }
  if (!fitsWithout(lower)) return undefined
  // Those that matter most are the first to be let stay.
  const dearest = lower.toSorted(
    (a, b) => Number(isProtected(b)) - Number(isProtected(a)) || priorityOf(b) - priorityOf(a),
  )
  let victims: readonly Pod[] = lower
  for (const one of dearest) {
    const fewer = victims.filter((victim) => victim !== one)
    if (fitsWithout(fewer)) victims = fewer
  }
  return victims
}
