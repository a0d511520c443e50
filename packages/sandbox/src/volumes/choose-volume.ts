import type { PersistentVolume, PersistentVolumeClaim } from '../objects/cluster.types.ts'
import { parseQuantity } from '../objects/quantity.ts'
import { matchesSelector } from '../objects/selector.ts'

/** The volume a claim gets of those there are: the one made for it, else the smallest that fits (Kubernetes). */
export function chooseVolume(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
): PersistentVolume | undefined {
  const all = [...volumes].filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const made = all.find((volume) => isMadeFor(volume, claim))
  if (made !== undefined) return made
  const { volumeName } = claim.spec
  if (volumeName) return all.find(({ metadata, spec }) => metadata.name === volumeName && spec.claimRef === undefined)
  return all.filter((volume) => fits(volume, claim)).toSorted((a, b) => sizeOf(a) - sizeOf(b))[0]
}

/** Whether a volume names the claim as its own. */
export function isMadeFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { claimRef } = spec
  if (claimRef?.namespace !== metadata.namespace || claimRef?.name !== metadata.name) return false
  return claimRef?.uid === undefined || claimRef.uid === metadata.uid
}

function fits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { spec } = volume
  if (spec.claimRef !== undefined || (volume.status?.phase ?? 'Available') !== 'Available') return false
  if ((spec.storageClassName ?? '') !== (claim.spec.storageClassName ?? '')) return false
  if ((spec.volumeMode ?? 'Filesystem') !== (claim.spec.volumeMode ?? 'Filesystem')) return false
  if (!(claim.spec.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode))) return false
  if (claim.spec.selector !== undefined && !matchesSelector(claim.spec.selector, volume.metadata.labels)) return false
  return sizeOf(volume) >= (parseQuantity(claim.spec.resources?.requests?.['storage']) ?? 0)
}

function sizeOf({ spec }: PersistentVolume): number {
  return parseQuantity(spec.capacity?.['storage']) ?? 0
}
