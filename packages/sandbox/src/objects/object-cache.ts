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
  readonly #byNamespace = new Map<string, Map<string, T>>()
  readonly #byController = new Map<string, Map<string, T>>()
  /** Removed by ourselves; their last events are still to come. */
  readonly #gone = new Set<string>()
  /** What list and watch have brought so far. */
  #revision = 0
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

  inNamespace(namespace: string | undefined): readonly T[] {
    return [...(this.#byNamespace.get(namespace ?? '')?.values() ?? [])]
  }

  /** Objects whose controlling owner has that uid. */
  controlledBy(uid: string | undefined): readonly T[] {
    return [...(this.#byController.get(uid ?? '')?.values() ?? [])]
  }

  /** Objects of a namespace that no owner controls. */
  orphans(namespace: string | undefined): readonly T[] {
    return [...(this.#byController.get(orphansOf(namespace))?.values() ?? [])]
  }

  /** Takes over what a write returned, so that whoever wrote it reads it again before the watch brings it. */
  note(object: T): void {
    if (revisionOf(object) > this.#revision) this.#put(object)
  }

  /** As `note`, for an object that a write has removed. */
  noteGone(object: T): void {
    const { uid = '' } = object.metadata
    if (this.#objects.get(keyOf(object))?.metadata.uid !== uid) return
    this.#gone.add(uid)
    this.#remove(object)
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
        this.#replace(items as T[], Number(resourceVersion))
        this.#synced.resolve()
        for await (const event of this.#client.watch(this.#gvr, { resourceVersion, signal })) {
          if (event.type !== 'BOOKMARK') this.#observe(event.type, event.object as T)
        }
      } catch (error) {
        if (signal.aborted) return
        this.#logger.warn(`watch of ${this.#gvr.resource} ended, listing again`, { error: messageOf(error) })
        await this.#clock.sleep(RELIST_DELAY_MS, signal).catch(() => undefined)
      }
    }
  }

  #observe(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    this.#revision = Math.max(this.#revision, revisionOf(object))
    const { uid = '' } = object.metadata
    if (this.#gone.has(uid)) {
      if (type === 'DELETED') this.#gone.delete(uid)
    } else if (type !== 'DELETED') this.#put(object)
    else if (this.#objects.get(keyOf(object))?.metadata.uid === uid) this.#remove(object)
  }

  #replace(items: readonly T[], revision: number): void {
    this.#revision = revision
    const seen = new Set(items.map(keyOf))
    for (const [key, object] of this.#objects)
      if (!seen.has(key) && revisionOf(object) <= revision) this.#remove(object)
    for (const item of items) this.#put(item)
    this.#gone.clear()
  }

  #put(object: T): void {
    const key = keyOf(object)
    const known = this.#objects.get(key)
    if (known !== undefined && revisionOf(known) >= revisionOf(object)) return
    // Another object of the same name: the old one went unseen.
    if (known !== undefined && known.metadata.uid !== object.metadata.uid) {
      this.#gone.add(known.metadata.uid ?? '')
      this.#remove(known)
    }
    const previous = this.#objects.get(key)
    if (previous !== undefined) this.#index(previous, false)
    this.#objects.set(key, object)
    this.#index(object, true)
    this.#tell({ type: previous === undefined ? 'ADDED' : 'MODIFIED', object, previous })
  }

  #remove(object: T): void {
    const key = keyOf(object)
    const previous = this.#objects.get(key)
    if (previous !== undefined) this.#index(previous, false)
    this.#objects.delete(key)
    this.#tell({ type: 'DELETED', object, previous })
  }

  #index(object: T, present: boolean): void {
    const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true)
    const { namespace } = object.metadata
    for (const [index, value] of [
      [this.#byNamespace, namespace ?? ''],
      [this.#byController, owner?.uid ?? orphansOf(namespace)],
    ] as const) {
      const group = index.get(value) ?? new Map<string, T>()
      if (present) index.set(value, group.set(keyOf(object), object))
      else if (group.delete(keyOf(object)) && group.size === 0) index.delete(value)
    }
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

/** In place of an owner's uid, which never has a slash. */
function orphansOf(namespace: string | undefined): string {
  return `${namespace ?? ''}/`
}

/** The API server counts every change of anything by one number, which resourceVersion shows. */
function revisionOf(object: KubeObject): number {
  return Number(object.metadata.resourceVersion)
}
