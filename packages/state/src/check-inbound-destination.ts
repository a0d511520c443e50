import {
  formatSocketAddress,
  type Ip,
  ipFamily,
  ip as ipOf,
  isProxyPort,
  parsePort,
  parseSocketAddress,
  type SocketAddress,
} from '@ambit/core'
import { findGateway } from './resolve-waypoint.ts'
import type { GatewayAddress, Service, Workload } from './workload.types.ts'
import type { WorkloadLookup } from './workload-store.ts'

export interface InboundRequest {
  /** What CONNECT asked for: `ip:port` or `hostname:port`. */
  readonly authority: string
  /** The address the HBONE connection was accepted on. */
  readonly localIp: Ip
  /** The workload that address belongs to. */
  readonly workload: Workload
  /** The network this proxy runs in. */
  readonly network: string
  /** Reach application tunnels on loopback (Istio's default) rather than on the pod's address. */
  readonly localhostTunnel?: boolean | undefined
  /** Ports never to be dialled, besides the proxy's own. */
  readonly illegalPorts?: ReadonlySet<number> | undefined
}

export type InboundVerdict =
  | {
      readonly accepted: true
      /** What policies are evaluated against: the local address and the port the application is reached on. */
      readonly destination: SocketAddress
      readonly dial: SocketAddress
      /** Write a PROXY v2 header naming this destination before the payload. */
      readonly proxyHeader: { readonly destination: SocketAddress } | undefined
      /** Keep the client's address as source; not towards loopback. */
      readonly originalSource: boolean
      readonly service: Service | undefined
    }
  | { readonly accepted: false; readonly status: 400 | 503; readonly reason: string }

/** Whether a CONNECT may be served by this workload, and which address of the application it means. */
export function checkInboundDestination(lookup: WorkloadLookup, request: InboundRequest): InboundVerdict {
  const { authority, workload } = request
  const target = parseSocketAddress(authority)
  if (target === undefined) return byHostname(lookup, request)
  const isOurs =
    target.ip === request.localIp || workload.applicationTunnel !== undefined || provesWaypoint(lookup, request, target)
  if (!isOurs) {
    return refuse(
      400,
      `${formatSocketAddress(target)} is not an address of ${workload.uid}, nor is it that workload's to serve as a waypoint`,
    )
  }
  return accept(request, target.port, target, undefined)
}

function byHostname(lookup: WorkloadLookup, request: InboundRequest): InboundVerdict {
  const { authority, workload, network, localIp } = request
  const parsed = parseHostAuthority(authority)
  if (parsed === undefined)
    return refuse(400, `authority ${JSON.stringify(authority)} is neither ip:port nor hostname:port`)
  const service = lookup.serviceByHostname(parsed.hostname, workload.namespace)
  if (service === undefined) return refuse(503, `no service with hostname ${parsed.hostname} is known here`)
  const port = lookup.endpoint(service, workload.uid)?.ports.get(parsed.port) || service.ports.get(parsed.port)
  if (!port) return refuse(503, `service ${parsed.hostname} has no port ${parsed.port} on ${workload.uid}`)
  const vip = preferredVip(service, network)
  if (vip === undefined && workload.applicationTunnel?.protocol === 'PROXY') {
    return refuse(503, `service ${parsed.hostname} has no address that a PROXY header could name`)
  }
  return accept(request, port, { ip: vip ?? localIp, port: parsed.port }, service)
}

/** Own network first, then IPv4. */
function preferredVip({ vips }: Service, network: string): Ip | undefined {
  const rank = (vip: Service['vips'][number]): number =>
    2 * Number(vip.network === network) + Number(ipFamily(vip.ip) === 4)
  return vips.toSorted((a, b) => rank(b) - rank(a))[0]?.ip
}

function accept(
  request: InboundRequest,
  port: number,
  requested: SocketAddress,
  service: Service | undefined,
): InboundVerdict {
  const { localIp, workload } = request
  // Before the tunnel's port replaces it: a tunnel may well listen where clients must not aim.
  if (isProxyPort(port) || request.illegalPorts?.has(port) === true) {
    return refuse(503, `port ${port} is the proxy's own: dialling it would loop`)
  }
  const tunnel = workload.applicationTunnel
  const appPort = tunnel?.port ?? port
  const proxied = tunnel?.protocol === 'PROXY'
  const loopback = proxied && request.localhostTunnel !== false
  return {
    accepted: true,
    destination: { ip: localIp, port: appPort },
    dial: { ip: loopback ? loopbackOf(requested.ip) : localIp, port: appPort },
    proxyHeader: proxied ? { destination: requested } : undefined,
    originalSource: !loopback,
    service,
  }
}

function loopbackOf(ip: Ip): Ip {
  return ipFamily(ip) === 4 ? ipOf('127.0.0.1') : ipOf('::1')
}

/** Whether what is at the address names this workload, or a service of it, as its waypoint. */
function provesWaypoint(lookup: WorkloadLookup, request: InboundRequest, target: SocketAddress): boolean {
  const { workload, network, localIp } = request
  const addressed = lookup.workloadByIp(network, target.ip)
  const waypoints =
    addressed === undefined
      ? serviceWaypoints(lookup.serviceByVip(network, target.ip, workload.namespace))
      : [addressed.waypoint]
  return waypoints.some((waypoint) => {
    if (waypoint === undefined) return false
    const referent = findGateway(lookup, waypoint, workload.namespace)
    if (referent?.kind === 'service') return lookup.endpoint(referent.service, workload.uid) !== undefined
    return referent?.workload.ips.includes(localIp) === true
  })
}

/** A canary set names several waypoints; traffic may come through any of them. */
function serviceWaypoints(service: Service | undefined): readonly (GatewayAddress | undefined)[] {
  return service === undefined ? [] : [service.waypoint, ...service.weightedWaypoints.map((w) => w.destination)]
}

function parseHostAuthority(authority: string): { readonly hostname: string; readonly port: number } | undefined {
  const match = /^([a-zA-Z0-9_*](?:[a-zA-Z0-9._-]{0,252})):([0-9]{1,5})$/.exec(authority)
  const port = parsePort(match?.[2] ?? '')
  const hostname = match?.[1]?.toLowerCase()
  return port === undefined || hostname === undefined ? undefined : { hostname, port }
}

function refuse(status: 400 | 503, reason: string): InboundVerdict {
  return { accepted: false, status, reason }
}
