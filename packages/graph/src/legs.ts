import { parseSocketAddress, parseSpiffeId } from '@ambit/core'
import type { Flow, FlowEnd, FlowTransport } from '@ambit/flow'

/** Who tells about an edge: what each says is the same connections seen from elsewhere. */
export type Role = 'source' | 'destination' | 'waypoint' | 'gateway'

/** A node before it is known what else it is. */
export interface NodeRef {
  readonly id: string
  readonly kind: 'workload' | 'service' | 'address' | 'outside'
  readonly namespace?: string | undefined
  readonly name: string
}

/** What a flow says about one edge. */
export interface Leg {
  readonly from: NodeRef
  readonly to: NodeRef
  readonly role: Role
  /** Refused there, so that nothing of it went on. */
  readonly countsDenial: boolean
  readonly port: number | undefined
  readonly clientIdentity: string | undefined
  readonly serverIdentity: string | undefined
  /** Undefined where this proxy does not tell how the bytes go on. */
  readonly transport: FlowTransport | undefined
}

const OUTSIDE: NodeRef = { id: 'outside', kind: 'outside', name: 'outside' }

/** The edges that a flow is about: one, but through a gateway, which is a client itself, two. */
export function legsOf(flow: Flow): readonly Leg[] {
  const { reporter, side, client, server, transport, waypoint } = flow
  if (reporter.kind === 'gateway') return gatewayLegs(flow, workloadRef(reporter.gateway ?? reporter.pod))
  return [
    {
      from: endRef(client),
      to: targetRef(flow),
      role: side,
      countsDenial: true,
      port: portOf(flow),
      clientIdentity: client.identity,
      // Through a waypoint the client's proxy knows the waypoint's only.
      serverIdentity: side === 'source' && waypoint !== undefined ? undefined : server.identity,
      transport,
    },
  ]
}

/** Ids of the edges that a flow is about, before it is known which of them are the same. */
export function edgeIdsOf(flow: Flow): readonly string[] {
  return legsOf(flow).map(({ from, to }) => `${from.id}>${to.id}`)
}

function gatewayLegs(flow: Flow, gateway: NodeRef): readonly Leg[] {
  const { client, service, server, state, transport } = flow
  const incoming: Leg = {
    from: OUTSIDE,
    to: gateway,
    role: 'gateway',
    countsDenial: true,
    port: undefined,
    clientIdentity: client.identity,
    serverIdentity: undefined,
    transport,
  }
  // What was refused, or had no destination, went nowhere.
  if (state === 'denied' || (service === undefined && server.workload === undefined)) return [incoming]
  const onward: Leg = {
    from: gateway,
    to: targetRef(flow),
    role: 'gateway',
    countsDenial: false,
    port: portOf(flow),
    clientIdentity: undefined,
    serverIdentity: server.identity,
    transport: server.identity === undefined ? undefined : { kind: 'hbone' },
  }
  return [incoming, onward]
}

function portOf({ service, server }: Flow): number | undefined {
  return service === undefined ? parseSocketAddress(server.address)?.port : service.port || undefined
}

function targetRef({ service, server }: Flow): NodeRef {
  return service === undefined ? endRef(server) : serviceRef(service)
}

function serviceRef({ namespace, hostname }: { readonly namespace: string; readonly hostname: string }): NodeRef {
  const [first = hostname] = hostname.split('.')
  // Hosts of ServiceEntries are told by their whole name.
  const name = hostname.startsWith(`${first}.${namespace}.svc`) ? first : hostname
  return { id: `service:${namespace}/${hostname}`, kind: 'service', namespace, name }
}

/** `namespace/name`. */
function workloadRef(key: string): NodeRef {
  const [namespace = '', name = ''] = key.split('/')
  return { id: `workload:${key}`, kind: 'workload', namespace, name }
}

/** Its workload, or else whoever it proved to be, or else where it is. */
export function endRef({ namespace, workload, identity, address }: FlowEnd): NodeRef {
  if (namespace !== undefined && workload !== undefined && workload !== '')
    return workloadRef(`${namespace}/${workload}`)
  const proved = identity === undefined ? undefined : parseSpiffeId(identity)
  if (proved !== undefined) {
    const { namespace: of, serviceAccount } = proved
    return { id: `account:${of}/${serviceAccount}`, kind: 'workload', namespace: of, name: serviceAccount }
  }
  const name = parseSocketAddress(address)?.ip ?? address
  return { id: `address:${name}`, kind: 'address', name }
}
