import type { Gvr, KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { keyOf, type ObjectCache } from '../objects/object-cache.ts'
import type { ControllerComponents } from './components.types.ts'
import { controllerOf } from './ownership.ts'
import { WorkQueue } from './work-queue.ts'

export interface OwnerQueueOptions<Owner extends KubeObject, Dependent extends KubeObject> {
  readonly kind: string
  readonly gvr: Gvr
  readonly owners: ObjectCache<Owner>
  readonly dependents: ObjectCache<Dependent>
  /** Called with the object as the API server has it now; never for one that is gone or going. */
  readonly reconcile: (owner: Owner) => Promise<void>
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
    const { kind, owners, dependents } = options
    const name = kind.toLowerCase()
    this.#queue = this.#stack.use(new WorkQueue({ name, logger, clock, reconcile: (key) => this.#reconcile(key) }))
    this.#stack.use(owners.subscribe(({ object }) => this.#queue.add(keyOf(object))))
    this.#stack.use(
      dependents.subscribe(({ object }) => {
        const owner = controllerOf(object)
        if (owner?.kind === kind) this.#queue.add(`${object.metadata.namespace}/${owner.name}`)
      }),
    )
    this.addAll()
  }

  addAll(): void {
    for (const owner of this.#options.owners.all()) this.#queue.add(keyOf(owner))
  }

  addAfter(owner: Owner, ms: number): void {
    this.#queue.addAfter(keyOf(owner), ms)
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const found = await this.#components.client.get(this.#options.gvr, namespace, name).catch((error: unknown) => {
      if (hasStatus(error, 404)) return undefined
      throw error
    })
    if (found === undefined || found.metadata.deletionTimestamp !== undefined) return
    // The cast is the cache's own: the API server has validated the object against its schema.
    await this.#options.reconcile(found as Owner)
  }
}
