import type { UserInfo } from '../resources/request-context.ts'
import { badRequest, StatusError } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type AccessQuestion, authorize } from './rbac.ts'

type Headers = Readonly<Record<string, readonly string[] | undefined>>

/** The user a request acts for (`kubectl --as`), if the caller may impersonate; the caller without such headers. */
export function impersonate(store: ObjectStore, caller: UserInfo, headers: Headers): UserInfo {
  const [username] = headers['impersonate-user'] ?? []
  const groups = headers['impersonate-group'] ?? []
  const extra = Object.keys(headers).filter(
    (name) => name.startsWith('impersonate-extra-') || name === 'impersonate-uid',
  )
  if (username === undefined) {
    if (groups.length > 0 || extra.length > 0) throw badRequest('impersonation names groups or extras but no user')
    return caller
  }
  if (extra.length > 0) throw badRequest('impersonation of uid and extra is not served')
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username)
  if (account === null) require(store, caller, 'users', username)
  else require(store, caller, 'serviceaccounts', account[2] ?? '', account[1])
  for (const group of groups) require(store, caller, 'groups', group)
  const implied = account === null ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`]
  return { username, groups: [...groups, ...(groups.length === 0 ? implied : []), 'system:authenticated'] }
}

function require(store: ObjectStore, caller: UserInfo, resource: string, name: string, namespace = ''): void {
  const resourceOf = { group: '', resource, subresource: '', namespace, name }
  const question: AccessQuestion = { verb: 'impersonate', resource: resourceOf, path: '' }
  if (authorize(store, caller, question).allowed) return
  const message = `${resource} "${name}" is forbidden: User "${caller.username}" cannot impersonate resource "${resource}" in API group "" at the cluster scope`
  throw new StatusError(403, 'Forbidden', message, { name, kind: resource })
}
