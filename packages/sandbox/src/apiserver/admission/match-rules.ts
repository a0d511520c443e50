import { arrayOf, at, objectOf, textOf } from '../json.ts'
import type { ResourceDefinition } from '../resources/resource-definition.ts'
import type { AdmissionPoint } from '../resources/writing.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { matchesLabelSelector } from '../store/selectors.ts'

/** What a webhook or a policy is asked about, as its configuration says it. */
export interface MatchConstraints {
  readonly rules: readonly unknown[]
  readonly excludeRules?: readonly unknown[] | undefined
  readonly namespaceSelector: unknown
  readonly objectSelector: unknown
  /** Rules mean the kind, whichever of its versions they name. */
  readonly equivalent: boolean
}

/**
 * The version to send a write in, or undefined when the constraints don't cover it.
 */
export function matchingVersion(
  constraints: MatchConstraints,
  point: AdmissionPoint,
  store: ObjectStore,
): string | undefined {
  const { definition, version } = point.target
  const candidates = constraints.equivalent ? [version, ...definition.versions] : [version]
  const found = candidates.find((each) => constraints.rules.some((rule) => covers(rule, point, each)))
  if (found === undefined) return undefined
  if (constraints.excludeRules?.some((rule) => covers(rule, point, found)) === true) return undefined
  if (!selectsNamespace(constraints.namespaceSelector, point, store)) return undefined
  return selectsObject(constraints.objectSelector, point) ? found : undefined
}

function covers(rule: unknown, { operation, target }: AdmissionPoint, version: string): boolean {
  const has = (field: string, value: string): boolean => {
    const items = arrayOf(at(rule, field))
    return items.includes('*') || items.includes(value)
  }
  const { definition, subresource } = target
  if (!has('operations', operation) || !has('apiGroups', definition.group) || !has('apiVersions', version)) return false
  const names = arrayOf(at(rule, 'resourceNames'))
  if (names.length > 0 && !names.includes(target.name)) return false
  return hasScope(at(rule, 'scope'), definition) && arrayOf(at(rule, 'resources')).some(isResource)

  function isResource(item: unknown): boolean {
    const [resource = '', sub] = textOf(item).split('/')
    if (resource !== '*' && resource !== definition.resource) return false
    // A plain star is resources without their subresources.
    return sub === undefined ? subresource === undefined : sub === '*' || sub === subresource
  }
}

function hasScope(scope: unknown, definition: ResourceDefinition): boolean {
  if (scope === 'Cluster') return !definition.namespaced
  return scope === 'Namespaced' ? definition.namespaced : true
}

function isEmpty(selector: unknown): boolean {
  const { matchLabels, matchExpressions } = objectOf(selector)
  return Object.keys(objectOf(matchLabels)).length === 0 && arrayOf(matchExpressions).length === 0
}

/** Namespaces are selected by their own labels, other objects without one always. */
function selectsNamespace(selector: unknown, { target, object, old }: AdmissionPoint, store: ObjectStore): boolean {
  if (isEmpty(selector)) return true
  const isNamespace = target.definition.group === '' && target.definition.kind === 'Namespace'
  if (!target.definition.namespaced && !isNamespace) return true
  const namespace = isNamespace ? (object ?? old) : store.get('/namespaces', undefined, target.namespace ?? '')
  return matchesLabelSelector(selector, namespace?.metadata.labels ?? {})
}

function selectsObject(selector: unknown, { object, old }: AdmissionPoint): boolean {
  if (isEmpty(selector)) return true
  return [object, old].some((each) => each !== undefined && matchesLabelSelector(selector, each.metadata.labels ?? {}))
}
