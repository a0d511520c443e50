import { messageOf } from '@ambit/core'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, objectOf, textOf } from '../json.ts'
import { MAX_CEL_MS } from '../limits.ts'
import { storageKey } from '../resources/resource-definition.ts'
import type { ResourceRegistry } from '../resources/resource-registry.ts'
import type { AdmissionPoint } from '../resources/writing.ts'
import { StatusError } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { matchesLabelSelector } from '../store/selectors.ts'
import {
  type AdmissionExpressions,
  type Expression,
  expressionObject,
  expressionValue,
} from './admission-expressions.ts'
import { admissionRequest } from './admission-request.ts'
import { CelAuthorizer } from './cel-authorizer.ts'
import { type MatchConstraints, matchingVersion } from './match-rules.ts'

const GROUP = 'admissionregistration.k8s.io'
const POLICIES = `${GROUP}/validatingadmissionpolicies`
const BINDINGS = `${GROUP}/validatingadmissionpolicybindings`
/** HTTP status of the reasons a validation may name. */
const CODES: Readonly<Record<string, number>> = {
  Invalid: 422,
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
}

interface Validation {
  readonly text: string
  readonly run: Expression
  readonly message: string | undefined
  readonly messageExpression: Expression | undefined
  readonly reason: string
}

interface Policy {
  readonly object: KubeObject
  readonly match: MatchConstraints
  readonly conditions: readonly { readonly name: string; readonly run: Expression }[]
  readonly variables: readonly { readonly name: string; readonly run: Expression }[]
  readonly validations: readonly Validation[]
  readonly failsOpen: boolean
}

interface Bound {
  readonly policy: Policy
  readonly binding: KubeObject
  readonly match: MatchConstraints | undefined
}

type Finding = { readonly message: string; readonly reason: string }

/** ValidatingAdmissionPolicies and their bindings. */
export class AdmissionPolicies implements Disposable {
  readonly #store: ObjectStore
  readonly #registry: ResourceRegistry
  readonly #expressions: AdmissionExpressions
  readonly #now: () => number
  readonly #subscriptions: readonly Disposable[]
  #bound: readonly Bound[] | undefined

  constructor(store: ObjectStore, registry: ResourceRegistry, expressions: AdmissionExpressions, now: () => number) {
    this.#store = store
    this.#registry = registry
    this.#expressions = expressions
    this.#now = now
    const forget = (): void => void (this.#bound = undefined)
    this.#subscriptions = [store.subscribe(POLICIES, forget), store.subscribe(BINDINGS, forget)]
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]()
  }

  /** Bindings that concern a write. */
  at(point: AdmissionPoint): readonly Bound[] {
    return this.#list().filter(
      ({ policy, match }) =>
        matchingVersion(policy.match, point, this.#store) !== undefined &&
        (match === undefined || matchingVersion(match, point, this.#store) !== undefined),
    )
  }

  /** Throws the first refusal; warnings go to the request. */
  check(point: AdmissionPoint): void {
    const deadline = this.#now() + MAX_CEL_MS
    for (const bound of this.at(point)) {
      const { policy, binding } = bound
      const actions = arrayOf(at(binding, 'spec', 'validationActions'))
      const who = `ValidatingAdmissionPolicy '${policy.object.metadata.name}' with binding '${binding.metadata.name}'`
      for (const { message, reason } of this.#findings(bound, point, deadline)) {
        if (actions.includes('Warn')) point.context.warnings.push(`Validation failed for ${who}: ${message}`)
        if (actions.includes('Deny')) throw refusal(point, `${who} denied request: ${message}`, reason)
      }
    }
  }

  #findings(bound: Bound, point: AdmissionPoint, deadline: number): readonly Finding[] {
    const { policy } = bound
    const failure = (message: string): readonly Finding[] => (policy.failsOpen ? [] : [{ message, reason: 'Invalid' }])
    const version = matchingVersion(policy.match, point, this.#store) ?? point.target.version
    const parameters = this.#parameters(bound, point)
    if (typeof parameters === 'string') return [{ message: parameters, reason: 'Invalid' }]
    return parameters.flatMap((params) => {
      const variables = this.#variablesOf(policy, point, version, params)
      try {
        for (const { run } of policy.conditions) if (run(variables) !== true) return []
      } catch (error) {
        return failure(`a match condition could not be evaluated: ${messageOf(error)}`)
      }
      return policy.validations.flatMap((validation): readonly Finding[] => {
        if (this.#now() > deadline) return failure(`validation took longer than ${MAX_CEL_MS} ms`)
        try {
          if (validation.run(variables) === true) return []
        } catch (error) {
          return failure(`expression '${validation.text}' resulted in error: ${messageOf(error)}`)
        }
        return [{ message: messageFor(validation, variables), reason: validation.reason }]
      })
    })
  }

  #variablesOf(
    policy: Policy,
    point: AdmissionPoint,
    version: string,
    params: KubeObject | null,
  ): Readonly<Record<string, unknown>> {
    const { definition, namespace } = point.target
    const type = definition.type(version)
    const names: Record<string, unknown> = {}
    const base = {
      object: expressionObject(type, point.object),
      oldObject: expressionObject(type, point.old),
      request: expressionValue({ ...admissionRequest(point, version), object: null, oldObject: null }),
      params: expressionValue(params),
      namespaceObject: expressionValue(
        definition.namespaced ? this.#store.get('/namespaces', undefined, namespace ?? '') : null,
      ),
      variables: names,
      authorizer: new CelAuthorizer(this.#store, point.context.user),
    }
    for (const { name, run } of policy.variables)
      Object.defineProperty(names, name, {
        enumerable: true,
        configurable: true,
        get() {
          const value = run(base)
          Object.defineProperty(names, name, { value, enumerable: true })
          return value
        },
      })
    return base
  }

  /** The objects a binding's rules take as parameters, null for none; a text says what is missing. */
  #parameters({ policy, binding }: Bound, point: AdmissionPoint): readonly (KubeObject | null)[] | string {
    const kind = at(policy.object, 'spec', 'paramKind')
    const reference = at(binding, 'spec', 'paramRef')
    if (!isObject(kind) || !isObject(reference)) return isObject(kind) ? 'no params found for policy binding' : [null]
    const [group = '', version = ''] = textOf(kind['apiVersion']).includes('/')
      ? textOf(kind['apiVersion']).split('/')
      : ['', textOf(kind['apiVersion'])]
    const definition = this.#registry.findKind(group, textOf(kind['kind']))
    if (definition === undefined || !definition.versions.includes(version))
      return `failed to find the parameter kind ${textOf(kind['apiVersion'])} ${textOf(kind['kind'])}`
    const namespace = definition.namespaced ? textOf(reference['namespace'] ?? point.target.namespace ?? '') : undefined
    const { name, selector } = reference
    const found = this.#store
      .list(storageKey(definition), namespace)
      .filter((object) =>
        name === undefined
          ? matchesLabelSelector(selector, object.metadata.labels ?? {})
          : object.metadata.name === name,
      )
    if (found.length > 0) return found
    return reference['parameterNotFoundAction'] === 'Allow'
      ? []
      : 'no params found for policy binding with `Deny` parameterNotFoundAction'
  }

  #list(): readonly Bound[] {
    if (this.#bound !== undefined) return this.#bound
    const policies = new Map(
      this.#store.list(POLICIES).map((object) => [object.metadata.name ?? '', this.#compile(object)]),
    )
    this.#bound = this.#store.list(BINDINGS).flatMap((binding) => {
      const policy = policies.get(textOf(at(binding, 'spec', 'policyName')))
      if (policy === undefined) return []
      const resources = at(binding, 'spec', 'matchResources')
      const rules = arrayOf(at(resources, 'resourceRules'))
      // Without rules of its own a binding narrows the policy's only by its selectors.
      const match = isObject(resources)
        ? { ...constraintsOf(resources), rules: rules.length > 0 ? rules : policy.match.rules }
        : undefined
      return [{ policy, binding, match }]
    })
    return this.#bound
  }

  #compile(object: KubeObject): Policy {
    const spec = objectOf(object['spec'])
    const named = (item: unknown): { name: string; run: Expression } => ({
      name: textOf(at(item, 'name')),
      run: this.#expressions.compile(textOf(at(item, 'expression'))),
    })
    return {
      object,
      match: constraintsOf(objectOf(spec['matchConstraints'])),
      conditions: arrayOf(spec['matchConditions']).map(named),
      variables: arrayOf(spec['variables']).map(named),
      failsOpen: spec['failurePolicy'] === 'Ignore',
      validations: arrayOf(spec['validations']).map((item) => {
        const { expression, message, messageExpression, reason } = objectOf(item)
        return {
          text: textOf(expression),
          run: this.#expressions.compile(textOf(expression)),
          message: typeof message === 'string' && message !== '' ? message : undefined,
          messageExpression:
            typeof messageExpression === 'string' ? this.#expressions.compile(messageExpression) : undefined,
          reason: typeof reason === 'string' ? reason : 'Invalid',
        }
      }),
    }
  }
}

function constraintsOf(resources: Readonly<Record<string, unknown>>): MatchConstraints {
  return {
    rules: arrayOf(resources['resourceRules']),
    excludeRules: arrayOf(resources['excludeResourceRules']),
    namespaceSelector: resources['namespaceSelector'],
    objectSelector: resources['objectSelector'],
    equivalent: resources['matchPolicy'] !== 'Exact',
  }
}

function messageFor(validation: Validation, variables: Readonly<Record<string, unknown>>): string {
  try {
    const text = validation.messageExpression?.(variables)
    if (typeof text === 'string' && text.trim() !== '') return text.trim()
  } catch {
    // The plain message stands in.
  }
  return validation.message ?? `failed expression: ${validation.text.trim()}`
}

function refusal({ target, object, old }: AdmissionPoint, message: string, reason: string): StatusError {
  const { group, resource } = target.definition
  const name = object?.metadata.name ?? old?.metadata.name ?? target.name
  const qualified = group === '' ? resource : `${resource}.${group}`
  const details = { name, group, kind: resource, causes: [{ reason: '', message }] }
  return new StatusError(CODES[reason] ?? 422, reason, `${qualified} "${name}" is forbidden: ${message}`, details)
}
