import { waypointpb as pb } from '@ambit/api'
import { DEFAULT_TRUST_DOMAIN } from '@ambit/core'
import { fromBinary } from '@bufbuild/protobuf'
import { enumWord } from '../decode-enum.ts'
import { DEFAULT_CONNECT_TIMEOUT_MS, MAX_TIMEOUT_MS } from '../limits.ts'
import { type Decoded, decoding, reject } from '../rejection.ts'
import { decodeListeners } from './decode-listener.ts'
import { ROUTES } from './decode-routes.ts'
import type { WaypointSettings } from './destination.types.ts'
import { unknownFieldIn } from './unknown-field.ts'

const NORMALIZATIONS = { 0: 'base', 1: 'none', 2: 'merge-slashes', 3: 'decode-and-merge-slashes' } as const
const ENCODINGS = { 0: 'text', 1: 'json' } as const

/** Reads an `ambit.waypoint.Settings` resource, whole or not at all; of routes each by itself, as those of a Destination. */
export function decodeSettings(bytes: Uint8Array): Decoded<WaypointSettings> {
  return decoding(() => {
    const message = fromBinary(pb.SettingsSchema, bytes)
    const unknown = unknownFieldIn(message, 'settings', ROUTES)
    if (unknown !== undefined) reject('unknown-field', unknown)
    if (message.namespace === '') reject('empty', 'namespace: required')
    if (message.gateway === '') reject('empty', 'gateway: required')
    const { accessLog } = message
    return {
      namespace: message.namespace,
      gateway: message.gateway,
      rootNamespace: message.rootNamespace,
      trustDomain: message.trustDomain || DEFAULT_TRUST_DOMAIN,
      trustDomainAliases: message.trustDomainAliases,
      pathNormalization: enumWord('path_normalization', message.pathNormalization, NORMALIZATIONS),
      accessLog: accessLog && {
        encoding: enumWord('access_log.encoding', accessLog.encoding, ENCODINGS),
        format: accessLog.format,
      },
      forwardClientIdentity: message.forwardClientIdentity,
      connectTimeoutMs: Math.min(message.connectTimeoutMs || DEFAULT_CONNECT_TIMEOUT_MS, MAX_TIMEOUT_MS),
      listeners: decodeListeners(message.listeners),
      authorizationPolicies: message.authorizationPolicies,
      authenticatesRequests: message.authenticatesRequests,
      trustedHops: message.trustedHops,
    }
  })
}
