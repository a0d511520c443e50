import type { Clock } from '@ambit/core'
import { applyConfiguration, type Manager, managedAfterUpdate } from '../apply/managed-fields.ts'
import type { DeleteOptions, KubeObject, ManagedFieldsEntry } from '../contract.types.ts'
import { cloneJson, isObject, jsonEqual } from '../json.ts'
import { MAX_CAUSES } from '../limits.ts'
import {
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  invalid,
  notFound,
  STALE_OBJECT,
  type StatusCause,
  StatusError,
} from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { validateMetadata } from '../validation/metadata.ts'
import { decodeRequestObject } from './decode-request-object.ts'
import { planDeletion } from './deletion.ts'
import { withEphemeralContainers } from './ephemeral-containers.ts'
import { content, hasGeneration } from './generation.ts'
import type { KindRules, RuleEnvironment } from './kind-rules.types.ts'
import { metadataForCreate, metadataForUpdate, timestamp } from './object-meta.ts'
import type { RequestContext } from './request-context.ts'
import { apiVersionOf, type ResourceDefinition, storageKey } from './resource-definition.ts'
import { inVersion, storedTarget, type Target } from './target.ts'
import { type Deletion, StateChangedError, type Writing } from './writing.ts'

export interface ObjectWriterComponents {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly rules: (definition: ResourceDefinition) => KindRules
  readonly environment: RuleEnvironment
  /** Refuses an object that the quotas of its namespace leave no room for. */
  readonly quota?: ((target: Target, object: KubeObject) => void) | undefined
}

/**
 * Writing of objects with all rules that don't depend on how the request came. Each write is a generator that stops where
 * admission may have its say; with nobody to ask it runs through in one turn, so that concurrent requests can't interleave.
 */
export class ObjectWriter {
  readonly #components: ObjectWriterComponents

  constructor(components: ObjectWriterComponents) {
    this.#components = components
  }

  get store(): ObjectStore {
    return this.#components.store
  }

  *create(asked: Target, body: unknown, context: RequestContext): Writing<KubeObject> {
    const target = storedTarget(asked)
    const object = yield* this.#prepare(target, inVersion(decodeRequestObject(asked, body, context), target), context)
    return inVersion(this.#add(target, object, context), asked)
  }

  /** A new object, ready to be stored. */
  *#prepare(target: Target, object: KubeObject, context: RequestContext): Writing<KubeObject> {
    const { definition, namespace } = target
    const meta = object.metadata
    if (definition.namespaced) this.#checkNamespace(definition, namespace, meta.name ?? '')
    if (meta.namespace !== undefined && meta.namespace !== '' && meta.namespace !== (namespace ?? ''))
      throw badRequest(
        `the namespace of the provided object does not match the namespace sent on the request (${meta.namespace} != ${namespace})`,
      )
    if (target.name !== '' && meta.name !== undefined && meta.name !== target.name)
      throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${target.name})`)
    if (meta.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created')
    const sent = meta.managedFields
    object.metadata = metadataForCreate(
      meta,
      definition.namespaced ? namespace : undefined,
      this.#now(),
      hasGeneration(definition),
    )
    if (!object.metadata.name)
      throw invalid(definition.group, definition.kind, '', [
        {
          reason: 'FieldValueRequired',
          message: 'Required value: name or generateName is required',
          field: 'metadata.name',
        },
      ])
    if (definition.status.has(target.version)) delete object['status']
    this.#checkAbsent(target, object)
    const rules = this.#components.rules(definition)
    const admit = (value: KubeObject): void => {
      this.#fill(target, rules, value, undefined)
      rules.admitCreate?.(value, this.#components.environment, context)
    }
    admit(object)
    const mutated = yield { phase: 'mutate', operation: 'CREATE', target, object, old: undefined, context }
    let final = object
    if (mutated !== undefined) {
      final = inVersion(decodeRequestObject(target, mutated, { ...context, fieldValidation: 'Ignore' }), target)
      const { labels, annotations, finalizers, ownerReferences } = final.metadata
      final.metadata = metadataForUpdate(object.metadata, { labels, annotations, finalizers, ownerReferences })
      admit(final)
    }
    this.#validate(target, rules, final, undefined)
    this.#components.quota?.(target, final)
    yield { phase: 'validate', operation: 'CREATE', target, object: final, old: undefined, context }
    if (final.metadata.managedFields === undefined) this.#own(target, undefined, final, context, sent)
    return final
  }

  #checkAbsent({ definition }: Target, { metadata }: KubeObject): void {
    const { namespace, name = '' } = metadata
    if (this.store.get(storageKey(definition), namespace, name) !== undefined)
      throw alreadyExists(definition.group, definition.resource, name)
  }

  /** Stores a new object. Others may have been quicker while admission was asked. */
  #add(target: Target, object: KubeObject, context: RequestContext): KubeObject {
    if (context.dryRun) return object
    this.#checkAbsent(target, object)
    if (target.definition.namespaced)
      this.#checkNamespace(target.definition, target.namespace, object.metadata.name ?? '')
    return this.store.put(storageKey(target.definition), object)
  }

  /** Replaces an object; creates nothing. */
  *update(asked: Target, body: unknown, context: RequestContext): Writing<KubeObject> {
    const target = storedTarget(asked)
    const current = this.#stored(target)
    const object = inVersion(decodeRequestObject(asked, body, context), target, current)
    if (object.metadata.name !== undefined && object.metadata.name !== target.name)
      throw badRequest(
        `the name of the object (${object.metadata.name}) does not match the name on the URL (${target.name})`,
      )
    return inVersion(yield* this.#write(target, current, object, context), asked)
  }

  /** Changes an object by a function of its present state, as every kind of PATCH is. */
  *patch(asked: Target, change: (current: KubeObject) => unknown, context: RequestContext): Writing<KubeObject> {
    const target = storedTarget(asked)
    const current = this.#stored(target)
    const changed = change(inVersion(current, asked))
    const object = inVersion(decodeRequestObject(asked, changed, context), target, current)
    const { name } = object.metadata
    if (name !== target.name) throw badRequest('the name of the object may not be changed by a patch')
    return inVersion(yield* this.#write(target, current, object, context), asked)
  }

  /** Server-side apply: creates or changes. */
  *apply(asked: Target, config: unknown, context: RequestContext & { readonly force: boolean }): Writing<KubeObject> {
    const target = storedTarget(asked)
    const { definition, version, subresource } = target
    const applied = inVersion(decodeRequestObject(asked, config, context), target)
    if (applied.metadata.managedFields !== undefined && applied.metadata.managedFields.length > 0)
      throw badRequest('metadata.managedFields must be nil')
    delete applied.metadata.managedFields
    applied.metadata.name ??= target.name
    if (applied.metadata.name !== target.name)
      throw badRequest(
        `the name of the object (${applied.metadata.name}) does not match the name on the URL (${target.name})`,
      )
    const current = this.store.get(storageKey(definition), target.namespace, target.name)
    const live = current === undefined ? undefined : inVersion(current, target)
    const manager: Manager = { ...this.#manager(target, context), operation: 'Apply' }
    const merged = applyConfiguration({
      type: definition.type(version),
      live,
      config: applied,
      manager,
      statusIsApart: definition.status.has(version),
      force: context.force,
      time: timestamp(this.#now()),
    })
    if (current !== undefined)
      return inVersion(yield* this.#write(target, current, merged, context, merged.metadata.managedFields), asked)
    if (subresource !== undefined) throw notFound(definition.group, definition.resource, target.name)
    // An apply that creates owns exactly what it names, not the defaults.
    const entries = merged.metadata.managedFields
    const fresh = { ...merged, metadata: { ...merged.metadata, managedFields: undefined } }
    const object = cloneJson(yield* this.#prepare(target, cloneJson(fresh), context))
    object.metadata.managedFields = entries
    return inVersion(this.#add(target, object, context), asked)
  }

  /** Deletes or begins to delete; returns the object as it is then. */
  *delete(target: Target, options: DeleteOptions, context: RequestContext): Writing<Deletion> {
    const { definition } = target
    const current = this.#stored(target)
    const { uid, resourceVersion } = options.preconditions ?? {}
    const { metadata } = current
    if (uid !== undefined && uid !== metadata.uid) {
      const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`
      throw conflict(definition.group, definition.resource, target.name, why)
    }
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
      const why = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`
      throw conflict(definition.group, definition.resource, target.name, why)
    }
    const plan = planDeletion(definition, current, options, this.#now())
    if (plan.kind === 'refuse') throw forbidden(definition.group, definition.resource, target.name, plan.why)
    const point = { operation: 'DELETE', target, object: undefined, old: current, context } as const
    yield { phase: 'mutate', ...point }
    yield { phase: 'validate', ...point }
    if (this.#stored(target) !== current) throw new StateChangedError()
    if (context.dryRun) return { object: inVersion(current, target), gone: plan.kind === 'remove' }
    if (plan.kind === 'remove') {
      const last = this.store.remove(storageKey(definition), current)
      return { object: inVersion(last, target), gone: true }
    }
    if (plan.object === current) return { object: inVersion(current, target), gone: false }
    const stored = this.store.put(storageKey(definition), plan.object)
    return { object: inVersion(stored, target), gone: false }
  }

  *#write(
    target: Target,
    current: KubeObject,
    next: KubeObject,
    context: RequestContext,
    managed?: ManagedFieldsEntry[],
  ): Writing<KubeObject> {
    const { definition, subresource, version } = target
    const { group, resource } = definition
    const { resourceVersion, uid } = next.metadata
    if (resourceVersion && resourceVersion !== current.metadata.resourceVersion)
      throw conflict(group, resource, target.name, STALE_OBJECT)
    if (uid && uid !== current.metadata.uid)
      throw conflict(
        group,
        resource,
        target.name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
      )
    const rules = this.#components.rules(definition)
    const combine = (sent: KubeObject): KubeObject => {
      const combined = this.#combine(target, current, sent)
      this.#fill(target, rules, combined, current)
      if (subresource === undefined) rules.admitUpdate?.(combined, current, this.#components.environment, context)
      return combined
    }
    let object = combine(next)
    const point = { operation: 'UPDATE', target, old: current, context } as const
    const mutated = yield { phase: 'mutate', ...point, object }
    if (mutated !== undefined)
      object = combine(
        inVersion(decodeRequestObject(target, mutated, { ...context, fieldValidation: 'Ignore' }), target, current),
      )
    const specChanged = !jsonEqual(content(object), content(current))
    if (specChanged && subresource === undefined && hasGeneration(definition))
      object.metadata.generation = (current.metadata.generation ?? 0) + 1
    this.#validate(target, rules, object, current)
    yield { phase: 'validate', ...point, object }
    if (this.#stored(target) !== current) throw new StateChangedError()
    if (managed === undefined) {
      const sent = next.metadata.managedFields
      const own = jsonEqual(sent, current.metadata.managedFields) ? undefined : sent
      this.#own(target, inVersion(current, target), object, context, own)
    } else object.metadata.managedFields = managed
    if (jsonEqual(withoutTimes(object), withoutTimes(inVersion(current, { version, definition }))))
      return inVersion(current, target)
    if (context.dryRun) return object
    const key = storageKey(definition)
    const finished =
      object.metadata.deletionTimestamp !== undefined &&
      (object.metadata.finalizers ?? []).length === 0 &&
      !(definition.kind === 'Namespace' && namespaceFinalizers(object).length > 0) &&
      !(definition.kind === 'Pod' && (object.metadata.deletionGracePeriodSeconds ?? 0) > 0)
    if (finished) return inVersion(this.store.remove(key, object), target)
    const stored = this.store.put(key, object)
    return inVersion(stored, target)
  }

  /** Old and new state put together by what the request may change. */
  #combine(target: Target, current: KubeObject, next: KubeObject): KubeObject {
    const { definition, version, subresource } = target
    const { apiVersion } = next
    const old = cloneJson(current)
    if (subresource === 'status') {
      const meta =
        definition.kind === 'Node' || definition.kind === 'Pod'
          ? metadataForUpdate(old.metadata, next.metadata)
          : old.metadata
      return { ...old, apiVersion, metadata: meta, status: next['status'] }
    }
    if (subresource === 'finalize') {
      const spec = {
        ...(isObject(old['spec']) ? old['spec'] : {}),
        finalizers: isObject(next['spec']) ? next['spec']['finalizers'] : [],
      }
      return { ...old, apiVersion, spec }
    }
    if (subresource === 'ephemeralcontainers') return withEphemeralContainers(old, next)
    const object: KubeObject = cloneJson({ ...next, metadata: metadataForUpdate(old.metadata, next.metadata) })
    // New finalizers can't hold back what is already being deleted.
    if (old.metadata.deletionTimestamp !== undefined)
      object.metadata.finalizers = object.metadata.finalizers?.filter((name) => old.metadata.finalizers?.includes(name))
    if (definition.status.has(version)) {
      if (old['status'] === undefined) delete object['status']
      else object['status'] = old['status']
    }
    return object
  }

  #fill(target: Target, rules: KindRules, object: KubeObject, old: KubeObject | undefined): void {
    target.definition.custom?.(target.version)?.applyDefaults(object)
    rules.defaults?.(object, old)
  }

  #validate(target: Target, rules: KindRules, object: KubeObject, old: KubeObject | undefined): void {
    const { definition, version } = target
    const causes: StatusCause[] = [...validateMetadata(definition, object, old)]
    causes.push(...(definition.custom?.(version)?.validate(object, old) ?? []))
    causes.push(...(rules.validate?.(object, old) ?? []))
    if (causes.length > 0)
      throw invalid(definition.group, definition.kind, object.metadata.name ?? '', causes.slice(0, MAX_CAUSES))
  }

  #own(
    target: Target,
    before: KubeObject | undefined,
    after: KubeObject,
    context: RequestContext,
    sent: readonly ManagedFieldsEntry[] | undefined,
  ): void {
    const { definition, version } = target
    const entries = managedAfterUpdate({
      type: definition.type(version),
      before,
      after,
      manager: this.#manager(target, context),
      statusIsApart: definition.status.has(version),
      time: timestamp(this.#now()),
      sent,
    })
    if (entries.length > 0) after.metadata.managedFields = entries
    else delete after.metadata.managedFields
  }

  #manager(target: Target, context: RequestContext): Manager {
    const apiVersion = apiVersionOf(target.definition.group, target.version)
    return { manager: context.manager, operation: 'Update', apiVersion, subresource: target.subresource }
  }

  #stored(target: Target): KubeObject {
    const { definition, namespace, name } = target
    const object = this.store.get(storageKey(definition), namespace, name)
    if (object === undefined) throw notFound(definition.group, definition.resource, name)
    return object
  }

  #checkNamespace(definition: ResourceDefinition, namespace: string | undefined, name: string): void {
    if (!namespace) throw badRequest(`an empty namespace may not be set during creation of ${definition.resource}`)
    const found = this.store.get('/namespaces', undefined, namespace)
    if (found === undefined) throw notFound('', 'namespaces', namespace)
    if (found.metadata.deletionTimestamp !== undefined)
      throw new StatusError(
        403,
        'Forbidden',
        `${definition.resource} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
        {
          name,
          kind: definition.resource,
          causes: [
            {
              reason: 'NamespaceTerminating',
              message: `namespace ${namespace} is being terminated`,
              field: 'metadata.namespace',
            },
          ],
        },
      )
  }

  #now(): number {
    return this.#components.clock.now()
  }
}

function namespaceFinalizers(object: KubeObject): readonly unknown[] {
  const spec = object['spec']
  return isObject(spec) && Array.isArray(spec['finalizers']) ? spec['finalizers'] : []
}

function withoutTimes(object: KubeObject): unknown {
  const managedFields = object.metadata.managedFields?.map(({ time: _time, ...entry }) => entry)
  return { ...object, metadata: { ...object.metadata, resourceVersion: undefined, managedFields } }
}
