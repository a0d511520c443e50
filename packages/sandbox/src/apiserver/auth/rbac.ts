import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, textOf } from '../json.ts'
import type { UserInfo } from '../resources/request-context.ts'
import type { ObjectStore } from '../store/object-store.ts'

export interface AccessQuestion {
  readonly verb: string
  /** Present for resource requests. */
  readonly resource?:
    | {
        readonly group: string
        readonly resource: string
        readonly subresource: string
        readonly namespace: string
        readonly name: string
      }
    | undefined
  readonly path: string
}

export interface AccessVerdict {
  readonly allowed: boolean
  readonly reason: string
}

const RBAC = 'rbac.authorization.k8s.io'

/** Evaluates the stored roles and bindings; members of system:masters may do everything. */
export function authorize(store: ObjectStore, user: UserInfo, question: AccessQuestion): AccessVerdict {
  if (user.groups.includes('system:masters')) return { allowed: true, reason: 'member of system:masters' }
  for (const { rules, reason } of rulesFor(store, user, question.resource?.namespace ?? ''))
    if (rules.some((rule) => covers(rule, question))) return { allowed: true, reason }
  return { allowed: false, reason: '' }
}

/** All rules that apply to a user in a namespace. */
export function rulesFor(
  store: ObjectStore,
  user: UserInfo,
  namespace: string,
): readonly { readonly rules: readonly unknown[]; readonly reason: string }[] {
  const found: { rules: readonly unknown[]; reason: string }[] = []
  const take = (binding: KubeObject, roles: string, roleNamespace: string | undefined): void => {
    if (!arrayOf(binding['subjects']).some((subject) => isSubject(subject, user, binding.metadata.namespace ?? '')))
      return
    const name = String(at(binding, 'roleRef', 'name'))
    const role = store.get(`${RBAC}/${roles}`, roleNamespace, name)
    const reason = `RBAC: allowed by ${binding.kind} "${binding.metadata.name}" of ${roles === 'roles' ? 'Role' : 'ClusterRole'} "${name}" to ${user.username}`
    if (role !== undefined) found.push({ rules: arrayOf(role['rules']), reason })
  }
  for (const binding of store.list(`${RBAC}/clusterrolebindings`)) take(binding, 'clusterroles', undefined)
  if (namespace === '') return found
  for (const binding of store.list(`${RBAC}/rolebindings`, namespace)) {
    if (at(binding, 'roleRef', 'kind') === 'ClusterRole') take(binding, 'clusterroles', undefined)
    else take(binding, 'roles', namespace)
  }
  return found
}

function isSubject(subject: unknown, user: UserInfo, bindingNamespace: string): boolean {
  const name = String(at(subject, 'name'))
  switch (at(subject, 'kind')) {
    case 'User':
      return name === user.username
    case 'Group':
      return user.groups.includes(name)
    case 'ServiceAccount': {
      const namespace = at(subject, 'namespace') ?? bindingNamespace
      return user.username === `system:serviceaccount:${textOf(namespace)}:${name}`
    }
    default:
      return false
  }
}

function covers(rule: unknown, { verb, resource, path }: AccessQuestion): boolean {
  const has = (field: string, value: string): boolean => {
    const items = arrayOf(at(rule, field))
    return items.includes('*') || items.includes(value)
  }
  if (!has('verbs', verb)) return false
  if (resource === undefined)
    return arrayOf(at(rule, 'nonResourceURLs')).some((url) => {
      if (typeof url !== 'string') return false
      return url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)))
    })
  if (!has('apiGroups', resource.group)) return false
  const full = resource.subresource === '' ? resource.resource : `${resource.resource}/${resource.subresource}`
  const named = arrayOf(at(rule, 'resources'))
  if (
    !named.includes('*') &&
    !named.includes(full) &&
    !(resource.subresource !== '' && named.includes(`*/${resource.subresource}`))
  )
    return false
  const names = arrayOf(at(rule, 'resourceNames'))
  return names.length === 0 || (resource.name !== '' && names.includes(resource.name))
}
