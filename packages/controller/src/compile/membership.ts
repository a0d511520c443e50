import type { EndpointSlice, KubeService, Pod, ServiceEntry, WorkloadSpec } from '../domain.types.ts'

export interface PortPair {
  readonly servicePort: number
  readonly targetPort: number
}

/** One service a workload belongs to, with the ports it serves it on. */
export interface ServiceMembership {
  /** `namespace/hostname`. */
  readonly key: string
  readonly ports: readonly PortPair[]
}

/** A named target port that no container has is left out: the workload does not serve it. */
export function podInService(pod: Pick<Pod, 'ports'>, service: KubeService): ServiceMembership {
  const ports = service.ports.flatMap(({ port, target, protocol }) => {
    if (typeof target === 'number') return [{ servicePort: port, targetPort: target }]
    const found = pod.ports.find((container) => container.name === target && container.protocol === protocol)
    return found === undefined ? [] : [{ servicePort: port, targetPort: found.port }]
  })
  return { key: `${service.namespace}/${service.hostname}`, ports }
}

/** Selector-less Service whose slice names this pod: the slice knows the ports. */
export function podInSlice(service: KubeService, slice: EndpointSlice): ServiceMembership {
  const ports = service.ports.flatMap(({ name, port }) => {
    const found = slice.ports.find((candidate) => candidate.name === name)
    return found === undefined ? [] : [{ servicePort: port, targetPort: found.port }]
  })
  return { key: `${service.namespace}/${service.hostname}`, ports }
}

export function podInServiceEntry(pod: Pick<Pod, 'ports'>, entry: ServiceEntry): readonly ServiceMembership[] {
  const ports = entry.ports.map(({ name, port, target }) => {
    const named = name === '' ? undefined : pod.ports.find((container) => container.name === name)
    return { servicePort: port, targetPort: named?.port ?? target ?? port }
  })
  return entry.hosts.map((host) => ({ key: `${entry.namespace}/${host}`, ports }))
}

/** Ports of a WorkloadEntry or inline endpoint: its own map by name, else the ServiceEntry's target port. */
export function externalInServiceEntry(
  workload: Pick<WorkloadSpec, 'ports'>,
  entry: ServiceEntry,
): readonly ServiceMembership[] {
  const ports = entry.ports.map(({ name, port, target }) => ({
    servicePort: port,
    targetPort: workload.ports[name] ?? target ?? port,
  }))
  return entry.hosts.map((host) => ({ key: `${entry.namespace}/${host}`, ports }))
}

/** A Service that selects a WorkloadEntry: its map by target port name, else by port name, else the number. */
export function externalInService(workload: Pick<WorkloadSpec, 'ports'>, service: KubeService): ServiceMembership {
  const ports = service.ports.flatMap(({ name, port, target }) => {
    const mapped = typeof target === 'string' ? (workload.ports[target] ?? workload.ports[name]) : workload.ports[name]
    const targetPort = mapped ?? (typeof target === 'number' ? target : undefined)
    return targetPort === undefined ? [] : [{ servicePort: port, targetPort }]
  })
  return { key: `${service.namespace}/${service.hostname}`, ports }
}

/** Several reasons to belong to one service make one membership: the first. */
export function uniqueMemberships(all: readonly ServiceMembership[]): readonly ServiceMembership[] {
  const byKey = new Map<string, ServiceMembership>()
  for (const membership of all) if (!byKey.has(membership.key)) byKey.set(membership.key, membership)
  return [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}
