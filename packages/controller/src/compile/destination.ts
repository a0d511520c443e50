import { waypointpb, workloadpb } from '@ambit/api'
import type { ResourceInput } from '@ambit/xds'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { KubeService, ServiceEntry } from '../domain.types.ts'
import { appProtocolOf } from './app-protocol.ts'
import type { Backend } from './route.ts'

const { AppProtocol } = workloadpb
const { Protocol } = waypointpb

type Port = MessageInitShape<typeof waypointpb.PortSchema>

/** What is in force at a destination. */
export interface DestinationRules {
  /** `namespace/name`, sorted. */
  readonly policies: readonly string[]
  readonly authenticatesRequests: boolean
}

/** A port of a service as a waypoint sees it. */
export interface PortFacts {
  readonly number: number
  readonly protocol: waypointpb.Protocol
}

export function serviceDestination(
  service: { readonly namespace: string; readonly hostname: string; readonly trafficPolicy: string },
  ports: readonly (PortFacts & {
    readonly routes: readonly waypointpb.Route[] | undefined
    readonly tcpBackends: readonly Backend[] | undefined
  })[],
  rules: DestinationRules,
  waypoint: string,
): ResourceInput {
  const { namespace, hostname, trafficPolicy } = service
  const value = {
    namespace,
    hostname,
    trafficPolicy,
    ports: ports.map(
      ({ number, protocol, routes, tcpBackends }): Port => ({
        number,
        protocol,
        ...(routes && { routes: { routes: [...routes] } }),
        ...(tcpBackends && { tcpBackends: { backends: [...tcpBackends] } }),
      }),
    ),
  }
  return destination(`${namespace}/${hostname}`, { case: 'service', value }, rules, waypoint)
}

export function workloadDestination(uid: string, rules: DestinationRules, waypoint: string): ResourceInput {
  return destination(uid, { case: 'workload', value: { uid } }, rules, waypoint)
}

function destination(
  name: string,
  target: MessageInitShape<typeof waypointpb.DestinationSchema>['target'] & object,
  { policies, authenticatesRequests }: DestinationRules,
  waypoint: string,
): ResourceInput {
  const message = create(waypointpb.DestinationSchema, {
    target,
    authorizationPolicies: [...policies],
    authenticatesRequests,
  })
  return { name, audience: [waypoint], bytes: toBinary(waypointpb.DestinationSchema, message) }
}

/** Ports of TCP; one number counts once. */
export function portsOfService(service: KubeService): readonly PortFacts[] {
  return once(
    service.ports
      .filter(({ protocol }) => protocol === 'TCP')
      .map(({ port, name, appProtocol }) => ({ number: port, protocol: protocolOf(appProtocolOf(appProtocol, name)) })),
  )
}

export function portsOfServiceEntry(entry: ServiceEntry): readonly PortFacts[] {
  return once(
    entry.ports
      .filter(({ protocol }) => protocol.toUpperCase() !== 'UDP')
      .map(({ port, name, protocol }) => ({ number: port, protocol: protocolOf(appProtocolOf(protocol, name)) })),
  )
}

function once(ports: readonly PortFacts[]): readonly PortFacts[] {
  const byNumber = new Map<number, PortFacts>()
  for (const port of ports) if (!byNumber.has(port.number)) byNumber.set(port.number, port)
  return [...byNumber.values()]
}

const PROTOCOLS: Readonly<Partial<Record<workloadpb.AppProtocol, waypointpb.Protocol>>> = {
  [AppProtocol.HTTP11]: Protocol.HTTP,
  [AppProtocol.HTTP2]: Protocol.HTTP2,
  [AppProtocol.GRPC]: Protocol.GRPC,
  [AppProtocol.TCP]: Protocol.TCP,
  [AppProtocol.TLS]: Protocol.TLS,
}

function protocolOf(protocol: workloadpb.AppProtocol): waypointpb.Protocol {
  return PROTOCOLS[protocol] ?? Protocol.UNKNOWN
}
