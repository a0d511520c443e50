import { isObject, jsonEqual, setMember } from '../json.ts'
import { MAX_PATCH_OPERATIONS } from '../limits.ts'
import { badRequest, StatusError } from '../status-error.ts'

/** Applies an RFC 6902 patch to a copy of a document. */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch must be an array of operations')
  if (patch.length > MAX_PATCH_OPERATIONS) throw badRequest(`a JSON patch may have ${MAX_PATCH_OPERATIONS} operations`)
  const root = { document: structuredClone(document) }
  for (const operation of patch as unknown[]) applyOperation(root, operation)
  return root.document
}

function applyOperation(root: { document: unknown }, operation: unknown): void {
  if (!isObject(operation)) throw badRequest('an operation of a JSON patch must be an object')
  const path = pointer(operation['path'])
  switch (operation['op']) {
    case 'add':
      return add(root, path, structuredClone(operation['value']))
    case 'remove':
      remove(root, path)
      return
    case 'replace':
      remove(root, path)
      return add(root, path, structuredClone(operation['value']))
    case 'move': {
      const value = remove(root, pointer(operation['from']))
      return add(root, path, value)
    }
    case 'copy':
      return add(root, path, structuredClone(read(root, pointer(operation['from']))))
    case 'test':
      if (jsonEqual(read(root, path), operation['value'])) return
      throw unprocessable(`testing value ${String(operation['path'])} failed: test failed`)
    default:
      throw badRequest(`unexpected kind of JSON patch operation: ${JSON.stringify(operation['op'])}`)
  }
}

function pointer(text: unknown): readonly string[] {
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/')))
    throw badRequest(`not a JSON pointer: ${JSON.stringify(text)}`)
  if (text === '') return []
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function read(root: { document: unknown }, path: readonly string[]): unknown {
  let here = root.document
  for (const key of path) {
    if (Array.isArray(here)) here = here[index(key, here.length - 1, path)]
    else if (isObject(here) && Object.hasOwn(here, key)) here = here[key]
    else throw missing(path)
  }
  return here
}

function add(root: { document: unknown }, path: readonly string[], value: unknown): void {
  const last = path.at(-1)
  if (last === undefined) {
    root.document = value
    return
  }
  const parent = read(root, path.slice(0, -1))
  if (Array.isArray(parent)) parent.splice(last === '-' ? parent.length : index(last, parent.length, path), 0, value)
  else if (isObject(parent)) setMember(parent, last, value)
  else throw missing(path)
}

function remove(root: { document: unknown }, path: readonly string[]): unknown {
  const value = read(root, path)
  const last = path.at(-1)
  if (last === undefined) {
    root.document = undefined
    return value
  }
  const parent = read(root, path.slice(0, -1))
  if (Array.isArray(parent)) parent.splice(index(last, parent.length - 1, path), 1)
  else if (isObject(parent)) delete parent[last]
  return value
}

function index(key: string, max: number, path: readonly string[]): number {
  if (!/^(0|[1-9]\d{0,8})$/.test(key) || Number(key) > max) throw missing(path)
  return Number(key)
}

function missing(path: readonly string[]): StatusError {
  return unprocessable(`the path /${path.join('/')} of the JSON patch is missing in the object`)
}

function unprocessable(message: string): StatusError {
  return new StatusError(422, 'Invalid', message)
}
