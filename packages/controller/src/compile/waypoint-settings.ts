import { waypointpb } from '@ambit/api'
import type { ResourceInput } from '@ambit/xds'
import { create, toBinary } from '@bufbuild/protobuf'
import type { Gateway, GatewayClass, MeshContext, WaypointDefaults } from '../domain.types.ts'

const { AccessLog_Encoding: Encoding, PathNormalization } = waypointpb

const CLIENT_IDENTITY = 'ambient.istio.io/xfcc-include-client-identity'

/** As long as the mesh says nothing (Istio). */
export const WAYPOINT_DEFAULTS: WaypointDefaults = {
  trustDomainAliases: [],
  pathNormalization: 'BASE',
  accessLog: undefined,
  connectTimeoutMs: 10_000,
}

/** What one waypoint needs to know of itself and the mesh. */
export function waypointSettings(
  gateway: Gateway,
  gatewayClass: GatewayClass | undefined,
  mesh: MeshContext,
): ResourceInput {
  const { namespace, name } = gateway
  const identity = gateway.annotations[CLIENT_IDENTITY] ?? gatewayClass?.annotations[CLIENT_IDENTITY]
  const settings = create(waypointpb.SettingsSchema, {
    ...settingsOfMesh(mesh),
    namespace,
    gateway: name,
    forwardClientIdentity: identity === 'true',
  })
  const key = `${namespace}/${name}`
  return { name: key, audience: [key], bytes: toBinary(waypointpb.SettingsSchema, settings) }
}

/** The same for every waypoint and gateway. */
export function settingsOfMesh(mesh: MeshContext): {
  readonly trustDomain: string
  readonly trustDomainAliases: string[]
  readonly pathNormalization: waypointpb.PathNormalization
  readonly accessLog?: { encoding: waypointpb.AccessLog_Encoding; format: string }
  readonly connectTimeoutMs: number
  readonly rootNamespace: string
} {
  const { trustDomainAliases, pathNormalization, accessLog, connectTimeoutMs } = mesh.waypoints ?? WAYPOINT_DEFAULTS
  return {
    trustDomain: mesh.trustDomain,
    trustDomainAliases: [...trustDomainAliases],
    pathNormalization: PathNormalization[pathNormalization],
    ...(accessLog && { accessLog: { encoding: Encoding[accessLog.encoding], format: accessLog.format } }),
    connectTimeoutMs,
    rootNamespace: mesh.rootNamespace,
  }
}
