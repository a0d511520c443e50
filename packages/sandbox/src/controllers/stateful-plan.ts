import type { Pod } from '../objects/pod.types.ts'
import type { StatefulSet } from '../objects/workloads.types.ts'
import { REVISION_HASH } from './controller-revisions.ts'
import { isAvailable, isEnded, isReady } from './ownership.ts'
import { resolveIntOrPercent } from './rollout.ts'

export interface StatefulPlan {
  readonly create: readonly { readonly ordinal: number; readonly revision: string }[]
  readonly remove: readonly { readonly pod: Pod; readonly why: 'ended' | 'scaled' | 'outdated' }[]
}

/** The number at the end of a member's name; undefined for a pod that is none of the set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`
  const { name = '' } = pod.metadata
  const number = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return /^(0|[1-9]\d*)$/.test(number) ? Number(number) : undefined
}

/**
 * The next step of a StatefulSet. In order: the members in ascending order, each when those before it are there and
 * available; then what is too many, from the top; then what is outdated, from the top.
 */
export function planStatefulSet(o: {
  readonly set: StatefulSet
  readonly pods: readonly Pod[]
  /** Names of the revisions of the last finished rollout and of the present template. */
  readonly currentRevision: string
  readonly updateRevision: string
  readonly nowMs: number
}): StatefulPlan {
  const { nowMs, pods, set } = o
  const { ordinals, podManagementPolicy, replicas = 1, updateStrategy = {} } = set.spec
  const ordered = podManagementPolicy !== 'Parallel'
  const start = ordinals?.start ?? 0
  const partition = updateStrategy.rollingUpdate?.partition ?? 0
  const rolling = (updateStrategy.type ?? 'RollingUpdate') === 'RollingUpdate'
  const members = new Map<number, Pod>()
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod)
    if (ordinal !== undefined) members.set(ordinal, pod)
  }
  const available = (pod: Pod): boolean =>
    !isTerminating(pod) && isReady(pod) && isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)
  const create: { ordinal: number; revision: string }[] = []
  const remove: { pod: Pod; why: 'ended' | 'scaled' | 'outdated' }[] = []
  const step = (): StatefulPlan => ({ create, remove })

  for (let ordinal = start; ordinal < start + replicas; ordinal++) {
    const pod = members.get(ordinal)
    const revision = rolling && ordinal - start < partition ? o.currentRevision : o.updateRevision
    if (pod === undefined) create.push({ ordinal, revision })
    else if (isEnded(pod) && !isTerminating(pod)) remove.push({ pod, why: 'ended' })
    if (ordered && (pod === undefined || !available(pod))) return step()
  }

  const condemned = [...members].filter(([ordinal]) => ordinal < start || ordinal >= start + replicas)
  const living = condemned.filter(([, pod]) => !isTerminating(pod)).sort(([a], [b]) => b - a)
  if (condemned.length > 0 && ordered) {
    const [highest] = living
    const unhealthy = [...members.values()].filter((pod) => !available(pod) && !isTerminating(pod))
    const waits = condemned.length > living.length || unhealthy.some((pod) => pod !== highest?.[1])
    if (highest !== undefined && !waits) remove.push({ pod: highest[1], why: 'scaled' })
    return step()
  }
  for (const [, pod] of living) remove.push({ pod, why: 'scaled' })

  if (!rolling || create.length > 0) return step()
  const allowed = Math.max(1, resolveIntOrPercent(updateStrategy.rollingUpdate?.maxUnavailable ?? 1, replicas, 'up'))
  let unavailable = 0
  for (let ordinal = start; ordinal < start + replicas; ordinal++) {
    const pod = members.get(ordinal)
    if (pod === undefined || !available(pod)) unavailable++
  }
  for (let ordinal = start + replicas - 1; ordinal >= start + partition; ordinal--) {
    const pod = members.get(ordinal)
    if (pod === undefined || isTerminating(pod)) continue
    const outdated = pod.metadata.labels?.[REVISION_HASH] !== o.updateRevision
    // A broken member of an old template is replaced, as that costs nothing; a broken new one stops the rollout.
    if (outdated && (unavailable < allowed || (!available(pod) && unavailable <= allowed))) {
      remove.push({ pod, why: 'outdated' })
      if (available(pod)) unavailable++
    }
    if (unavailable >= allowed) break
  }
  return step()
}

function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined
}
