import { waypointpb as pb } from '@ambit/api'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { decodeDestination, type Route, type ServiceDestination } from '../../src/index.ts'
import { HOST } from '../helpers.ts'

export type DestinationInit = MessageInitShape<typeof pb.DestinationSchema>
export type RouteInit = MessageInitShape<typeof pb.RouteSchema>
/** As written down, not a message. */
export type PlainRoute = Exclude<RouteInit, pb.Route>
type SettingsInit = MessageInitShape<typeof pb.SettingsSchema>

export function serviceInit(
  routes?: readonly RouteInit[],
  over: Omit<Exclude<DestinationInit, pb.Destination>, 'target'> = {},
): DestinationInit {
  const port: Exclude<MessageInitShape<typeof pb.PortSchema>, pb.Port> = {
    number: 80,
    protocol: 2,
    ...(routes && { routes: { routes: [...routes] } }),
  }
  const value = { namespace: 'shop', hostname: HOST, ports: [port] }
  return { ...over, target: { case: 'service', value } }
}

export function workloadInit(uid: string): DestinationInit {
  return { target: { case: 'workload', value: { uid } } }
}

export function destinationBytes(init: DestinationInit): Uint8Array {
  return toBinary(pb.DestinationSchema, create(pb.DestinationSchema, init))
}

export function destinationResource(init: DestinationInit) {
  const { target } = create(pb.DestinationSchema, init)
  const name =
    target.case === 'service' ? `${target.value.namespace}/${target.value.hostname}` : (target.value?.uid ?? '')
  return { name, bytes: destinationBytes(init) }
}

export function settingsResource(init: SettingsInit) {
  const value = create(pb.SettingsSchema, init)
  return { name: `${value.namespace}/${value.gateway}`, bytes: toBinary(pb.SettingsSchema, value) }
}

export function decodedService(init: DestinationInit): ServiceDestination {
  const decoded = decodeDestination(destinationBytes(init))
  if (!decoded.ok) throw new Error(decoded.rejection.message)
  if (decoded.value.kind !== 'service') throw new Error('not a service')
  return decoded.value
}

/** The routes of port 80 as a proxy reads them. */
export function decodedRoutes(...routes: readonly RouteInit[]): readonly Route[] {
  const read = decodedService(serviceInit(routes)).ports.get(80)?.routes
  if (read === undefined) throw new Error('no routes')
  return read
}

export const TO_CART = {
  case: 'backends' as const,
  value: { backends: [{ namespace: 'shop', hostname: HOST, port: 80, weight: 1 }] },
}
