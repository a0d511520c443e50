import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, jsonEqual, textOf } from '../json.ts'
import type { RequestContext, UserInfo } from '../resources/request-context.ts'
import { forbidden, notFound } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { authorize, rulesFor } from './rbac.ts'

const RBAC = 'rbac.authorization.k8s.io'

/** Nobody gives away by a role or a binding what they don't hold, unless they may `escalate` or `bind`. */
export function checkEscalation(
  store: ObjectStore,
  object: KubeObject,
  old: KubeObject | undefined,
  { user }: Pick<RequestContext, 'user'>,
): void {
  if (user.groups.includes('system:masters')) return
  const { kind } = object
  const { namespace = '', name = '' } = object.metadata
  const resource = `${kind.toLowerCase()}s`
  if (kind === 'Role' || kind === 'ClusterRole') {
    const same = (key: string): boolean => old !== undefined && jsonEqual(object[key], old[key])
    if (same('rules') && same('aggregationRule')) return
    if (may(store, user, 'escalate', resource, namespace, name)) return
    const everything = [
      { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
      { nonResourceURLs: ['*'], verbs: ['*'] },
    ]
    const aggregates = object['aggregationRule'] !== undefined && !same('aggregationRule')
    return requireHeld(store, user, resource, object, aggregates ? everything : arrayOf(object['rules']))
  }
  const role = object['roleRef']
  if (old !== undefined && jsonEqual(role, old['roleRef']) && jsonEqual(object['subjects'], old['subjects'])) return
  const roleName = textOf(at(role, 'name') ?? '')
  const isCluster = at(role, 'kind') === 'ClusterRole'
  const roles = isCluster ? 'clusterroles' : 'roles'
  if (may(store, user, 'bind', roles, namespace, roleName)) return
  const bound = store.get(`${RBAC}/${roles}`, isCluster ? undefined : namespace, roleName)
  if (bound === undefined) throw notFound(RBAC, roles, roleName)
  requireHeld(store, user, resource, object, arrayOf(bound['rules']))
}

function may(
  store: ObjectStore,
  user: UserInfo,
  verb: string,
  resource: string,
  namespace: string,
  name: string,
): boolean {
  return authorize(store, user, {
    verb,
    resource: { group: RBAC, resource, subresource: '', namespace, name },
    path: '',
  }).allowed
}

function requireHeld(
  store: ObjectStore,
  user: UserInfo,
  resource: string,
  object: KubeObject,
  rules: readonly unknown[],
): void {
  const { namespace = '', name = '' } = object.metadata
  const held = rulesFor(store, user, namespace).flatMap((item) => item.rules)
  const missing = rules.filter((rule) => !isHeld(held, rule))
  if (missing.length === 0) return
  const groups = user.groups.map((group) => JSON.stringify(group)).join(' ')
  const list = missing.map(ruleText).join('\n')
  const why = `user ${JSON.stringify(user.username)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${list}`
  throw forbidden(RBAC, resource, name, why)
}

/** Whether every single permission of a rule is in one of the held ones. */
function isHeld(held: readonly unknown[], rule: unknown): boolean {
  const list = (field: string): readonly unknown[] => arrayOf(at(rule, field))
  const verbs = list('verbs')
  const urls = list('nonResourceURLs')
  if (urls.length > 0)
    return verbs.every((verb) =>
      urls.every((url) => held.some((own) => has(own, 'verbs', verb) && coversUrl(own, textOf(url)))),
    )
  const names = list('resourceNames')
  return verbs.every((verb) =>
    list('apiGroups').every((group) =>
      list('resources').every((resource) =>
        (names.length === 0 ? [undefined] : names).every((name) =>
          held.some(
            (own) =>
              has(own, 'verbs', verb) &&
              has(own, 'apiGroups', group) &&
              coversResource(own, textOf(resource)) &&
              coversName(own, name),
          ),
        ),
      ),
    ),
  )
}

function has(rule: unknown, field: string, value: unknown): boolean {
  const items = arrayOf(at(rule, field))
  return items.includes('*') || items.includes(value)
}

function coversResource(rule: unknown, resource: string): boolean {
  const [, subresource] = resource.split('/')
  const items = arrayOf(at(rule, 'resources'))
  return (
    items.includes('*') || items.includes(resource) || (subresource !== undefined && items.includes(`*/${subresource}`))
  )
}

function coversName(rule: unknown, name: unknown): boolean {
  const names = arrayOf(at(rule, 'resourceNames'))
  return names.length === 0 || (name !== undefined && names.includes(name))
}

function coversUrl(rule: unknown, url: string): boolean {
  return arrayOf(at(rule, 'nonResourceURLs')).some((item) => {
    const own = textOf(item)
    return own === '*' || own === url || (own.endsWith('*') && url.startsWith(own.slice(0, -1)))
  })
}

function ruleText(rule: unknown): string {
  const parts = [
    ['APIGroups', 'apiGroups'],
    ['Resources', 'resources'],
    ['ResourceNames', 'resourceNames'],
    ['NonResourceURLs', 'nonResourceURLs'],
    ['Verbs', 'verbs'],
  ].flatMap(([name, field = '']) => {
    const items = arrayOf(at(rule, field))
    return items.length === 0 ? [] : [`${name}:[${items.map((item) => JSON.stringify(item)).join(', ')}]`]
  })
  return `{${parts.join(', ')}}`
}
