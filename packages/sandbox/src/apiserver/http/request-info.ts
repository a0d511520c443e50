/** What a path asks for, before anything is looked up. */
export interface RequestInfo {
  readonly group: string
  readonly version: string
  readonly namespace: string
  readonly resource: string
  readonly name: string
  readonly subresource: string
  /** What follows the subresource, as in /proxy/some/path. */
  readonly rest: string
}

const DNS = /^[-a-zA-Z0-9._:]+$/

/** Takes a path of the resource API apart; undefined for every other path or one that can't be decoded. */
export function parseResourcePath(path: string): RequestInfo | undefined {
  let parts: string[]
  try {
    parts = path.split('/').slice(1).map(decodeURIComponent)
  } catch {
    return undefined
  }
  const root = parts.shift()
  let group = ''
  if (root === 'apis') group = parts.shift() ?? ''
  else if (root !== 'api') return undefined
  const version = parts.shift() ?? ''
  if (root === 'apis' && group === '') return undefined
  if (!/^v\d\w*$/.test(version) || !/^[-a-z0-9.]*$/.test(group)) return undefined
  // Subresources of namespaces look like resources in one.
  let namespace = ''
  const [, second, third] = parts
  const isNamespaceItself = parts.length <= 2 || (parts.length === 3 && (third === 'status' || third === 'finalize'))
  if (group === '' && parts[0] === 'namespaces' && isNamespaceItself) namespace = ''
  else if (parts[0] === 'namespaces' && second !== undefined) {
    namespace = second
    parts = parts.slice(2)
  }
  const [resource = '', name = '', subresource = '', ...rest] = parts
  if (resource === '' || !DNS.test(resource)) return undefined
  return { group, version, namespace, resource, name, subresource, rest: rest.join('/') }
}

/** RBAC's verb for a request. */
export function verbOf(method: string, info: RequestInfo, watch: boolean): string {
  switch (method) {
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return info.name === '' ? 'deletecollection' : 'delete'
    default:
      if (watch) return 'watch'
      return info.name === '' ? 'list' : 'get'
  }
}
