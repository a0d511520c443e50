import { groupKindOf } from '@ambit/controller/judgement'
import { list, record } from './field.ts'
import type { Sourced } from './source.types.ts'

/** RFC 5737: nobody has it. Only whether there is an address counts. */
const SOME_ADDRESS = [{ type: 'IPAddress', value: '192.0.2.1' }]

/**
 * An object of a file as it would be once applied: with the status that the cluster's has, and a Gateway with the address
 * it would get, or nothing could be bound to it.
 */
export function asDeployed(file: Sourced, present: Sourced | undefined): Sourced {
  const { object, place } = file
  const metadata =
    present === undefined
      ? object.metadata
      : {
          ...object.metadata,
          ...pick('creationTimestamp', present.object.metadata.creationTimestamp),
          ...pick('uid', present.object.metadata.uid),
        }
  const status = object.status ?? present?.object.status
  const merged = { ...object, metadata, ...pick('status', status) }
  if (groupKindOf(object) !== 'gateway.networking.k8s.io/Gateway') return { object: merged, place }
  if (list(record(status)['addresses']).length > 0) return { object: merged, place }
  return { object: { ...merged, status: { ...record(status), addresses: SOME_ADDRESS } }, place }
}

function pick<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V }
}
