import { type AnyObject, asDeployed, type Sourced } from '@ambit/analyze'
import { groupKindOf } from '@ambit/controller/judgement'

/** Objects by group and kind, then by `namespace/name`; those of files laid over the cluster's. */
export type ObjectSet = Map<string, Map<string, Sourced>>

const GATEWAY = 'gateway.networking.k8s.io/Gateway'

/** A file's object takes the place of the cluster's, with the status that has: nobody writes one into a file. */
export function overlay(objects: readonly Sourced[]): ObjectSet {
  const set: ObjectSet = new Map()
  for (const sourced of objects) {
    const kind = groupKindOf(sourced.object)
    const ofKind = set.getOrInsertComputed(kind, () => new Map<string, Sourced>())
    const key = keyOf(sourced.object)
    const present = ofKind.get(key)
    // Gateways are given what runs for them later on.
    const laid = sourced.place === undefined || (kind === GATEWAY && present === undefined)
    ofKind.set(key, laid ? sourced : asDeployed(sourced, present))
  }
  return set
}

export function keyOf({ metadata }: AnyObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}
