import type { Clock, Logger } from '@ambit/core'
import { AdmissionChain } from './admission/admission-chain.ts'
import { AdmissionExpressions } from './admission/admission-expressions.ts'
import { admissionConfigurationRules } from './admission/configuration-rules.ts'
import { builtinRules } from './admission/kind-rules.ts'
import { AdmissionPolicies } from './admission/policies.ts'
import { checkQuota } from './admission/quota.ts'
import { type ServiceRanges, StoreServiceAllocator } from './admission/service-allocator.ts'
import { WebhookClient } from './admission/webhook-client.ts'
import { Webhooks } from './admission/webhooks.ts'
import { bootstrapObjects } from './bootstrap-objects.ts'
import type { KubeObject, ObjectClient } from './contract.types.ts'
import { ApiServiceList } from './controllers/api-service-list.ts'
import { EventExpiry } from './controllers/event-expiry.ts'
import { GarbageCollector } from './controllers/garbage-collector.ts'
import { NamespaceController } from './controllers/namespace-controller.ts'
import { RoleAggregation } from './controllers/role-aggregation.ts'
import { CustomResources } from './crd/custom-resources.ts'
import { MAX_HISTORY_EVENTS, MAX_OBJECTS } from './limits.ts'
import { AdmittedService } from './resources/admitted-service.ts'
import { ApiService } from './resources/api-service.ts'
import { builtinResources } from './resources/builtin-resources.ts'
import type { KindRules } from './resources/kind-rules.types.ts'
import { LocalObjectClient } from './resources/object-client.ts'
import { ObjectWriter } from './resources/object-writer.ts'
import { internalContext } from './resources/request-context.ts'
import { type ResourceDefinition, storageKey } from './resources/resource-definition.ts'
import { ResourceRegistry } from './resources/resource-registry.ts'
import { BuiltinTypes } from './schema/builtin-types.ts'
import type { Journal } from './store/journal.types.ts'
import { ObjectStore } from './store/object-store.ts'

export interface ApiCoreOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Certificates that pods check the API server by. */
  readonly caPem: string
  readonly serviceRanges?: ServiceRanges | undefined
  /** Keeps objects across restarts; absent: they are gone with the process. */
  readonly journal?: Journal | undefined
  /** Objects of all kinds together, `MAX_OBJECTS` unless given. */
  readonly maxObjects?: number | undefined
}

/** The API without a wire: store, kinds, rules, and the controllers that belong to them. */
export class ApiCore implements Disposable {
  readonly store: ObjectStore
  readonly registry: ResourceRegistry
  readonly types: BuiltinTypes
  readonly service: ApiService
  readonly admitted: AdmittedService
  readonly #parts: readonly Disposable[]

  constructor(options: ApiCoreOptions) {
    const { clock, logger } = options
    const { maxObjects = MAX_OBJECTS } = options
    const store = new ObjectStore({ maxObjects, maxHistoryEvents: MAX_HISTORY_EVENTS }, options.journal)
    this.store = store
    this.types = new BuiltinTypes()
    this.registry = new ResourceRegistry(builtinResources(this.types))
    const customs = new CustomResources(this.registry, this.types, logger, clock)
    const ranges = options.serviceRanges ?? { ipv4: '10.96.0.0/16' }
    const expressions = new AdmissionExpressions()
    const configurationRules = admissionConfigurationRules(expressions)
    const rulesOf = (definition: ResourceDefinition): KindRules => {
      if (definition.group === 'apiextensions.k8s.io') return customs.rules
      if (definition.group === 'admissionregistration.k8s.io') return configurationRules[definition.kind] ?? {}
      return builtinRules(definition)
    }
    const writer = new ObjectWriter({
      store,
      clock,
      rules: rulesOf,
      quota: (target, object) => checkQuota(store, target, object),
      environment: { store, now: () => clock.now(), services: new StoreServiceAllocator(store, ranges) },
    })
    this.service = new ApiService(store, writer)
    const client = new WebhookClient(store)
    const webhooks = new Webhooks({ store, client, expressions, logger })
    const policies = new AdmissionPolicies(store, this.registry, expressions, () => clock.now())
    this.admitted = new AdmittedService(writer, new AdmissionChain(webhooks, policies))
    customs.attach(this.service)
    const namespaces = new NamespaceController(this.service, this.registry, logger, options.caPem)
    const collector = new GarbageCollector(this.service, this.registry, logger)
    const list = new ApiServiceList(this.service, this.registry, logger)
    const aggregation = new RoleAggregation(this.service, this.registry, logger)
    this.#parts = [
      ...[customs, namespaces, collector, aggregation, list, new EventExpiry(store, clock)],
      ...[webhooks, policies, client],
    ]
    for (const object of bootstrapObjects(ranges)) this.#createUnlessThere(object)
    list.reconcile()
  }

  /** A client whose changes managedFields show under that name. */
  client(manager: string): ObjectClient {
    return new LocalObjectClient(this.service, this.admitted, this.registry, manager)
  }

  [Symbol.dispose](): void {
    for (const part of this.#parts) part[Symbol.dispose]()
  }

  #createUnlessThere(object: KubeObject): void {
    const [group = '', version = ''] = object.apiVersion.includes('/')
      ? object.apiVersion.split('/')
      : ['', object.apiVersion]
    const definition = this.registry.findKind(group, object.kind)
    if (definition === undefined) throw new Error(`bootstrap object of the unserved kind ${object.kind}`)
    const { namespace, name = '' } = object.metadata
    if (this.store.get(storageKey(definition), namespace, name) !== undefined) return
    const target = { definition, version, namespace, name: '' }
    this.service.create(target, object, internalContext('kube-apiserver'))
  }
}
