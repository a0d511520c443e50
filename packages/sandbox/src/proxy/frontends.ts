import { SERVICE_NAME_LABEL } from '../controllers/endpoint-slice.ts'
import type { EndpointSlice, Service, ServicePort } from '../objects/cluster.types.ts'

export interface Target {
  readonly ip: string
  readonly port: number
  readonly node: string | undefined
}

export type Protocol = 'tcp' | 'udp'

/** One port of a service in one address family: who serves it, and under which destinations it is asked for. */
export interface ServingPort {
  /** Namespace, service, port and family: stays while the service does. */
  readonly key: string
  readonly six: boolean
  readonly protocol: Protocol
  readonly port: number
  readonly targets: readonly Target[]
  readonly clusterIp: string | undefined
  /** Addresses besides the cluster's own that lead here. */
  readonly externalIps: readonly string[]
  readonly nodePort: number | undefined
  /** Only endpoints of the node that translates, by where the client asks from. */
  readonly internalLocal: boolean
  readonly externalLocal: boolean
  /** Seconds for which a client stays with its endpoint; undefined without affinity. */
  readonly affinitySeconds: number | undefined
}

/** What the service proxy translates, in a stable order. */
export function servingPorts(services: Iterable<Service>, slices: Iterable<EndpointSlice>): ServingPort[] {
  const byService = Map.groupBy(
    slices,
    ({ metadata }) => `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME_LABEL]}`,
  )
  const serving: ServingPort[] = []
  for (const service of services) {
    const own = byService.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? []
    for (const six of [false, true]) {
      const clusterIp = clusterIps(service).find((ip) => ip.includes(':') === six)
      if (clusterIp === undefined) continue
      for (const port of service.spec.ports ?? []) {
        const one = servingPort(service, port, own, clusterIp)
        if (one !== undefined) serving.push(one)
      }
    }
  }
  return serving.sort((a, b) => (a.key < b.key ? -1 : 1))
}

function clusterIps({ spec }: Service): readonly string[] {
  if (spec.type === 'ExternalName') return []
  const addresses = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])
  return addresses.filter((ip) => ip !== 'None' && ip !== '')
}

function servingPort(
  service: Service,
  port: ServicePort,
  slices: readonly EndpointSlice[],
  clusterIp: string,
): ServingPort | undefined {
  const { metadata, spec } = service
  const protocol = (port.protocol ?? 'TCP').toLowerCase()
  if (protocol !== 'tcp' && protocol !== 'udp') return undefined
  const six = clusterIp.includes(':')
  // An address that only names a proxy elsewhere is not ours to answer (ipMode Proxy).
  const balanced = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
    ip !== undefined && ipMode !== 'Proxy' ? [ip] : [],
  )
  const affinity = spec.sessionAffinity === 'ClientIP'
  return {
    key: `${metadata.namespace}/${metadata.name}:${protocol}:${port.port}:${six ? 6 : 4}`,
    six,
    protocol,
    port: port.port,
    targets: targetsOf(slices, { family: six ? 'IPv6' : 'IPv4', name: port.name ?? '', protocol }),
    clusterIp,
    externalIps: [...new Set([...(spec.externalIPs ?? []), ...balanced])].filter((ip) => ip.includes(':') === six),
    nodePort: port.nodePort,
    internalLocal: spec.internalTrafficPolicy === 'Local',
    externalLocal: spec.externalTrafficPolicy === 'Local',
    affinitySeconds: affinity ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : undefined,
  }
}

function targetsOf(
  slices: readonly EndpointSlice[],
  o: { readonly family: string; readonly name: string; readonly protocol: string },
): Target[] {
  const pick = (
    test: (conditions: { ready?: boolean; serving?: boolean; terminating?: boolean }) => boolean,
  ): Target[] =>
    slices
      .filter((slice) => slice.addressType === o.family)
      .flatMap((slice) => {
        const port = slice.ports?.find(
          ({ name, protocol }) => (name ?? '') === o.name && (protocol ?? 'TCP').toLowerCase() === o.protocol,
        )?.port
        if (port === undefined) return []
        const endpoints = (slice.endpoints ?? []).filter(({ conditions }) => test(conditions ?? {}))
        return endpoints.flatMap(({ addresses, nodeName }) =>
          addresses.slice(0, 1).map((ip) => ({ ip, port, node: nodeName })),
        )
      })
  const ready = pick((conditions) => conditions.ready !== false)
  // With none ready, those still serving while they end are better than nobody (kube-proxy).
  return ready.length > 0 ? ready : pick((conditions) => conditions.serving === true && conditions.terminating === true)
}
