import type { Ip, SocketAddress } from '@ambit/core'
import {
  type Direct,
  endpointCandidates,
  preferred,
  resolveWorkload,
  type SelectedEndpoint,
  type Service,
  servicePortChoice,
  type Workload,
  type WorkloadLookup,
} from '@ambit/state'
import type { Arrival } from './leg.types.ts'

export function directArrival({ workload, to, authority, protocol }: Direct, via: string = ''): Arrival {
  const isTunnelled = authority !== undefined && protocol === 'HBONE'
  return {
    workload,
    destination: authority ?? to,
    transport: isTunnelled ? 'hbone' : 'plain',
    because: isTunnelled
      ? `an endpoint${via}: encrypted and authenticated, its pod is captured`
      : `an endpoint${via}: plain text`,
  }
}

/** All endpoints of a service that a proxy of the source might choose; of a subset, its members alone. */
export function usableEndpoints(
  lookup: WorkloadLookup,
  source: Workload,
  service: Service,
  servicePort: number,
  isMember: (endpoint: SelectedEndpoint) => boolean = () => true,
): readonly SelectedEndpoint[] {
  if (!service.ports.has(servicePort)) return []
  const portOf = servicePortChoice(service, servicePort)
  const all = endpointCandidates(lookup, { source, service, servicePort, portOf })
  return preferred(all.filter(isMember), source, service.loadBalancing)
}

/** How each of them is reached; one that has only a name is left out. */
export function arrivalsAt(
  endpoints: readonly SelectedEndpoint[],
  { source, service, asked }: { readonly source: Workload; readonly service: Service; readonly asked: Ip },
  via: string = '',
): readonly Arrival[] {
  return endpoints.flatMap((one) => {
    const resolved = resolveWorkload({ ...one, asked, source, service })
    return resolved.kind === 'direct' ? [directArrival(resolved, via)] : []
  })
}

/** What a ztunnel might choose, the endpoint it chose first. */
export function ztunnelArrivals(
  lookup: WorkloadLookup,
  source: Workload,
  chosen: Direct,
  asked: SocketAddress,
): readonly Arrival[] {
  const { service, workload } = chosen
  if (service === undefined) return [directArrival(chosen)]
  const others = usableEndpoints(lookup, source, service, asked.port).filter((one) => one.workload.uid !== workload.uid)
  return [directArrival(chosen), ...arrivalsAt(others, { source, service, asked: asked.ip })]
}

const PLAIN = 'plain text: nobody takes the client’s connections'

/** What the service proxy of a node might choose, or the one workload that was addressed. */
export function plainArrivals(endpoints: readonly SelectedEndpoint[]): readonly Arrival[] {
  return endpoints.flatMap(({ workload, port }): readonly Arrival[] => {
    const [ip] = workload.ips
    return ip === undefined ? [] : [{ workload, destination: { ip, port }, transport: 'plain', because: PLAIN }]
  })
}

export function plainArrival(workload: Workload, destination: SocketAddress): Arrival {
  return { workload, destination, transport: 'plain', because: PLAIN }
}
