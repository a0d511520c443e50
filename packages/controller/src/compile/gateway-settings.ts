import { waypointpb } from '@ambit/api'
import type { ResourceInput } from '@ambit/xds'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { MeshContext } from '../domain.types.ts'
import type { DestinationRules } from './destination.ts'
import { settingsOfMesh } from './waypoint-settings.ts'

export type ListenerInit = Extract<MessageInitShape<typeof waypointpb.ListenerSchema>, { readonly $typeName?: never }>

/** What one gateway needs to know of itself and the mesh. */
export function gatewaySettings(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  listeners: readonly ListenerInit[],
  { policies, authenticatesRequests }: DestinationRules,
  mesh: MeshContext,
): ResourceInput {
  const settings = create(waypointpb.SettingsSchema, {
    ...settingsOfMesh(mesh),
    namespace,
    gateway: name,
    listeners: [...listeners],
    authorizationPolicies: [...policies],
    authenticatesRequests,
    trustedHops: mesh.waypoints?.trustedProxies ?? 0,
  })
  const key = `${namespace}/${name}`
  return { name: key, audience: [key], bytes: toBinary(waypointpb.SettingsSchema, settings) }
}
