import { WAYPOINT_DEFAULTS } from '../compile/waypoint-settings.ts'
import type { WaypointDefaults } from '../domain.types.ts'
import { durationMs } from '../watch/go-duration.ts'
import { type Json, list, record, text, unsigned } from '../watch/json.ts'

export type WaypointDefaultsVerdict =
  | { readonly ok: true; readonly defaults: WaypointDefaults }
  | { readonly ok: false; readonly reason: string }

const NORMALIZATIONS: Readonly<Record<string, WaypointDefaults['pathNormalization']>> = {
  DEFAULT: 'BASE',
  BASE: 'BASE',
  NONE: 'NONE',
  MERGE_SLASHES: 'MERGE_SLASHES',
  DECODE_AND_MERGE_SLASHES: 'DECODE_AND_MERGE_SLASHES',
}

/** The mesh-wide settings that concern waypoints. What decides about policies must be understood, or all is refused. */
export function decodeWaypointDefaults(mesh: Json): WaypointDefaultsVerdict {
  const aliases = mesh['trustDomainAliases'] ?? []
  if (!Array.isArray(aliases) || !aliases.every((alias) => typeof alias === 'string'))
    return { ok: false, reason: 'trustDomainAliases is no list of names' }
  const asked = record(mesh['pathNormalization'])['normalization'] ?? 'DEFAULT'
  const pathNormalization = typeof asked === 'string' ? NORMALIZATIONS[asked] : undefined
  if (pathNormalization === undefined)
    return { ok: false, reason: `pathNormalization.normalization ${JSON.stringify(asked)} is not known` }
  const timeout = mesh['connectTimeout']
  const connectTimeoutMs = timeout === undefined ? WAYPOINT_DEFAULTS.connectTimeoutMs : durationMs(text(timeout))
  if (connectTimeoutMs === undefined)
    return { ok: false, reason: `connectTimeout ${JSON.stringify(timeout)} is no duration such as 10s` }
  const topology = record(record(mesh['defaultConfig'])['gatewayTopology'])
  const trustedProxies = topology['numTrustedProxies'] === undefined ? 0 : unsigned(topology['numTrustedProxies'])
  if (trustedProxies === undefined)
    return { ok: false, reason: 'defaultConfig.gatewayTopology.numTrustedProxies is no number' }
  return {
    ok: true,
    defaults: {
      trustDomainAliases: list(aliases).filter((alias) => typeof alias === 'string'),
      pathNormalization,
      accessLog: accessLogOf(mesh),
      connectTimeoutMs,
      ...(trustedProxies === 0 ? {} : { trustedProxies }),
    },
  }
}

/** Any file: waypoints write to their standard output, where Kubernetes looks. */
function accessLogOf(mesh: Json): WaypointDefaults['accessLog'] {
  if (!text(mesh['accessLogFile'])) return undefined
  return {
    encoding: mesh['accessLogEncoding'] === 'JSON' ? 'JSON' : 'TEXT',
    format: text(mesh['accessLogFormat']) ?? '',
  }
}
