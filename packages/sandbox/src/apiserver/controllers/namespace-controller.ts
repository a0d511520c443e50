import { type Logger, messageOf } from '@ambit/core'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject } from '../json.ts'
import { DELETE_SLICE } from '../limits.ts'
import type { ApiService } from '../resources/api-service.ts'
import { internalContext } from '../resources/request-context.ts'
import { storageKey } from '../resources/resource-definition.ts'
import type { ResourceRegistry } from '../resources/resource-registry.ts'
import { hasStatus } from '../status-error.ts'

const ROOT_CA = 'kube-root-ca.crt'

/** Gives each namespace its default service account and root certificates, and empties the ones being deleted. */
export class NamespaceController implements Disposable {
  readonly #service: ApiService
  readonly #registry: ResourceRegistry
  readonly #logger: Logger
  readonly #caPem: string
  readonly #subscription: Disposable
  #scheduled = false
  #closed = false

  constructor(service: ApiService, registry: ResourceRegistry, logger: Logger, caPem: string) {
    this.#service = service
    this.#registry = registry
    this.#logger = logger
    this.#caPem = caPem
    this.#subscription = service.store.subscribe('*', (event) => {
      if (event.key === '/namespaces' && event.type === 'ADDED') this.provision(event.object.metadata.name ?? '')
      const isOurs = event.key === '/serviceaccounts' || event.key === '/configmaps'
      const namespace = event.key === '/namespaces' ? event.object.metadata.name : event.object.metadata.namespace
      const deleting = this.#namespace(namespace)?.metadata.deletionTimestamp !== undefined
      if (deleting || (isOurs && event.type !== 'ADDED')) this.#schedule()
    })
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#subscription[Symbol.dispose]()
  }

  /** Creates what every namespace has; at once, so that a pod created next is admitted. */
  provision(namespace: string): void {
    this.#create(namespace, 'serviceaccounts', {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace },
    })
    this.#create(namespace, 'configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: ROOT_CA, namespace },
      data: { 'ca.crt': this.#caPem },
    })
  }

  #create(namespace: string, resource: string, object: KubeObject): void {
    const definition = this.#registry.find('', 'v1', resource)
    if (definition === undefined || this.#service.store.get(`/${resource}`, namespace, object.metadata.name ?? ''))
      return
    this.#service.create(
      { definition, version: 'v1', namespace, name: '' },
      object,
      internalContext('kube-controller-manager'),
    )
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#closed) return
      for (const namespace of this.#service.store.list('/namespaces')) this.#reconcile(namespace)
    })
  }

  #reconcile(namespace: KubeObject): void {
    const { name = '', deletionTimestamp } = namespace.metadata
    try {
      if (deletionTimestamp === undefined) {
        this.provision(name)
        this.#restoreRoots(name)
      } else this.#empty(namespace, name)
    } catch (error) {
      if (!hasStatus(error, 404) && !hasStatus(error, 409))
        this.#logger.warn('a namespace could not be brought into order; retried at its next change', {
          namespace: name,
          error: messageOf(error),
        })
    }
  }

  #restoreRoots(namespace: string): void {
    const definition = this.#registry.find('', 'v1', 'configmaps')
    const roots = this.#service.store.get('/configmaps', namespace, ROOT_CA)
    if (definition === undefined || roots === undefined || at(roots, 'data', 'ca.crt') === this.#caPem) return
    this.#service.patch(
      { definition, version: 'v1', namespace, name: ROOT_CA },
      (object) => ({ ...object, data: { 'ca.crt': this.#caPem } }),
      internalContext('kube-controller-manager'),
    )
  }

  /** Deletes the content; when nothing is left, gives up the finalizer. */
  #empty(namespace: KubeObject, name: string): void {
    const context = internalContext('namespace-controller')
    let left = 0
    let deletions = 0
    for (const definition of this.#registry.all()) {
      const version = definition.versions[0]
      if (!definition.namespaced || version === undefined) continue
      for (const object of this.#service.store.list(storageKey(definition), name)) {
        left++
        if (object.metadata.deletionTimestamp !== undefined) continue
        // The rest in later turns, so that watches can be told in between.
        if (++deletions > DELETE_SLICE) return this.#schedule()
        const target = { definition, version, namespace: name, name: object.metadata.name ?? '' }
        if (this.#service.delete(target, { propagationPolicy: 'Background' }, context).gone) left--
      }
    }
    const definition = this.#registry.find('', 'v1', 'namespaces')
    if (left > 0 || definition === undefined) return
    const finalizers = arrayOf(at(namespace, 'spec', 'finalizers')).filter((finalizer) => finalizer !== 'kubernetes')
    this.#service.patch(
      { definition, version: 'v1', namespace: undefined, name, subresource: 'finalize' },
      (object) => ({ ...object, spec: { ...(isObject(object['spec']) ? object['spec'] : {}), finalizers } }),
      context,
    )
  }

  #namespace(name: string | undefined): KubeObject | undefined {
    return name === undefined ? undefined : this.#service.store.get('/namespaces', undefined, name)
  }
}
