import { type Clock, type Logger, messageOf } from '@ambit/core'
import type { Gvr, KubeObject, ObjectClient } from '../apiserver/contract.types.ts'

export interface ObjectChange<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: T
  readonly previous: T | undefined
}

const RELIST_DELAY_MS = 200

/** Key of an object among those of its resource. */
export function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`
}

/**
 * A local copy of one resource, kept by list and watch. The one cast from API object to typed object happens here:
 * the API server has validated the object against its schema.
 */
export class ObjectCache<T extends KubeObject> implements Disposable {
  readonly #client: ObjectClient
  readonly #gvr: Gvr
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #objects = new Map<string, T>()
  readonly #listeners = new Set<(change: ObjectChange<T>) => void>()
  readonly #abort = new AbortController()
  readonly #synced = Promise.withResolvers<void>()

  constructor(components: { client: ObjectClient; logger: Logger; clock: Clock }, gvr: Gvr) {
    this.#client = components.client
    this.#logger = components.logger
    this.#clock = components.clock
    this.#gvr = gvr
    void this.#run()
  }

  /** Resolves when the first list has been taken over. */
  get synced(): Promise<void> {
    return this.#synced.promise
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(`${namespace ?? ''}/${name}`)
  }

  all(): IterableIterator<T> {
    return this.#objects.values()
  }

  subscribe(listener: (change: ObjectChange<T>) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  [Symbol.dispose](): void {
    this.#abort.abort()
    this.#listeners.clear()
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      try {
        const { items, resourceVersion } = await this.#client.list(this.#gvr)
        this.#replace(items as T[])
        this.#synced.resolve()
        for await (const event of this.#client.watch(this.#gvr, { resourceVersion, signal })) {
          if (event.type === 'BOOKMARK') continue
          if (event.type === 'DELETED') this.#remove(event.object as T)
          else this.#put(event.object as T)
        }
      } catch (error) {
        if (signal.aborted) return
        this.#logger.warn(`watch of ${this.#gvr.resource} ended, listing again`, { error: messageOf(error) })
        await this.#clock.sleep(RELIST_DELAY_MS, signal).catch(() => undefined)
      }
    }
  }

  #replace(items: readonly T[]): void {
    const seen = new Set(items.map(keyOf))
    for (const [key, object] of this.#objects) if (!seen.has(key)) this.#remove(object)
    for (const item of items) this.#put(item)
  }

  #put(object: T): void {
    const key = keyOf(object)
    const previous = this.#objects.get(key)
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion && previous !== undefined) return
    this.#objects.set(key, object)
    this.#tell({ type: previous === undefined ? 'ADDED' : 'MODIFIED', object, previous })
  }

  #remove(object: T): void {
    const key = keyOf(object)
    const previous = this.#objects.get(key)
    this.#objects.delete(key)
    this.#tell({ type: 'DELETED', object, previous })
  }

  #tell(change: ObjectChange<T>): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(change)
      } catch (error) {
        this.#logger.error(`listener of ${this.#gvr.resource} failed`, { error: messageOf(error) })
      }
    }
  }
}
