import { type Logger, messageOf } from '@ambit/core'
import type { KubeObject, OwnerReference } from '../contract.types.ts'
import { DELETE_SLICE } from '../limits.ts'
import type { ApiService } from '../resources/api-service.ts'
import { FOREGROUND, ORPHAN } from '../resources/deletion.ts'
import { internalContext } from '../resources/request-context.ts'
import type { ResourceRegistry } from '../resources/resource-registry.ts'
import type { Target } from '../resources/target.ts'
import { hasStatus } from '../status-error.ts'
import type { StoreEvent } from '../store/object-store.ts'

interface Known {
  readonly key: string
  readonly object: KubeObject
}

/** Deletes what nobody owns any more, and ends foreground and orphaning deletions. */
export class GarbageCollector implements Disposable {
  readonly #service: ApiService
  readonly #registry: ResourceRegistry
  readonly #logger: Logger
  readonly #subscription: Disposable
  readonly #known = new Map<string, Known>()
  readonly #dependents = new Map<string, Set<string>>()
  readonly #dirty = new Set<string>()
  #scheduled = false
  #closed = false

  constructor(service: ApiService, registry: ResourceRegistry, logger: Logger) {
    this.#service = service
    this.#registry = registry
    this.#logger = logger
    this.#subscription = service.store.subscribe('*', (event) => this.#observe(event))
    for (const key of service.store.keys())
      for (const object of service.store.list(key))
        this.#observe({ revision: 0, key, type: 'ADDED', object, previous: undefined })
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#subscription[Symbol.dispose]()
  }

  #observe(event: StoreEvent): void {
    const { uid = '', ownerReferences = [] } = event.object.metadata
    for (const owner of event.previous?.metadata.ownerReferences ?? []) this.#dependents.get(owner.uid)?.delete(uid)
    const dependents = this.#dependents.get(uid)
    if (event.type === 'DELETED') {
      this.#known.delete(uid)
      for (const dependent of dependents ?? []) this.#mark(dependent)
      this.#dependents.delete(uid)
      for (const owner of ownerReferences) this.#mark(owner.uid)
      return
    }
    this.#known.set(uid, { key: event.key, object: event.object })
    for (const owner of ownerReferences) {
      const set = this.#dependents.get(owner.uid) ?? new Set()
      this.#dependents.set(owner.uid, set)
      set.add(uid)
    }
    if (ownerReferences.length > 0) this.#mark(uid)
    if (event.object.metadata.deletionTimestamp !== undefined) this.#mark(uid)
    for (const owner of event.previous?.metadata.ownerReferences ?? []) this.#mark(owner.uid)
  }

  #mark(uid: string): void {
    this.#dirty.add(uid)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed || this.#dirty.size === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#closed) return
      for (const uid of [...this.#dirty].slice(0, DELETE_SLICE)) {
        this.#dirty.delete(uid)
        this.#reconcile(uid)
      }
      this.#schedule()
    })
  }

  #reconcile(uid: string): void {
    const known = this.#known.get(uid)
    if (known === undefined) return
    try {
      this.#collect(known)
      this.#finishDeletion(known)
    } catch (error) {
      if (hasStatus(error, 404) || hasStatus(error, 409)) return
      const { namespace = '', name = '' } = known.object.metadata
      this.#logger.warn('garbage collection of an object failed; it stays until its next change', {
        resource: known.key,
        object: `${namespace}/${name}`,
        error: messageOf(error),
      })
    }
  }

  /** An object all of whose owners are gone goes too. */
  #collect(known: Known): void {
    const { ownerReferences = [], deletionTimestamp } = known.object.metadata
    if (ownerReferences.length === 0 || deletionTimestamp !== undefined) return
    const target = this.#target(known)
    if (target === undefined) return
    const present = ownerReferences.filter((owner) => this.#isPresent(owner))
    const context = internalContext('garbage-collector')
    if (present.length === 0) {
      this.#service.delete(
        target,
        { propagationPolicy: 'Background', preconditions: { uid: known.object.metadata.uid } },
        context,
      )
      return
    }
    const solid = present.filter((owner) => !this.#isWaiting(owner))
    if (solid.length === 0) {
      const policy =
        (this.#dependents.get(known.object.metadata.uid ?? '')?.size ?? 0) > 0 ? 'Foreground' : 'Background'
      this.#service.delete(
        target,
        { propagationPolicy: policy, preconditions: { uid: known.object.metadata.uid } },
        context,
      )
    } else if (present.length < ownerReferences.length)
      this.#service.patch(target, (object) => withOwners(object, present), context)
  }

  #finishDeletion(known: Known): void {
    const { uid = '', deletionTimestamp, finalizers = [] } = known.object.metadata
    const target = this.#target(known)
    if (deletionTimestamp === undefined || target === undefined) return
    const context = internalContext('garbage-collector')
    const dependents = [...(this.#dependents.get(uid) ?? [])]
    if (finalizers.includes(ORPHAN)) {
      for (const each of dependents) {
        const dependent = this.#known.get(each)
        const other = dependent === undefined ? undefined : this.#target(dependent)
        if (other === undefined) continue
        this.#service.patch(
          other,
          (object) => {
            return withOwners(
              object,
              (object.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid),
            )
          },
          context,
        )
      }
      this.#service.patch(target, (object) => withoutFinalizer(object, ORPHAN), context)
    } else if (finalizers.includes(FOREGROUND)) {
      if (dependents.some((each) => this.#blocks(each, uid))) {
        for (const each of dependents) this.#markLiving(each)
        return
      }
      this.#service.patch(target, (object) => withoutFinalizer(object, FOREGROUND), context)
    }
  }

  /** Dependents that aren't being deleted yet get their turn. */
  #markLiving(uid: string): void {
    if (this.#known.get(uid)?.object.metadata.deletionTimestamp === undefined) this.#mark(uid)
  }

  #blocks(dependent: string, owner: string): boolean {
    const references = this.#known.get(dependent)?.object.metadata.ownerReferences ?? []
    return references.some((reference) => reference.uid === owner)
  }

  #isPresent(owner: OwnerReference): boolean {
    return this.#known.has(owner.uid)
  }

  #isWaiting(owner: OwnerReference): boolean {
    const metadata = this.#known.get(owner.uid)?.object.metadata
    return metadata?.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(FOREGROUND)
  }

  #target(known: Known): Target | undefined {
    const [group = '', resource = ''] = known.key.split('/')
    const definition = this.#registry.findResource(group, resource)
    const version = definition?.versions[0]
    if (definition === undefined || version === undefined) return undefined
    const { namespace, name = '' } = known.object.metadata
    return { definition, version, namespace, name }
  }
}

function withOwners(object: KubeObject, ownerReferences: OwnerReference[]): KubeObject {
  return { ...object, metadata: { ...object.metadata, ownerReferences, resourceVersion: undefined } }
}

function withoutFinalizer(object: KubeObject, finalizer: string): KubeObject {
  const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer)
  return { ...object, metadata: { ...object.metadata, finalizers, resourceVersion: undefined } }
}
