import type { KubeObject } from '../apiserver/contract.types.ts'
import type { LabelSelector } from '../objects/pod.types.ts'
import { matchesSelector } from '../objects/selector.ts'
import { controllerOf } from './ownership.ts'

export interface Claim<T> {
  readonly owned: readonly T[]
  /** Fitting ones that nobody owns. */
  readonly adopt: readonly T[]
  /** Own ones whose labels no longer fit. */
  readonly release: readonly T[]
}

/** Which objects an owner has, takes and lets go, by its selector. */
export function claimDependents<T extends KubeObject>(
  owner: KubeObject,
  selector: LabelSelector,
  candidates: Iterable<T>,
): Claim<T> {
  const owned: T[] = []
  const adopt: T[] = []
  const release: T[] = []
  for (const one of candidates) {
    const controller = controllerOf(one)
    if (controller !== undefined && controller.uid !== owner.metadata.uid) continue
    const fits = matchesSelector(selector, one.metadata.labels)
    if (controller !== undefined) (fits ? owned : release).push(one)
    else if (fits && one.metadata.deletionTimestamp === undefined) adopt.push(one)
  }
  return { owned, adopt, release }
}
