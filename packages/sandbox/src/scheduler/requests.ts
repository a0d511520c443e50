import type { Container, Pod, PodSpec } from '../objects/pod.types.ts'
import { parseQuantity } from '../objects/quantity.ts'

export type Amounts = ReadonlyMap<string, number>

/** What kube-scheduler takes a container for that asks for nothing, when it spreads load: a tenth of a core and 200 MiB. */
const ASSUMED: Amounts = new Map([
  ['cpu', 0.1],
  ['memory', 200 * 2 ** 20],
])

/** What a pod asks for: its containers together, or its greatest init container, sidecars on top of what runs beside them. */
export function requestsOf(spec: PodSpec): Amounts {
  let running = new Map<string, number>()
  let peak: Amounts = new Map()
  for (const container of spec.initContainers ?? []) {
    const wanted = containerRequests(container)
    if (container.restartPolicy === 'Always') running = sum(running, wanted)
    peak = max(peak, container.restartPolicy === 'Always' ? running : sum(running, wanted))
  }
  for (const container of spec.containers) running = sum(running, containerRequests(container))
  return sum(max(peak, running), amountsOf(spec.overhead))
}

/** The same for spreading load, where a pod that asks for nothing is no burden of zero. */
export function burdenOf(pod: Pod): Amounts {
  return max(requestsOf(pod.spec), ASSUMED)
}

export function amountsOf(quantities: Readonly<Record<string, string | number>> | undefined): Map<string, number> {
  return new Map(Object.entries(quantities ?? {}).map(([name, value]) => [name, parseQuantity(value) ?? 0]))
}

function containerRequests(container: Container): Amounts {
  return amountsOf({ ...container.resources?.limits, ...container.resources?.requests })
}

function sum(a: Amounts, b: Amounts): Map<string, number> {
  const total = new Map(a)
  for (const [name, value] of b) total.set(name, (total.get(name) ?? 0) + value)
  return total
}

function max(a: Amounts, b: Amounts): Map<string, number> {
  const greater = new Map(a)
  for (const [name, value] of b) greater.set(name, Math.max(greater.get(name) ?? 0, value))
  return greater
}
