import type { DeleteOptions, KubeObject } from '../contract.types.ts'
import { notFound } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import type { ObjectWriter } from './object-writer.ts'
import type { RequestContext } from './request-context.ts'
import { storageKey } from './resource-definition.ts'
import { inVersion, type Target } from './target.ts'
import { type Deletion, unadmitted } from './writing.ts'

/** Reading and writing without admission: for what the server itself does, in one synchronous call each. */
export class ApiService {
  readonly store: ObjectStore
  readonly #writer: ObjectWriter

  constructor(store: ObjectStore, writer: ObjectWriter) {
    this.store = store
    this.#writer = writer
  }

  get(target: Target): KubeObject {
    const { definition, namespace, name } = target
    const object = this.store.get(storageKey(definition), namespace, name)
    if (object === undefined) throw notFound(definition.group, definition.resource, name)
    return inVersion(object, target)
  }

  create(target: Target, body: unknown, context: RequestContext): KubeObject {
    return unadmitted(this.#writer.create(target, body, context))
  }

  patch(target: Target, change: (current: KubeObject) => unknown, context: RequestContext): KubeObject {
    return unadmitted(this.#writer.patch(target, change, context))
  }

  apply(target: Target, config: unknown, context: RequestContext & { readonly force: boolean }): KubeObject {
    return unadmitted(this.#writer.apply(target, config, context))
  }

  delete(target: Target, options: DeleteOptions, context: RequestContext): Deletion {
    return unadmitted(this.#writer.delete(target, options, context))
  }
}
