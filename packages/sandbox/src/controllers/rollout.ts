import type { IntOrPercent } from '../objects/cluster.types.ts'

/** An absolute number or a share of `total`. */
export function resolveIntOrPercent(value: IntOrPercent, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)?.[1]
  if (percent === undefined) return Number.parseInt(value, 10) || 0
  const exact = (Number(percent) * total) / 100
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}

/** Surge rounds up, unavailable rounds down; both zero would never move, so one may be unavailable then. */
export function rolloutBounds(
  replicas: number,
  maxSurge: IntOrPercent = '25%',
  maxUnavailable: IntOrPercent = '25%',
): { readonly surge: number; readonly unavailable: number } {
  const surge = resolveIntOrPercent(maxSurge, replicas, 'up')
  const unavailable = resolveIntOrPercent(maxUnavailable, replicas, 'down')
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

export interface SetSize {
  readonly name: string
  readonly replicas: number
  readonly available: number
}

export interface RolloutState {
  readonly replicas: number
  readonly surge: number
  readonly unavailable: number
  readonly current: SetSize
  /** Oldest first. */
  readonly old: readonly SetSize[]
}

/** The sizes that the sets of a rolling update are to have next; sets that stay as they are aren't named. */
export function planRollingUpdate(state: RolloutState): ReadonlyMap<string, number> {
  const plan = new Map<string, number>()
  const { current, old, replicas } = state
  const total = current.replicas + old.reduce((sum, set) => sum + set.replicas, 0)
  const target = Math.min(replicas, current.replicas + Math.max(0, replicas + state.surge - total))
  const currentTarget = current.replicas > replicas ? replicas : Math.max(current.replicas, target)
  if (currentTarget !== current.replicas) plan.set(current.name, currentTarget)
  const minAvailable = replicas - state.unavailable
  // Replicas of the new set that aren't available yet hold back old ones that are.
  let removable = total - minAvailable - (current.replicas - current.available)
  const left = new Map(old.map((set) => [set.name, set.replicas]))
  // First those that serve nobody anyway.
  for (const set of old) {
    if (removable <= 0) break
    const unhealthy = Math.min(set.replicas - Math.min(set.available, set.replicas), removable)
    left.set(set.name, set.replicas - unhealthy)
    removable -= unhealthy
  }
  const available = current.available + old.reduce((sum, set) => sum + Math.min(set.available, set.replicas), 0)
  let surplus = Math.max(0, available - minAvailable)
  for (const set of old) {
    const have = left.get(set.name) ?? 0
    const fewer = Math.min(have, surplus)
    left.set(set.name, have - fewer)
    surplus -= fewer
  }
  for (const set of old) {
    const size = left.get(set.name) ?? 0
    if (size !== set.replicas) plan.set(set.name, size)
  }
  return plan
}

export interface ScaledSet {
  readonly name: string
  readonly replicas: number
  /** Replicas and surge of the Deployment when the set was sized last. */
  readonly maxBefore: number
}

/**
 * Sizes after a Deployment was scaled in the middle of a rollout: each active set grows or shrinks in proportion,
 * what rounding leaves goes to the largest.
 */
export function planProportionalScale(o: {
  readonly replicas: number
  readonly surge: number
  /** Oldest first. */
  readonly sets: readonly ScaledSet[]
}): ReadonlyMap<string, number> {
  const { replicas, sets, surge } = o
  const allowed = replicas > 0 ? replicas + surge : 0
  const toAdd = allowed - sets.reduce((sum, set) => sum + set.replicas, 0)
  // Growth favours the newest among equals, shrinking the oldest.
  const ordered = (toAdd > 0 ? sets.toReversed() : [...sets]).sort((a, b) => b.replicas - a.replicas)
  const plan = new Map<string, number>()
  let added = 0
  for (const set of ordered) {
    const share = replicas === 0 ? -set.replicas : shareOf(set, allowed)
    const change = toAdd > 0 ? Math.max(0, Math.min(share, toAdd - added)) : Math.min(0, Math.max(share, toAdd - added))
    plan.set(set.name, set.replicas + change)
    added += change
  }
  const [largest] = ordered
  if (largest !== undefined) plan.set(largest.name, Math.max(0, (plan.get(largest.name) ?? 0) + toAdd - added))
  return plan
}

function shareOf(set: ScaledSet, allowed: number): number {
  const before = set.maxBefore > 0 ? set.maxBefore : allowed
  return Math.round((set.replicas * allowed) / before) - set.replicas
}
