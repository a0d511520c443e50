import type { UserInfo } from '../resources/request-context.ts'
import { badRequest, StatusError } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type AccessQuestion, authorize } from './rbac.ts'

const AUTHENTICATION = 'authentication.k8s.io'

type Headers = Readonly<Record<string, readonly string[] | undefined>>

/** The user a request acts for (`kubectl --as`), if the caller may impersonate; the caller without such headers. */
export function impersonate(store: ObjectStore, caller: UserInfo, headers: Headers): UserInfo {
  const [username] = headers['impersonate-user'] ?? []
  const groups = headers['impersonate-group'] ?? []
  const [uid] = headers['impersonate-uid'] ?? []
  const extra = extrasOf(headers)
  if (username === undefined) {
    if (groups.length > 0 || uid !== undefined || Object.keys(extra).length > 0)
      throw badRequest('impersonation names groups, extras or a uid but no user')
    return caller
  }
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username)
  if (account === null) require(store, caller, 'users', username)
  else require(store, caller, 'serviceaccounts', account[2] ?? '', account[1])
  for (const group of groups) require(store, caller, 'groups', group)
  if (uid !== undefined) require(store, caller, 'uids', uid, '', AUTHENTICATION)
  for (const [key, values] of Object.entries(extra))
    for (const value of values) require(store, caller, `userextras/${key}`, value, '', AUTHENTICATION)
  const implied = account === null ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`]
  const more = { ...(uid === undefined ? {} : { uid }), ...(Object.keys(extra).length === 0 ? {} : { extra }) }
  return { username, ...more, groups: [...groups, ...(groups.length === 0 ? implied : []), 'system:authenticated'] }
}

/** `Impersonate-Extra-KEY`, keys percent-encoded. */
function extrasOf(headers: Headers): Readonly<Record<string, readonly string[]>> {
  const prefix = 'impersonate-extra-'
  const found: Record<string, readonly string[]> = {}
  for (const [name, values] of Object.entries(headers)) {
    if (!name.startsWith(prefix) || values === undefined) continue
    const key = name.slice(prefix.length)
    if (!/^[\w.%~-]+$/.test(key)) throw badRequest(`the impersonation header ${name} names no key`)
    try {
      found[decodeURIComponent(key)] = values
    } catch {
      throw badRequest(`the impersonation header ${name} is not percent-encoded`)
    }
  }
  return found
}

function require(
  store: ObjectStore,
  caller: UserInfo,
  path: string,
  name: string,
  namespace: string = '',
  group: string = '',
): void {
  const [resource = '', subresource = ''] = path.split(/\/(.*)/s)
  const question: AccessQuestion = {
    verb: 'impersonate',
    resource: { group, resource, subresource, namespace, name },
    path: '',
  }
  if (authorize(store, caller, question).allowed) return
  const message = `${resource} "${name}" is forbidden: User "${caller.username}" cannot impersonate resource "${path}" in API group "${group}" at the cluster scope`
  throw new StatusError(403, 'Forbidden', message, { name, kind: resource })
}
