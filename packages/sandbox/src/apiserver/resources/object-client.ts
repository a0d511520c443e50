import type {
  DeleteOptions,
  Gvr,
  KubeObject,
  ListOptions,
  ObjectClient,
  ObjectList,
  PatchOptions,
  WatchEvent,
  WatchOptions,
} from '../contract.types.ts'
import { MAX_WATCH_QUEUE_EVENTS } from '../limits.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import { badRequest, expired, noSuchResource } from '../status-error.ts'
import { parseFieldSelector, parseLabelSelector } from '../store/selectors.ts'
import { startWatch } from '../store/watch-events.ts'
import type { AdmittedService } from './admitted-service.ts'
import type { ApiService } from './api-service.ts'
import { internalContext, type RequestContext } from './request-context.ts'
import { type ResourceDefinition, storageKey } from './resource-definition.ts'
import type { ResourceRegistry } from './resource-registry.ts'
import { inVersion, type Target } from './target.ts'

/** The in-process client: same rules as over HTTP, no wire between. */
export class LocalObjectClient implements ObjectClient {
  readonly #service: ApiService
  readonly #admitted: AdmittedService
  readonly #registry: ResourceRegistry
  readonly #manager: string

  constructor(service: ApiService, admitted: AdmittedService, registry: ResourceRegistry, manager: string) {
    this.#service = service
    this.#admitted = admitted
    this.#registry = registry
    this.#manager = manager
  }

  async get(gvr: Gvr, namespace: string | undefined, name: string): Promise<KubeObject> {
    return this.#service.get(this.#target(gvr, namespace, name))
  }

  async list(gvr: Gvr, options: ListOptions = {}): Promise<ObjectList> {
    const definition = this.#definition(gvr)
    const labels = parseLabelSelector(options.labelSelector)
    const fields = parseFieldSelector(definition.kind, options.fieldSelector)
    const { store } = this.#service
    const items = store
      .list(storageKey(definition), options.namespace)
      .filter((object) => labels(object) && fields(object))
    const versioned = items.map((object) => inVersion(object, { definition, version: gvr.version }))
    return { items: versioned, resourceVersion: String(store.revision) }
  }

  async *watch(gvr: Gvr, options: WatchOptions): AsyncIterable<WatchEvent> {
    const definition = this.#definition(gvr)
    const labels = parseLabelSelector(options.labelSelector)
    const fields = parseFieldSelector(definition.kind, options.fieldSelector)
    const queue: WatchEvent[] = []
    let wake = Promise.withResolvers<void>()
    const onAbort = (): void => wake.resolve()
    options.signal.addEventListener('abort', onAbort, { once: true })
    const subscription = startWatch(
      this.#service.store,
      {
        key: storageKey(definition),
        namespace: options.namespace,
        predicate: (object) => labels(object) && fields(object),
        resourceVersion: options.resourceVersion,
      },
      (event) => {
        if (queue.length <= MAX_WATCH_QUEUE_EVENTS) queue.push(event)
        wake.resolve()
      },
    )
    try {
      while (!options.signal.aborted) {
        const event = queue.shift()
        if (event === undefined) {
          await wake.promise
          wake = Promise.withResolvers<void>()
          if (options.signal.aborted) return
          continue
        }
        if (queue.length >= MAX_WATCH_QUEUE_EVENTS) throw expired('the watcher fell too far behind: list again')
        yield { type: event.type, object: inVersion(event.object, { definition, version: gvr.version }) }
      }
    } finally {
      options.signal.removeEventListener('abort', onAbort)
      subscription[Symbol.dispose]()
    }
  }

  async create(gvr: Gvr, object: KubeObject): Promise<KubeObject> {
    const { namespace } = object.metadata
    return await this.#admitted.create(this.#target(gvr, namespace, ''), object, this.#context())
  }

  async update(gvr: Gvr, object: KubeObject): Promise<KubeObject> {
    return await this.#admitted.update(this.#targetOf(gvr, object), object, this.#context())
  }

  async updateStatus(gvr: Gvr, object: KubeObject): Promise<KubeObject> {
    const target: Target = { ...this.#targetOf(gvr, object), subresource: 'status' }
    return await this.#admitted.update(target, object, this.#context())
  }

  async patch(
    gvr: Gvr,
    namespace: string | undefined,
    name: string,
    patch: Readonly<Record<string, unknown>>,
    options: PatchOptions = {},
  ): Promise<KubeObject> {
    const { subresource } = options
    if (subresource === 'scale') {
      const target = this.#target(gvr, namespace, name)
      return await this.#admitted.patch(
        target,
        (current) => applyMergePatch(current, { spec: patch['spec'] }),
        this.#context(),
      )
    }
    const target: Target = { ...this.#target(gvr, namespace, name), subresource }
    return await this.#admitted.patch(target, (current) => applyMergePatch(current, patch), this.#context())
  }

  async delete(gvr: Gvr, namespace: string | undefined, name: string, options: DeleteOptions = {}): Promise<void> {
    await this.#admitted.delete(this.#target(gvr, namespace, name), options, this.#context())
  }

  #context(): RequestContext {
    return internalContext(this.#manager)
  }

  #definition(gvr: Gvr): ResourceDefinition {
    const definition = this.#registry.find(gvr.group, gvr.version, gvr.resource)
    if (definition === undefined) throw noSuchResource()
    return definition
  }

  #targetOf(gvr: Gvr, object: KubeObject): Target {
    const { namespace, name } = object.metadata
    if (!name) throw badRequest('metadata.name is missing')
    return this.#target(gvr, namespace, name)
  }

  #target(gvr: Gvr, namespace: string | undefined, name: string): Target {
    const definition = this.#definition(gvr)
    return { definition, version: gvr.version, namespace: definition.namespaced ? namespace : undefined, name }
  }
}
