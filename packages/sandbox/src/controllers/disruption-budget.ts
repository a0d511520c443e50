import type { Pod } from '../objects/pod.types.ts'
import type { PodDisruptionBudget } from '../objects/workloads.types.ts'
import { isEnded, isReady } from './ownership.ts'
import { resolveIntOrPercent } from './rollout.ts'

/** How long an eviction may take to be seen as a deletion; then it is taken to have failed (Kubernetes). */
const EVICTION_MS = 120_000

export interface BudgetCount {
  readonly currentHealthy: number
  readonly desiredHealthy: number
  readonly expectedPods: number
  readonly disruptionsAllowed: number
  /** Evicted pods whose deletion isn't seen yet, by when they were evicted. */
  readonly disruptedPods: Readonly<Record<string, string>>
  /** When the first of them is given up. */
  readonly againMs: number | undefined
}

/** What a disruption budget allows now; `expected` is how many pods their controllers want in all. */
export function countBudget(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  expected: number,
  nowMs: number,
): BudgetCount {
  const { maxUnavailable, minAvailable } = budget.spec
  const counted = pods.filter((pod) => !isEnded(pod))
  const disruptedPods: Record<string, string> = {}
  let againMs: number | undefined
  for (const pod of counted) {
    const { deletionTimestamp, name = '' } = pod.metadata
    const since = budget.status?.disruptedPods?.[name]
    if (since === undefined || deletionTimestamp !== undefined) continue
    const leftMs = Date.parse(since) + EVICTION_MS - nowMs
    if (!(leftMs > 0)) continue
    disruptedPods[name] = since
    againMs = Math.min(againMs ?? leftMs, leftMs)
  }
  const currentHealthy = counted.filter(
    (pod) =>
      isReady(pod) &&
      pod.metadata.deletionTimestamp === undefined &&
      disruptedPods[pod.metadata.name ?? ''] === undefined,
  ).length
  let expectedPods = counted.length
  let desiredHealthy = 0
  if (maxUnavailable !== undefined) {
    expectedPods = expected
    desiredHealthy = Math.max(0, expected - resolveIntOrPercent(maxUnavailable, expected, 'up'))
  } else if (typeof minAvailable === 'string') {
    expectedPods = expected
    desiredHealthy = resolveIntOrPercent(minAvailable, expected, 'up')
  } else if (minAvailable !== undefined) desiredHealthy = minAvailable
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy)
  return { currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed, disruptedPods, againMs }
}
