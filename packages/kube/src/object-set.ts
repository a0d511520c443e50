import type { KubeObject } from './object.types.ts'

export interface ObjectHandler<T> {
  add?(object: T): void
  update?(object: T, previous: T): void
  delete?(object: T): void
}

/** Looks at the objects of one kind as last seen. */
export interface ReadonlyObjectSet<T extends KubeObject> extends Iterable<T> {
  readonly size: number
  /** Resolves when the first complete list is in. */
  readonly synced: Promise<void>
  readonly isSynced: boolean
  get(namespace: string | undefined, name: string): T | undefined
  inNamespace(namespace: string): Iterable<T>
  /** Calls back on changes; objects already there are reported as added first. */
  subscribe(handler: ObjectHandler<T>): Disposable
}

/** The objects of one kind, by namespace and name, with handlers told of every change. */
export class ObjectSet<T extends KubeObject> implements ReadonlyObjectSet<T> {
  readonly #byNamespace = new Map<string, Map<string, T>>()
  readonly #handlers = new Set<ObjectHandler<T>>()
  readonly #synced = Promise.withResolvers<void>()
  #isSynced = false
  #size = 0

  get size(): number {
    return this.#size
  }

  get synced(): Promise<void> {
    return this.#synced.promise
  }

  get isSynced(): boolean {
    return this.#isSynced
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#byNamespace.get(namespace ?? '')?.get(name)
  }

  inNamespace(namespace: string): Iterable<T> {
    return this.#byNamespace.get(namespace)?.values() ?? []
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const objects of this.#byNamespace.values()) yield* objects.values()
  }

  subscribe(handler: ObjectHandler<T>): Disposable {
    for (const object of this) handler.add?.(object)
    this.#handlers.add(handler)
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) }
  }

  /** Adds or replaces; the same resource version again is no change. */
  put(object: T): void {
    const namespace = object.metadata.namespace ?? ''
    const objects = this.#byNamespace.getOrInsertComputed(namespace, () => new Map<string, T>())
    const previous = objects.get(object.metadata.name)
    objects.set(object.metadata.name, object)
    if (previous === undefined) {
      this.#size++
      for (const handler of [...this.#handlers]) handler.add?.(object)
      return
    }
    const { resourceVersion } = object.metadata
    if (resourceVersion !== undefined && resourceVersion === previous.metadata.resourceVersion) return
    for (const handler of [...this.#handlers]) handler.update?.(object, previous)
  }

  remove(namespace: string | undefined, name: string): void {
    const objects = this.#byNamespace.get(namespace ?? '')
    const object = objects?.get(name)
    if (objects === undefined || object === undefined) return
    objects.delete(name)
    if (objects.size === 0) this.#byNamespace.delete(namespace ?? '')
    this.#size--
    for (const handler of [...this.#handlers]) handler.delete?.(object)
  }

  /** Makes the set equal to a complete list, reporting only differences. */
  replace(objects: readonly T[]): void {
    const keep = new Set(objects.map((object) => keyOf(object)))
    const gone = [...this].filter((object) => !keep.has(keyOf(object)))
    for (const { metadata } of gone) this.remove(metadata.namespace, metadata.name)
    for (const object of objects) this.put(object)
  }

  markSynced(): void {
    this.#isSynced = true
    this.#synced.resolve()
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}
