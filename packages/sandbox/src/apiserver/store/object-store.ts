import type { KubeObject } from '../contract.types.ts'
import { deepFreeze } from '../json.ts'
import { expired, StatusError } from '../status-error.ts'
import type { Journal } from './journal.types.ts'
import { ObjectTable } from './object-table.ts'

/** One change, in the order of `revision`, which is the resourceVersion it made. */
export interface StoreEvent {
  readonly revision: number
  readonly key: string
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
}

export interface StoreLimits {
  readonly maxObjects: number
  readonly maxHistoryEvents: number
}

/**
 * All objects in memory under one global revision, with the recent changes for watches that resume.
 * Every change is synchronous, so a read-check-write in one turn is atomic.
 */
export class ObjectStore {
  readonly #tables = new Map<string, ObjectTable>()
  readonly #listeners = new Map<string, Set<(event: StoreEvent) => void>>()
  readonly #history: StoreEvent[] = []
  readonly #limits: StoreLimits
  #historyStart = 1
  #revision = 1
  #count = 0

  readonly #journal: Journal | undefined

  /** With a journal the store begins with what that holds. */
  constructor(limits: StoreLimits, journal?: Journal) {
    this.#limits = limits
    this.#journal = journal
    if (journal === undefined) return
    const { revision, objects } = journal.load()
    for (const { key, object } of objects) {
      this.#tableOf(key).set(idOf(object), deepFreeze(object))
      this.#count++
    }
    this.#revision = revision
    // Nobody can go on from a change before the restart: they list again.
    this.#historyStart = revision + 1
  }

  get revision(): number {
    return this.#revision
  }

  get count(): number {
    return this.#count
  }

  get(key: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#tables.get(key)?.get(`${namespace ?? ''}/${name}`)
  }

  /** Objects by namespace and name, in byte order as etcd has them. */
  list(key: string, namespace?: string): readonly KubeObject[] {
    return this.#tables.get(key)?.list(namespace) ?? []
  }

  /** Keys of resources that hold at least one object. */
  keys(): readonly string[] {
    return [...this.#tables].filter(([, table]) => table.size > 0).map(([key]) => key)
  }

  /** Stores a new object or a new state of it; gives it its resourceVersion and freezes it. */
  put(key: string, object: KubeObject): KubeObject {
    const table = this.#tableOf(key)
    const id = idOf(object)
    const previous = table.get(id)
    if (previous === undefined) {
      if (this.#count >= this.#limits.maxObjects) throw storeFull(this.#limits.maxObjects)
    }
    const revision = this.#revision + 1
    object.metadata.resourceVersion = String(revision)
    this.#journal?.put(key, id, object, revision)
    this.#revision = revision
    if (previous === undefined) this.#count++
    table.set(id, deepFreeze(object))
    this.#emit({ revision: this.#revision, key, type: previous ? 'MODIFIED' : 'ADDED', object, previous })
    return object
  }

  /** Removes an object; its last state carries the revision of the removal. */
  remove(key: string, object: KubeObject): KubeObject {
    const previous = this.#tables.get(key)?.get(idOf(object))
    if (previous === undefined) return object
    const revision = this.#revision + 1
    this.#journal?.remove(key, idOf(object), revision)
    this.#revision = revision
    this.#tables.get(key)?.delete(idOf(object))
    this.#count--
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
    this.#emit({ revision: this.#revision, key, type: 'DELETED', object: deepFreeze(last), previous })
    return last
  }

  /** Changes after a revision, oldest first; 410 when they are no longer known. */
  since(key: string, revision: number): readonly StoreEvent[] {
    if (revision < this.#historyStart - 1)
      throw expired(`too old resource version: ${revision} (${this.#historyStart - 1})`)
    return this.#history.filter((event) => event.key === key && event.revision > revision)
  }

  /** Calls back for every change of a resource, in order, synchronously. */
  subscribe(key: string, listener: (event: StoreEvent) => void): Disposable {
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners)
    listeners.add(listener)
    return { [Symbol.dispose]: () => listeners.delete(listener) }
  }

  #tableOf(key: string): ObjectTable {
    const table = this.#tables.get(key) ?? new ObjectTable()
    this.#tables.set(key, table)
    return table
  }

  #emit(event: StoreEvent): void {
    this.#history.push(event)
    // Cut in chunks: shifting one by one would cost a pass over the array for every change.
    if (this.#history.length > this.#limits.maxHistoryEvents * 1.1) {
      const removed = this.#history.splice(0, this.#history.length - this.#limits.maxHistoryEvents)
      this.#historyStart = (removed.at(-1)?.revision ?? 0) + 1
    }
    for (const listener of this.#listeners.get(event.key) ?? []) listener(event)
    for (const listener of this.#listeners.get('*') ?? []) listener(event)
  }
}

function idOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`
}

function storeFull(limit: number): StatusError {
  const message = `the sandbox holds its limit of ${limit} objects; delete some first`
  return new StatusError(507, 'InternalError', message)
}
