import { waypointpb } from '@ambit/api'
import type { ListenerInit } from '../compile/gateway-settings.ts'
import { intersectHosts, isEveryHost, isHost } from '../compile/hostnames.ts'
import { labelsMatch } from '../compile/labels-match.ts'
import { CLIENT_CA_SUFFIX } from '../compile/listener.ts'
import { virtualHost } from '../compile/virtual-hosts.ts'
import { compileVirtualService } from '../compile/virtual-service.ts'
import type { Pod } from '../domain.types.ts'
import type { IstioGateway, IstioServer, ServerTls } from '../ingress.types.ts'
import type { VirtualService } from '../virtual-service.types.ts'
import { credentialName } from './credentials.ts'
import { credentialKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOlder } from './policies-of-workload.ts'
import { targetPortsOf } from './router-ports.ts'
import type { Uses } from './uses.types.ts'
import { resolveDestination, virtualServicesOfGateway } from './virtual-services.ts'

const { ClientCertificates, TlsVersion } = waypointpb

const PLAIN: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB'])
/** On a Service: ports of Gateways are those of pods, whatever the Service says (Istio). */
const NO_TRANSLATION_LABEL = 'experimental.istio.io/disable-gateway-port-translation'

interface Router {
  readonly namespace: string
  readonly pods: readonly Pod[]
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
  wants: (credential: string) => void,
  uses: Uses,
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
    const { protocol, tls } = servers[0]?.server ?? NO_SERVER
    const listener = (more: Partial<ListenerInit>): readonly ListenerInit[] => [
      { ...listenerOf(state, router, servers, uses), ...more },
    ]
    if (PLAIN.has(protocol)) return listener(tls?.httpsRedirect === true ? { httpsRedirect: true } : {})
    const termination = protocol === 'HTTPS' ? terminationOf(state, router.namespace, tls, wants, uses) : undefined
    return termination === undefined ? [] : listener({ tls: termination })
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

const VERSIONS: Readonly<Record<string, waypointpb.TlsVersion>> = {
  TLSV1_2: TlsVersion.TLS_1_2,
  TLSV1_3: TlsVersion.TLS_1_3,
}
const CLIENTS: Readonly<Record<string, waypointpb.ClientCertificates>> = {
  SIMPLE: ClientCertificates.NO_CLIENT_CERTIFICATE,
  MUTUAL: ClientCertificates.REQUIRED_CLIENT_CERTIFICATE,
  OPTIONAL_MUTUAL: ClientCertificates.OPTIONAL_CLIENT_CERTIFICATE,
}

/** Undefined: what it asks for is not served. Secrets are those of the pods' namespace, and of no other (Istio). */
function terminationOf(
  state: MeshState,
  namespace: string,
  tls: ServerTls | undefined,
  wants: (credential: string) => void,
  uses: Uses,
): (ListenerInit['tls'] & object) | undefined {
  const clientCertificates = CLIENTS[tls?.mode ?? '']
  const [first] = tls?.credentialNames ?? []
  if (tls === undefined || clientCertificates === undefined || first === undefined) return undefined
  if (!tls.credentialNames.every(isSecretName)) return undefined
  const want = (name: string): string => {
    const credential = credentialName(namespace, name)
    wants(credential)
    uses(credentialKey(namespace, name))
    return credential
  }
  const credentials = tls.credentialNames.map(want)
  const asks = clientCertificates !== ClientCertificates.NO_CLIENT_CERTIFICATE
  if (asks && tls.caCredentialName !== '' && !isSecretName(tls.caCredentialName)) return undefined
  return {
    credentials,
    clientCertificates,
    clientAuthorities: asks ? [authoritiesOf(state, namespace, tls, first, want)] : [],
    clientSubjectAltNames: asks ? [...tls.subjectAltNames] : [],
    minVersion: VERSIONS[tls.minVersion] ?? TlsVersion.TLS_DEFAULT,
    maxVersion: VERSIONS[tls.maxVersion] ?? TlsVersion.TLS_DEFAULT,
  }
}

/** The Secret named for it, else the server's own if it holds any, else the one beside it. */
function authoritiesOf(
  state: MeshState,
  namespace: string,
  { caCredentialName }: ServerTls,
  first: string,
  want: (name: string) => string,
): string {
  if (caCredentialName !== '') return want(caCredentialName)
  if (state.credentials.get(namespace, first)?.caProblem === undefined && state.credentials.get(namespace, first))
    return credentialName(namespace, first)
  return want(`${first}${CLIENT_CA_SUFFIX}`)
}

/** A name with a slash would be one of another namespace. */
function isSecretName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)
}
