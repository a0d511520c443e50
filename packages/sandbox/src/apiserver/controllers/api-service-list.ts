import { type Logger, messageOf } from '@ambit/core'
import type { KubeObject } from '../contract.types.ts'
import type { ApiService } from '../resources/api-service.ts'
import { internalContext } from '../resources/request-context.ts'
import type { ResourceRegistry } from '../resources/resource-registry.ts'

const GROUP = 'apiregistration.k8s.io'
const KEY = `${GROUP}/apiservices`
/** Groups of Kubernetes itself stand before those of custom resources in discovery (kube-aggregator). */
const BUILTIN_PRIORITY = 17_800
const CUSTOM_PRIORITY = 1000
const VERSION_PRIORITY = 100

/** Keeps an APIService for each served group and version, which is what `kubectl get apiservices` lists. */
export class ApiServiceList implements Disposable {
  readonly #service: ApiService
  readonly #registry: ResourceRegistry
  readonly #logger: Logger
  readonly #subscription: Disposable

  constructor(service: ApiService, registry: ResourceRegistry, logger: Logger) {
    this.#service = service
    this.#registry = registry
    this.#logger = logger
    this.#subscription = registry.onChange(() => this.reconcile())
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  reconcile(): void {
    const definition = this.#registry.findResource(GROUP, 'apiservices')
    if (definition === undefined) return
    const context = internalContext('kube-aggregator')
    const target = { definition, version: 'v1', namespace: undefined }
    const wanted = new Map<string, KubeObject>()
    for (const group of this.#registry.groups()) {
      const custom = this.#registry.all().some((one) => one.group === group && one.custom !== undefined)
      for (const version of this.#registry.versionsOf(group)) {
        const object = apiService(group, version, custom)
        wanted.set(object.metadata.name ?? '', object)
      }
    }
    try {
      for (const [name, object] of wanted) {
        if (this.#service.store.get(KEY, undefined, name) !== undefined) continue
        this.#service.create({ ...target, name: '' }, object, context)
        this.#service.patch({ ...target, name, subresource: 'status' }, withStatus, context)
      }
      for (const { metadata } of this.#service.store.list(KEY)) {
        const { name = '' } = metadata
        if (!wanted.has(name)) this.#service.delete({ ...target, name }, {}, context)
      }
    } catch (error) {
      this.#logger.warn('the list of API services could not be brought up to date', { error: messageOf(error) })
    }
  }
}

function apiService(group: string, version: string, custom: boolean): KubeObject {
  return {
    apiVersion: `${GROUP}/v1`,
    kind: 'APIService',
    metadata: {
      name: `${version}.${group}`,
      labels: { 'kube-aggregator.kubernetes.io/automanaged': custom ? 'true' : 'onstart' },
    },
    spec: {
      ...(group === '' ? {} : { group }),
      version,
      groupPriorityMinimum: custom ? CUSTOM_PRIORITY : BUILTIN_PRIORITY,
      versionPriority: VERSION_PRIORITY,
    },
  }
}

function withStatus(object: KubeObject): KubeObject {
  const message = 'Local APIServices are always available'
  const condition = {
    type: 'Available',
    status: 'True',
    lastTransitionTime: object.metadata.creationTimestamp,
    reason: 'Local',
    message,
  }
  return { ...object, status: { conditions: [condition] } }
}
