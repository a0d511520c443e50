import { SERVICE_NAME_LABEL } from '../controllers/endpoint-slice.ts'
import type { EndpointSlice } from './cluster.types.ts'
import { keyOf, type ObjectCache } from './object-cache.ts'

/** EndpointSlices by their service, for whoever asks per query or per connection. */
export class SliceIndex implements Disposable {
  readonly #byService = new Map<string, Map<string, EndpointSlice>>()
  readonly #subscription: Disposable

  constructor(slices: ObjectCache<EndpointSlice>) {
    for (const slice of slices.all()) this.#put(slice)
    this.#subscription = slices.subscribe(({ type, object, previous }) => {
      if (previous !== undefined) this.#remove(previous)
      if (type !== 'DELETED') this.#put(object)
    })
  }

  of(namespace: string, service: string): Iterable<EndpointSlice> {
    return this.#byService.get(`${namespace}/${service}`)?.values() ?? []
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  #put(slice: EndpointSlice): void {
    const key = serviceOf(slice)
    const slices = this.#byService.get(key) ?? new Map<string, EndpointSlice>()
    this.#byService.set(key, slices.set(keyOf(slice), slice))
  }

  #remove(slice: EndpointSlice): void {
    const key = serviceOf(slice)
    const slices = this.#byService.get(key)
    slices?.delete(keyOf(slice))
    if (slices?.size === 0) this.#byService.delete(key)
  }
}

function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME_LABEL]}`
}
