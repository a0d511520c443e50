import type { authorizationpb } from '@ambit/api'
import { ipToBytes, parseCidr, parsePort } from '@ambit/core'
import type { MessageInitShape } from '@bufbuild/protobuf'

export type StringMatch = MessageInitShape<typeof authorizationpb.StringMatchSchema> & object
export type AddressMatch = { readonly address: Uint8Array; readonly length: number }

/** `*` anything present, `*x` ends with, `x*` starts with, else exactly. */
export function stringMatch(pattern: string): StringMatch {
  if (pattern === '*') return { matchType: { case: 'presence', value: {} } }
  if (pattern.startsWith('*')) return { matchType: { case: 'suffix', value: pattern.slice(1) } }
  if (pattern.endsWith('*')) return { matchType: { case: 'prefix', value: pattern.slice(0, -1) } }
  return { matchType: { case: 'exact', value: pattern } }
}

export function addressMatch(value: string): AddressMatch | undefined {
  const cidr = parseCidr(value)
  return cidr === undefined ? undefined : { address: ipToBytes(cidr.ip), length: cidr.length }
}

export function portMatch(value: string): number | undefined {
  return parsePort(value)
}
