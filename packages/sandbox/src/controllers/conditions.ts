import type { Condition } from '../objects/pod.types.ts'

/** Conditions after a look at an object: what still holds stays as it was written, the order stays, others stay. */
export function nextConditions(
  before: readonly Condition[],
  wanted: readonly Condition[],
  nowIso: string,
  o: { readonly drop?: readonly string[]; readonly stamp?: 'lastUpdateTime' | 'lastProbeTime' } = {},
): readonly Condition[] {
  const renewed = (condition: Condition, old: Condition | undefined): Condition => {
    const same = old?.status === condition.status
    if (same && old.reason === condition.reason && (old.message ?? '') === (condition.message ?? '')) return old
    const lastTransitionTime = same ? (old.lastTransitionTime ?? nowIso) : nowIso
    return { ...condition, ...(o.stamp === undefined ? {} : { [o.stamp]: nowIso }), lastTransitionTime }
  }
  const kept = before
    .filter(({ type }) => o.drop?.includes(type) !== true || wanted.some((condition) => condition.type === type))
    .map((old) => {
      const condition = wanted.find(({ type }) => type === old.type)
      return condition === undefined ? old : renewed(condition, old)
    })
  const fresh = wanted.filter(({ type }) => !before.some((old) => old.type === type))
  return [...kept, ...fresh.map((condition) => renewed(condition, undefined))]
}

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditionOf(conditions, type)?.status === 'True'
}
