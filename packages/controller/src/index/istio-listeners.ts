import type { waypointpb } from '@ambit/api'
import type { ListenerInit } from '../compile/gateway-settings.ts'
import { intersectHosts, isEveryHost, isHost } from '../compile/hostnames.ts'
import { labelsMatch } from '../compile/labels-match.ts'
import { virtualHost } from '../compile/virtual-hosts.ts'
import { compileVirtualService } from '../compile/virtual-service.ts'
import type { Pod } from '../domain.types.ts'
import type { IstioGateway, IstioServer } from '../ingress.types.ts'
import type { VirtualService } from '../virtual-service.types.ts'
import { terminationOf } from './istio-termination.ts'
import type { MeshState } from './mesh-state.ts'
import { isOlder } from './policies-of-workload.ts'
import { targetPortsOf } from './router-ports.ts'
import type { Uses } from './uses.types.ts'
import { resolveDestination, virtualServicesOfGateway } from './virtual-services.ts'

const PLAIN: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB'])
/** On a Service: ports of Gateways are those of pods, whatever the Service says (Istio). */
const NO_TRANSLATION_LABEL = 'experimental.istio.io/disable-gateway-port-translation'

interface Router {
  readonly namespace: string
  readonly pods: readonly Pod[]
}

/** Who hears of what is found on the way. */
export interface ListenerSinks {
  readonly wants: (credential: string) => void
  /** What of a Gateway is not served, and why. */
  readonly note: (text: string) => void
  readonly uses: Uses
}

/** One server of a Gateway at one port of the pods. */
interface BoundServer {
  readonly gateway: IstioGateway
  readonly server: IstioServer
  readonly at: string
  readonly port: number
}

/**
 * Listeners of Istio's own Gateways that select the pods. Plain servers of a port are one listener, as their
 * VirtualServices are one table to Istio; one that redirects, and every one with TLS, stands alone.
 */
export function istioListeners(
  state: MeshState,
  router: Router,
  { wants, note, uses }: ListenerSinks,
): readonly ListenerInit[] {
  const groups: BoundServer[][] = []
  const plain = new Map<number, BoundServer[]>()
  for (const one of boundServers(state, router)) {
    const isPlain = PLAIN.has(one.server.protocol) && one.server.tls?.httpsRedirect !== true
    const table = isPlain ? plain.get(one.port) : undefined
    if (table !== undefined) {
      table.push(one)
      continue
    }
    const group = [one]
    groups.push(group)
    if (isPlain) plain.set(one.port, group)
  }
  return groups.flatMap((servers) => {
    const [first] = servers
    const { protocol, tls } = first?.server ?? NO_SERVER
    const say = (why: string): void =>
      note(`Gateway ${first?.gateway.namespace}/${first?.gateway.name}, port ${first?.server.port}: ${why}`)
    const listener = (more: Partial<ListenerInit>): readonly ListenerInit[] => [
      { ...listenerOf(state, router, servers, uses), ...more },
    ]
    if (PLAIN.has(protocol)) return listener(tls?.httpsRedirect === true ? { httpsRedirect: true } : {})
    if (protocol !== 'HTTPS') {
      say(`protocol ${protocol} is not served`)
      return []
    }
    const verdict = terminationOf(state, router.namespace, tls, wants, uses)
    for (const why of verdict.ok ? verdict.lacking : [verdict.why]) say(why)
    return verdict.ok ? listener({ tls: verdict.tls }) : []
  })
}

const NO_SERVER: Pick<IstioServer, 'protocol' | 'tls'> = { protocol: '', tls: undefined }

function boundServers(state: MeshState, { namespace, pods }: Router): readonly BoundServer[] {
  const inSight = state.mesh.gatewaysStayInNamespace === true ? state.istioGateways.in(namespace) : state.istioGateways
  const gateways = [...inSight].filter(({ selector }) => pods.some(({ labels }) => labelsMatch(selector, labels)))
  const services = [...state.services.in(namespace)].filter(({ labels }) => labels[NO_TRANSLATION_LABEL] === undefined)
  return gateways
    .sort((a, b) => (isOlder(a, b) ? -1 : 1))
    .flatMap((gateway) =>
      gateway.servers.flatMap((server, index) => {
        const targets = targetPortsOf(services, pods, server.port)
        return (targets.length === 0 ? [server.port] : targets).map((port) => ({
          gateway,
          server,
          at: `${gateway.namespace}.${gateway.name}.${index}`,
          port,
        }))
      }),
    )
}

function listenerOf(state: MeshState, router: Router, servers: readonly BoundServer[], uses: Uses): ListenerInit {
  const [first] = servers
  const hosts = servers.flatMap(({ server }) => server.hosts.map(({ host }) => host)).filter(isHost)
  return {
    name: `${first?.at}.${first?.port}`,
    port: first?.port ?? 0,
    hostnames: hosts.some(isEveryHost) ? [] : [...new Set(hosts)],
    virtualHosts: virtualHosts(state, router, servers, uses),
  }
}

/** For each host the routes of all VirtualServices that name it, oldest first; what takes everything ends them. */
function virtualHosts(
  state: MeshState,
  router: Router,
  servers: readonly BoundServer[],
  uses: Uses,
): waypointpb.VirtualHost[] {
  const routesOf = new Map<
    string,
    { readonly service: VirtualService; readonly routes: readonly waypointpb.Route[] }[]
  >()
  for (const { gateway, server } of servers) {
    const key = `${gateway.namespace}/${gateway.name}`
    for (const service of virtualServicesOfGateway(state, key, router.namespace, uses)) {
      const allowed = server.hosts.flatMap(({ namespace, host }) =>
        namespace === '*' || namespace === service.namespace ? [host] : [],
      )
      const hosts = allowed.length === 0 ? [] : intersectHosts(allowed, service.hosts).filter(isHost)
      if (hosts.length === 0) continue
      const routes = compileVirtualService(service, { gateway: key, port: server.port }, (ref) =>
        resolveDestination(state, ref, { client: router.namespace, port: server.port }, uses),
      )
      for (const host of hosts) {
        const there = routesOf.getOrInsertComputed(host, () => [])
        if (!there.some((one) => one.service === service)) there.push({ service, routes })
      }
    }
  }
  return [...routesOf].map(([host, found]) => {
    const inOrder = found.toSorted((a, b) => (isOlder(a.service, b.service) ? -1 : 1))
    return virtualHost(
      [host],
      inOrder.flatMap(({ routes }) => routes),
    )
  })
}
