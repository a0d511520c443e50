import { createHash } from 'node:crypto'
import type { KubeObject } from '../apiserver/contract.types.ts'
import { LIMITS } from '../limits.ts'
import type { Endpoint, EndpointPort, EndpointSlice, Service, ServicePort } from '../objects/cluster.types.ts'
import type { Pod } from '../objects/pod.types.ts'
import { matchesLabels } from '../objects/selector.ts'
import { isEnded, isReady, ownerReference } from './ownership.ts'

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by'
export const HEADLESS_LABEL = 'service.kubernetes.io/headless'
export const MANAGED_BY = 'endpointslice-controller.k8s.io'

export type ZoneOf = (node: string) => string | undefined

/** Whether the endpoints of a service are pods that it selects, and not somebody else's business. */
export function isSelecting(service: Service): boolean {
  return Object.keys(service.spec.selector ?? {}).length > 0 && service.spec.type !== 'ExternalName'
}

export function selects(service: Service, pod: Pod): boolean {
  return isSelecting(service) && matchesLabels(service.spec.selector ?? {}, pod.metadata.labels)
}

/** Pods of a service that have an address and haven't ended, by name. */
export function endpointPods(service: Service, pods: Iterable<Pod>): readonly Pod[] {
  return [...pods]
    .filter((pod) => pod.metadata.namespace === service.metadata.namespace && selects(service, pod))
    .filter((pod) => !isEnded(pod) && (pod.status?.podIPs?.length ?? 0) > 0)
    .sort((a, b) => (a.metadata.name ?? '').localeCompare(b.metadata.name ?? ''))
}

/** An address of a pod of that family. */
export function addressOf(pod: Pod, family: string): string | undefined {
  return pod.status?.podIPs?.find(({ ip }) => ip.includes(':') === (family === 'IPv6'))?.ip
}

interface Group {
  readonly family: string
  readonly ports: readonly EndpointPort[]
  readonly endpoints: Endpoint[]
}

/**
 * The slices of a service: one group per address family and per set of resolved ports (named ports differ between pods).
 * Endpoints stay in the slices where they are, so that a change of one touches one slice.
 */
export function slicesOf(
  service: Service,
  pods: Iterable<Pod>,
  existing: readonly EndpointSlice[] = [],
  zoneOf: ZoneOf = () => undefined,
): EndpointSlice[] {
  const taken = new Set<string>()
  return groupsOf(service, endpointPods(service, pods), zoneOf).flatMap((group) => {
    const key = JSON.stringify(group.ports)
    const present = existing.filter(
      ({ addressType, ports = [] }) => addressType === group.family && JSON.stringify(ports) === key,
    )
    const free = (): string => {
      for (let n = 0; ; n++) {
        const name = `${service.metadata.name}-${shortHash(`${group.family}${key}${n}`)}`
        if (!taken.has(name) && !existing.some(({ metadata }) => metadata.name === name)) return name
      }
    }
    return distribute(group.endpoints, present).map(({ endpoints, name = free() }) => {
      taken.add(name)
      return sliceObject(service, name, group, endpoints)
    })
  })
}

function groupsOf(service: Service, pods: readonly Pod[], zoneOf: ZoneOf): readonly Group[] {
  return (service.spec.ipFamilies ?? ['IPv4']).flatMap((family) => {
    const groups = new Map<string, Group>()
    for (const pod of pods) {
      const address = addressOf(pod, family)
      if (address === undefined) continue
      const ports = (service.spec.ports ?? []).flatMap((port) => resolvePort(port, pod))
      const key = JSON.stringify(ports)
      const group = groups.get(key) ?? { family, ports, endpoints: [] }
      group.endpoints.push(endpointOf(service, pod, address, zoneOf))
      groups.set(key, group)
    }
    if (groups.size > 0) return [...groups.values()]
    // A service that nobody serves has one empty slice, which says so.
    const ports = (service.spec.ports ?? []).flatMap((port) =>
      typeof port.targetPort === 'string' ? [] : [endpointPort(port, port.targetPort || port.port)],
    )
    return [{ family, ports, endpoints: [] }]
  })
}

interface Share {
  /** Absent for a slice that is new. */
  readonly name: string | undefined
  readonly endpoints: readonly Endpoint[]
}

function distribute(endpoints: readonly Endpoint[], present: readonly EndpointSlice[]): readonly Share[] {
  const waiting = new Map(endpoints.map((endpoint) => [endpoint.targetRef?.uid, endpoint]))
  const kept = present.map(({ endpoints: old = [], metadata }) => {
    const here = old.flatMap(({ targetRef }) => {
      const wanted = waiting.get(targetRef?.uid)
      waiting.delete(targetRef?.uid)
      return wanted === undefined ? [] : [wanted]
    })
    return { name: metadata.name, endpoints: here }
  })
  const rest = [...waiting.values()]
  const shares: Share[] = kept
    // The fullest first: what is nearly empty is emptied rather than filled.
    .toSorted((a, b) => b.endpoints.length - a.endpoints.length)
    .map(({ endpoints: here, name }) => {
      const room = LIMITS.endpointsPerSlice - here.length
      return { name, endpoints: [...here, ...rest.splice(0, room)] }
    })
    .filter((share) => share.endpoints.length > 0)
  while (rest.length > 0) shares.push({ name: undefined, endpoints: rest.splice(0, LIMITS.endpointsPerSlice) })
  if (shares.length === 0) shares.push({ name: present[0]?.metadata.name, endpoints: [] })
  return shares
}

function sliceObject(service: Service, name: string, group: Group, endpoints: readonly Endpoint[]): EndpointSlice {
  const labels = {
    ...service.metadata.labels,
    [SERVICE_NAME_LABEL]: service.metadata.name ?? '',
    [MANAGED_BY_LABEL]: MANAGED_BY,
    ...(service.spec.clusterIP === 'None' ? { [HEADLESS_LABEL]: '' } : {}),
  }
  const { namespace } = service.metadata
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels, ownerReferences: [ownerReference(service)] },
    addressType: group.family === 'IPv6' ? 'IPv6' : 'IPv4',
    endpoints,
    ports: group.ports,
  }
}

/** Whether a slice that exists says what it is to say. */
export function sameContent(a: KubeObject, b: KubeObject): boolean {
  const part = (slice: KubeObject): string =>
    JSON.stringify([slice['endpoints'] ?? [], slice['ports'] ?? [], slice.metadata.labels])
  return part(a) === part(b)
}

function endpointOf(service: Service, pod: Pod, address: string, zoneOf: ZoneOf): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const serving = isReady(pod)
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating)
  const { name, namespace, uid } = pod.metadata
  const hostname =
    pod.spec.hostname && pod.spec.subdomain === service.metadata.name ? { hostname: pod.spec.hostname } : {}
  const zone = zoneOf(pod.spec.nodeName ?? '')
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...hostname,
    nodeName: pod.spec.nodeName,
    targetRef: { kind: 'Pod', name, namespace, uid },
    ...(zone === undefined ? {} : { zone }),
  }
}

/** The port of a pod that a service's port leads to; none when it names one that the pod hasn't. */
export function resolvePort(port: ServicePort, pod: Pod): EndpointPort[] {
  const target = port.targetPort
  if (typeof target !== 'string') return [endpointPort(port, target || port.port)]
  if (/^\d+$/.test(target)) return [endpointPort(port, Number(target))]
  for (const container of pod.spec.containers) {
    const found = container.ports?.find(
      (one) => one.name === target && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )
    if (found !== undefined) return [endpointPort(port, found.containerPort)]
  }
  return []
}

function endpointPort(port: ServicePort, number: number): EndpointPort {
  const { appProtocol } = port
  return {
    name: port.name ?? '',
    port: number,
    protocol: port.protocol ?? 'TCP',
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }
}

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 5)
}
