import { TYPE_URLS } from '@ambit/api'
import type { ResourceChange, ResourceSource, XdsResource } from '@ambit/xds'

const WORKLOAD_FIELD_TAG = 0x0a

/**
 * Serves the Workload type out of Address resources: the union's first field, taken out of its envelope. Services have
 * no place in it.
 */
export class WorkloadView implements ResourceSource {
  readonly #inner: ResourceSource

  constructor(inner: ResourceSource) {
    this.#inner = inner
  }

  snapshot(typeUrl: string): ReadonlyMap<string, XdsResource> {
    if (typeUrl !== TYPE_URLS.workload) return this.#inner.snapshot(typeUrl)
    const workloads = new Map<string, XdsResource>()
    for (const [name, resource] of this.#inner.snapshot(TYPE_URLS.address)) {
      const workload = unwrap(resource)
      if (workload !== undefined) workloads.set(name, workload)
    }
    return workloads
  }

  lookup(typeUrl: string, nameOrAlias: string): XdsResource | undefined {
    if (typeUrl !== TYPE_URLS.workload) return this.#inner.lookup(typeUrl, nameOrAlias)
    const found = this.#inner.lookup(TYPE_URLS.address, nameOrAlias)
    return found === undefined ? undefined : unwrap(found)
  }

  /** Whoever asks for workloads only is told of no service that could have some. */
  related(typeUrl: string, resource: XdsResource): Iterable<XdsResource> {
    return typeUrl === TYPE_URLS.workload ? [] : (this.#inner.related?.(typeUrl, resource) ?? [])
  }

  subscribe(listener: (typeUrl: string, change: ResourceChange) => void): Disposable {
    return this.#inner.subscribe((typeUrl, change) => {
      listener(typeUrl, change)
      if (typeUrl !== TYPE_URLS.address) return
      const upserts = change.upserts.flatMap((resource) => unwrap(resource) ?? [])
      listener(TYPE_URLS.workload, { ...change, upserts })
    })
  }
}

/** The bytes behind tag and length; undefined when the envelope holds a service. */
function unwrap(resource: XdsResource): XdsResource | undefined {
  const { bytes } = resource
  if (bytes[0] !== WORKLOAD_FIELD_TAG) return undefined
  let at = 1
  while (((bytes[at] ?? 0) & 0x80) !== 0) at++
  return { ...resource, bytes: bytes.subarray(at + 1) }
}
