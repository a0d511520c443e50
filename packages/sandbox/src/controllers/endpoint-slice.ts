import type { KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import type { EndpointSlice, Service } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf } from '../objects/object-cache.ts'
import type { Pod } from '../objects/pod.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { isSelecting, MANAGED_BY, MANAGED_BY_LABEL, sameContent, selects, slicesOf } from './endpoint-slices-of.ts'
import { endpointsOf } from './endpoints-of.ts'
import { controllerOf, isEnded, isReady } from './ownership.ts'
import { WorkQueue } from './work-queue.ts'

export { SERVICE_NAME_LABEL } from './endpoint-slices-of.ts'

const ZONE = 'topology.kubernetes.io/zone'

/** Keeps the EndpointSlices of services that select pods, and the Endpoints object of each for old clients. */
export class EndpointSliceController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: WorkQueue
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { caches, clock, logger } = components
    this.#queue = this.#stack.use(
      new WorkQueue({
        name: 'endpointslice',
        logger,
        clock,
        spacingMs: LIMITS.controllerSpacingMs,
        reconcile: (key) => this.#reconcile(key),
      }),
    )
    this.#stack.use(caches.services.subscribe(({ object }) => this.#queue.add(keyOf(object))))
    this.#stack.use(
      caches.pods.subscribe(({ type, object, previous }) => {
        if (type === 'MODIFIED' && previous !== undefined && sameEndpoint(previous, object)) return
        for (const service of caches.services.inNamespace(object.metadata.namespace))
          if (selects(service, object) || (previous !== undefined && selects(service, previous)))
            this.#queue.add(keyOf(service))
      }),
    )
    // What somebody else takes away or changes is put right.
    this.#stack.use(
      caches.endpointSlices.subscribe(({ object }) => {
        const owner = controllerOf(object)
        if (owner?.kind === 'Service' && isOurs(object)) this.#queue.add(`${object.metadata.namespace}/${owner.name}`)
      }),
    )
    this.#stack.use(
      caches.endpoints.subscribe(({ object }) => {
        const service = caches.services.get(object.metadata.namespace, object.metadata.name ?? '')
        if (service !== undefined && isSelecting(service)) this.#queue.add(keyOf(service))
      }),
    )
    for (const service of caches.services.all()) this.#queue.add(keyOf(service))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace, name = ''] = key.split('/')
    const { caches, client } = this.#components
    const service = caches.services.get(namespace, name)
    // The slices of a service that is gone go with it; its Endpoints have no owner (Kubernetes).
    if (service === undefined) return await this.#removeEndpoints(namespace, name)
    if (!isSelecting(service)) return
    const pods = caches.pods.inNamespace(namespace)
    const mine = caches.endpointSlices.controlledBy(service.metadata.uid).filter(isOurs)
    const zoneOf = (node: string): string | undefined => caches.nodes.get(undefined, node)?.metadata.labels?.[ZONE]
    const wanted = slicesOf(service, pods, mine, zoneOf)
    for (const slice of mine) {
      if (wanted.some(({ metadata }) => metadata.name === slice.metadata.name)) continue
      const { name: sliceName = '' } = slice.metadata
      await client.delete(GVR.endpointSlices, namespace, sliceName).catch(ignoreMissing)
      caches.endpointSlices.noteGone(slice)
    }
    for (const slice of wanted) {
      const existing = mine.find(({ metadata }) => metadata.name === slice.metadata.name)
      if (existing === undefined) this.#note(await client.create(GVR.endpointSlices, slice))
      else if (!sameContent(existing, slice)) {
        const { resourceVersion } = existing.metadata
        const changed = { ...slice, metadata: { ...slice.metadata, resourceVersion } }
        this.#note(await client.update(GVR.endpointSlices, changed))
      }
    }
    await this.#keepEndpoints(service, endpointsOf(service, pods))
  }

  #note(slice: KubeObject): void {
    this.#components.caches.endpointSlices.note(slice as EndpointSlice)
  }

  async #keepEndpoints(service: Service, wanted: KubeObject): Promise<void> {
    const { caches, client } = this.#components
    const { name = '', namespace } = service.metadata
    const existing = caches.endpoints.get(namespace, name)
    if (existing === undefined) {
      caches.endpoints.note(await client.create(GVR.endpoints, wanted))
      return
    }
    const text = (object: KubeObject): string => JSON.stringify([object['subsets'] ?? [], object.metadata.labels])
    if (text(existing) === text(wanted)) return
    const { annotations, resourceVersion } = existing.metadata
    const metadata = {
      ...wanted.metadata,
      annotations: { ...annotations, ...wanted.metadata.annotations },
      resourceVersion,
    }
    caches.endpoints.note(await client.update(GVR.endpoints, { ...wanted, metadata }))
  }

  async #removeEndpoints(namespace: string | undefined, name: string): Promise<void> {
    const { caches, client } = this.#components
    const left = caches.endpoints.get(namespace, name)
    if (left === undefined) return
    await client.delete(GVR.endpoints, namespace, name).catch(ignoreMissing)
    caches.endpoints.noteGone(left)
  }
}

function isOurs(slice: EndpointSlice): boolean {
  return slice.metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY
}

function ignoreMissing(error: unknown): void {
  if (!hasStatus(error, 404)) throw error
}

/** Whether a change of a pod is none that its endpoints show. */
function sameEndpoint(before: Pod, after: Pod): boolean {
  const facts = (pod: Pod): string =>
    JSON.stringify([
      pod.metadata.uid,
      pod.metadata.deletionTimestamp === undefined,
      pod.spec.nodeName,
      pod.status?.podIPs,
      isReady(pod),
      isEnded(pod),
      pod.metadata.labels,
    ])
  return facts(before) === facts(after)
}
