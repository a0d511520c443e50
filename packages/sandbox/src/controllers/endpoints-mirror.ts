import type { KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import type { Endpoint, EndpointSlice } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf } from '../objects/object-cache.ts'
import type { Endpoints, EndpointsAddress } from '../objects/workloads.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { MANAGED_BY_LABEL, SERVICE_NAME_LABEL, sameContent, shortHash } from './endpoint-slices-of.ts'
import { ownerReference } from './ownership.ts'
import { WorkQueue } from './work-queue.ts'

const MANAGED_BY = 'endpointslicemirroring-controller.k8s.io'
/** On Endpoints whose slices somebody else keeps. */
export const SKIP_MIRROR_LABEL = 'endpointslice.kubernetes.io/skip-mirror'
const LEADER = 'control-plane.alpha.kubernetes.io/leader'

/** Copies Endpoints that somebody wrote for a service without a selector into EndpointSlices, which all others read. */
export class EndpointsMirror implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: WorkQueue
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { caches, clock, logger } = components
    const reconcile = (key: string): Promise<void> => this.#reconcile(key)
    const spacingMs = LIMITS.controllerSpacingMs
    this.#queue = this.#stack.use(new WorkQueue({ name: 'endpoints-mirror', logger, clock, spacingMs, reconcile }))
    for (const cache of [caches.endpoints, caches.services]) {
      this.#stack.use(cache.subscribe(({ object }: { object: KubeObject }) => this.#queue.add(keyOf(object))))
      for (const object of cache.all()) this.#queue.add(keyOf(object))
    }
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace, name = ''] = key.split('/')
    const { caches, client } = this.#components
    const endpoints = caches.endpoints.get(namespace, name)
    const service = caches.services.get(namespace, name)
    // Slices of Endpoints that are gone go with them.
    if (endpoints === undefined) return
    const selecting = Object.keys(service?.spec.selector ?? {}).length > 0
    const wanted = service === undefined || selecting || isSkipped(endpoints) ? [] : mirrored(endpoints)
    const mine = caches.endpointSlices
      .controlledBy(endpoints.metadata.uid)
      .filter(({ metadata }) => metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY)
    for (const slice of mine) {
      if (wanted.some(({ metadata }) => metadata.name === slice.metadata.name)) continue
      await client.delete(GVR.endpointSlices, namespace, slice.metadata.name ?? '').catch((error: unknown) => {
        if (!hasStatus(error, 404)) throw error
      })
      caches.endpointSlices.noteGone(slice)
    }
    for (const slice of wanted) {
      const existing = mine.find(({ metadata }) => metadata.name === slice.metadata.name)
      if (existing !== undefined && sameContent(existing, slice)) continue
      const { resourceVersion } = existing?.metadata ?? {}
      const written =
        existing === undefined
          ? await client.create(GVR.endpointSlices, slice)
          : await client.update(GVR.endpointSlices, { ...slice, metadata: { ...slice.metadata, resourceVersion } })
      caches.endpointSlices.note(written as EndpointSlice)
    }
  }
}

function isSkipped({ metadata }: Endpoints): boolean {
  return metadata.labels?.[SKIP_MIRROR_LABEL] === 'true' || metadata.annotations?.[LEADER] !== undefined
}

/** The slices that say what Endpoints do: one per subset and family. */
export function mirrored(endpoints: Endpoints): EndpointSlice[] {
  const { labels, name = '', namespace } = endpoints.metadata
  return (endpoints.subsets ?? []).flatMap((subset, i) =>
    (['IPv4', 'IPv6'] as const).flatMap((family) => {
      const isOf = ({ ip }: EndpointsAddress): boolean => ip.includes(':') === (family === 'IPv6')
      const all: Endpoint[] = [
        ...(subset.addresses ?? []).filter(isOf).map((address) => endpoint(address, true)),
        ...(subset.notReadyAddresses ?? []).filter(isOf).map((address) => endpoint(address, false)),
      ].slice(0, LIMITS.addressesPerEndpoints)
      if (all.length === 0) return []
      return [
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: {
            name: `${name}-${shortHash(`mirror${family}${i}`)}`,
            namespace,
            labels: { ...labels, [SERVICE_NAME_LABEL]: name, [MANAGED_BY_LABEL]: MANAGED_BY },
            ownerReferences: [ownerReference(endpoints)],
          },
          addressType: family,
          endpoints: all,
          ports: (subset.ports ?? []).map((port) => ({
            ...port,
            name: port.name ?? '',
            protocol: port.protocol ?? 'TCP',
          })),
        },
      ]
    }),
  )
}

function endpoint(address: EndpointsAddress, ready: boolean): Endpoint {
  const { hostname, ip, nodeName, targetRef } = address
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef: { kind: 'Pod', ...targetRef } }),
  }
}
