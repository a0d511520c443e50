import { createHash } from 'node:crypto'
import type { KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import type { Endpoint, EndpointPort, EndpointSlice, Service, ServicePort } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf } from '../objects/object-cache.ts'
import type { Pod } from '../objects/pod.types.ts'
import { matchesLabels } from '../objects/selector.ts'
import type { ControllerComponents } from './components.types.ts'
import { isReady, ownerReference } from './ownership.ts'
import { WorkQueue } from './work-queue.ts'

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'
const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by'
const MANAGED_BY = 'endpointslice-controller.k8s.io'

/** Keeps the EndpointSlices of services that select pods. */
export class EndpointSliceController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: WorkQueue
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { caches, clock, logger } = components
    this.#queue = this.#stack.use(
      new WorkQueue({ name: 'endpointslice', logger, clock, reconcile: (key) => this.#reconcile(key) }),
    )
    this.#stack.use(caches.services.subscribe(({ object }) => this.#queue.add(keyOf(object))))
    this.#stack.use(
      caches.pods.subscribe(({ object, previous }) => {
        for (const service of caches.services.all()) {
          if (service.metadata.namespace !== object.metadata.namespace) continue
          if (selects(service, object) || (previous !== undefined && selects(service, previous)))
            this.#queue.add(keyOf(service))
        }
      }),
    )
    for (const service of caches.services.all()) this.#queue.add(keyOf(service))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const { caches, client } = this.#components
    const { items } = await client.list(GVR.endpointSlices, {
      namespace,
      labelSelector: `${SERVICE_NAME_LABEL}=${name}`,
    })
    const mine = (items as EndpointSlice[]).filter(({ metadata }) => metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY)
    const service = caches.services.get(namespace, name)
    const selecting = service !== undefined && Object.keys(service.spec.selector ?? {}).length > 0
    const wanted = service !== undefined && selecting ? slicesOf(service, caches.pods.all()) : []
    const names = new Set(wanted.map((slice) => slice.metadata.name))
    for (const slice of mine) {
      if (names.has(slice.metadata.name)) continue
      await client.delete(GVR.endpointSlices, namespace, slice.metadata.name ?? '').catch(ignoreMissing)
    }
    for (const slice of wanted) {
      const existing = mine.find(({ metadata }) => metadata.name === slice.metadata.name)
      if (existing === undefined) await client.create(GVR.endpointSlices, slice)
      else if (!sameContent(existing, slice)) {
        const { resourceVersion } = existing.metadata
        await client.update(GVR.endpointSlices, { ...slice, metadata: { ...slice.metadata, resourceVersion } })
      }
    }
  }
}

function ignoreMissing(error: unknown): void {
  if (!hasStatus(error, 404)) throw error
}

function selects(service: Service, pod: Pod): boolean {
  const selector = service.spec.selector ?? {}
  return Object.keys(selector).length > 0 && matchesLabels(selector, pod.metadata.labels)
}

function sameContent(a: EndpointSlice, b: KubeObject): boolean {
  const part = (slice: KubeObject): string =>
    JSON.stringify([slice['endpoints'] ?? [], slice['ports'] ?? [], slice.metadata.labels])
  return part(a) === part(b)
}

/** The slices of a service: one group per address family and per set of resolved ports (named ports differ between pods). */
export function slicesOf(service: Service, pods: Iterable<Pod>): KubeObject[] {
  const selected = [...pods]
    .filter((pod) => pod.metadata.namespace === service.metadata.namespace && selects(service, pod))
    .filter(
      (pod) =>
        pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed' && (pod.status?.podIPs?.length ?? 0) > 0,
    )
    .sort((a, b) => (a.metadata.name ?? '').localeCompare(b.metadata.name ?? ''))
  const families = service.spec.ipFamilies ?? ['IPv4']
  const headless = service.spec.clusterIP === 'None'
  return families.flatMap((family) => {
    const groups = new Map<string, { ports: EndpointPort[]; endpoints: Endpoint[] }>()
    for (const pod of selected) {
      const address = pod.status?.podIPs?.find(({ ip }) => ip.includes(':') === (family === 'IPv6'))?.ip
      if (address === undefined) continue
      const ports = (service.spec.ports ?? []).flatMap((port) => resolvePort(port, pod))
      const key = JSON.stringify(ports)
      const group = groups.get(key) ?? { ports, endpoints: [] }
      group.endpoints.push(endpointOf(service, pod, address))
      groups.set(key, group)
    }
    if (groups.size === 0) {
      const ports = (service.spec.ports ?? []).flatMap((port) =>
        typeof port.targetPort === 'string' ? [] : [endpointPort(port, port.targetPort || port.port)],
      )
      groups.set(JSON.stringify(ports), { ports, endpoints: [] })
    }
    return [...groups].flatMap(([key, group]) =>
      chunks(group.endpoints, LIMITS.endpointsPerSlice).map((endpoints, index) =>
        sliceObject(service, {
          family,
          headless,
          suffix: shortHash(`${family}${groups.size === 1 ? '' : key}${index}`),
          endpoints,
          ports: group.ports,
        }),
      ),
    )
  })
}

function sliceObject(
  service: Service,
  o: {
    readonly family: string
    readonly headless: boolean
    readonly suffix: string
    readonly endpoints: readonly Endpoint[]
    readonly ports: readonly EndpointPort[]
  },
): KubeObject {
  const { name, namespace } = service.metadata
  const labels = {
    ...service.metadata.labels,
    [SERVICE_NAME_LABEL]: name ?? '',
    [MANAGED_BY_LABEL]: MANAGED_BY,
    ...(o.headless ? { 'service.kubernetes.io/headless': '' } : {}),
  }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-${o.suffix}`, namespace, labels, ownerReferences: [ownerReference(service)] },
    addressType: o.family,
    endpoints: o.endpoints,
    ports: o.ports,
  }
}

function endpointOf(service: Service, pod: Pod, address: string): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const serving = isReady(pod)
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating)
  const { name, namespace, uid } = pod.metadata
  const hostname =
    pod.spec.hostname && pod.spec.subdomain === service.metadata.name ? { hostname: pod.spec.hostname } : {}
  const zone = pod.spec.nodeName?.replace(/^ambit-/, 'zone-')
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...hostname,
    nodeName: pod.spec.nodeName,
    targetRef: { kind: 'Pod', name, namespace, uid },
    ...(zone === undefined ? {} : { zone }),
  }
}

function resolvePort(port: ServicePort, pod: Pod): EndpointPort[] {
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

function chunks<T>(items: readonly T[], size: number): T[][] {
  if (items.length === 0) return [[]]
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 5)
}
