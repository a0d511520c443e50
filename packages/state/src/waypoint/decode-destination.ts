import { waypointpb as pb } from '@ambit/api'
import { MAX_PORT } from '@ambit/core'
import { fromBinary } from '@bufbuild/protobuf'
import { enumWord } from '../decode-enum.ts'
import { type Decoded, decoding, reject } from '../rejection.ts'
import { serviceKey } from '../workload.types.ts'
import { backendOf } from './decode-route.ts'
import { decodeRoutes, ROUTES } from './decode-routes.ts'
import type { Destination, DestinationPort, ServiceDestination } from './destination.types.ts'
import { PROTOCOLS } from './port-protocols.ts'
import { unknownFieldIn } from './unknown-field.ts'

/**
 * Reads an `ambit.waypoint.Destination` resource, whole or not at all; only a route of which something can not be understood stays, as
 * one that is answered 500.
 */
export function decodeDestination(bytes: Uint8Array): Decoded<Destination> {
  return decoding(() => {
    const message = fromBinary(pb.DestinationSchema, bytes)
    const unknown = unknownFieldIn(message, 'destination', ROUTES)
    if (unknown !== undefined) reject('unknown-field', unknown)
    const { target, authorizationPolicies, authenticatesRequests } = message
    const rules = { authorizationPolicies, authenticatesRequests }
    switch (target.case) {
      case 'service':
        return { ...serviceOf(target.value), ...rules }
      case 'workload':
        if (target.value.uid === '') reject('empty', 'workload.uid: required')
        return { kind: 'workload', uid: target.value.uid, ...rules }
      default:
        return reject('empty', 'neither a service nor a workload')
    }
  })
}

/** The name a Destination goes by in xDS. */
export function destinationName(destination: Destination): string {
  return destination.kind === 'service' ? destination.key : destination.uid
}

function serviceOf({
  namespace,
  hostname,
  ports,
  trafficPolicy,
}: pb.Destination_Service): Omit<ServiceDestination, 'authorizationPolicies' | 'authenticatesRequests'> {
  if (namespace === '') reject('empty', 'service.namespace: required')
  if (hostname === '') reject('empty', 'service.hostname: required')
  const byNumber = new Map<number, DestinationPort>()
  for (const [index, port] of ports.entries()) {
    const path = `service.ports[${index}]`
    if (byNumber.has(port.number)) reject('bad-port', `${path}: port ${port.number} stands there twice`)
    byNumber.set(port.number, portOf(port, path))
  }
  const key = serviceKey({ namespace, hostname })
  return { kind: 'service', key, namespace, hostname, ports: byNumber, trafficPolicy }
}

function portOf({ number, protocol, routes, tcpBackends }: pb.Port, path: string): DestinationPort {
  if (number === 0 || number > MAX_PORT) reject('bad-port', `${path}: ${number} is not a port`)
  return {
    number,
    protocol: enumWord(`${path}.protocol`, protocol, PROTOCOLS),
    routes: routes && decodeRoutes(routes, path),
    tcpBackends: tcpBackends?.backends.map((backend, index) => backendOf(backend, `${path}.tcp_backends[${index}]`)),
  }
}
