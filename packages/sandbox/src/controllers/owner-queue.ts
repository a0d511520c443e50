import type { Gvr, KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { keyOf, type ObjectCache } from '../objects/object-cache.ts'
import type { LabelSelector } from '../objects/pod.types.ts'
import { matchesSelector } from '../objects/selector.ts'
import type { ControllerComponents } from './components.types.ts'
import { controllerOf } from './ownership.ts'
import { WorkQueue } from './work-queue.ts'

export interface OwnerQueueOptions<Owner extends KubeObject, Dependent extends KubeObject> {
  readonly kind: string
  readonly gvr: Gvr
  readonly owners: ObjectCache<Owner>
  readonly dependents: ObjectCache<Dependent>
  /** What an owner would adopt; absent for kinds that adopt nothing. */
  readonly selectorOf?: ((owner: Owner) => LabelSelector) | undefined
  readonly spacingMs?: number | undefined
  /** Called with the object as the API server has it now; never for one that is gone or going. */
  readonly reconcile: (owner: Owner) => Promise<void>
  /** Called for one that is gone or going. */
  readonly leave?: ((key: string) => Promise<void>) | undefined
}

/** Owners of one kind that are to be looked at: when they change, and when something they control does. */
export class OwnerQueue<Owner extends KubeObject, Dependent extends KubeObject> implements Disposable {
  readonly #components: ControllerComponents
  readonly #options: OwnerQueueOptions<Owner, Dependent>
  readonly #queue: WorkQueue
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents, options: OwnerQueueOptions<Owner, Dependent>) {
    this.#components = components
    this.#options = options
    const { clock, logger } = components
    const { dependents, kind, owners, spacingMs } = options
    const name = kind.toLowerCase()
    const reconcile = (key: string): Promise<void> => this.#reconcile(key)
    this.#queue = this.#stack.use(new WorkQueue({ name, logger, clock, reconcile, spacingMs }))
    this.#stack.use(owners.subscribe(({ object }) => this.#queue.add(keyOf(object))))
    this.#stack.use(
      dependents.subscribe(({ object, previous }) => {
        const owner = controllerOf(object)
        this.#addOwner(object)
        if (previous !== undefined && controllerOf(previous)?.uid !== owner?.uid) this.#addOwner(previous)
        if (owner === undefined) this.#addAdopters(object)
      }),
    )
    this.addAll()
  }

  addAll(): void {
    for (const owner of this.#options.owners.all()) this.#queue.add(keyOf(owner))
  }

  add(owner: Owner): void {
    this.#queue.add(keyOf(owner))
  }

  addAfter(owner: Owner, ms: number): void {
    this.#queue.addAfter(keyOf(owner), ms)
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  #addOwner(dependent: Dependent): void {
    const owner = controllerOf(dependent)
    if (owner?.kind === this.#options.kind) this.#queue.add(`${dependent.metadata.namespace}/${owner.name}`)
  }

  #addAdopters({ metadata }: Dependent): void {
    const { owners, selectorOf } = this.#options
    if (selectorOf === undefined) return
    for (const owner of owners.inNamespace(metadata.namespace))
      if (matchesSelector(selectorOf(owner), metadata.labels)) this.#queue.add(keyOf(owner))
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const found = await this.#components.client.get(this.#options.gvr, namespace, name).catch((error: unknown) => {
      if (hasStatus(error, 404)) return undefined
      throw error
    })
    if (found === undefined || found.metadata.deletionTimestamp !== undefined) return await this.#options.leave?.(key)
    // The cast is the cache's own: the API server has validated the object against its schema.
    await this.#options.reconcile(found as Owner)
  }
}
