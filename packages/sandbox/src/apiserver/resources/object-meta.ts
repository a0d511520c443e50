import { randomInt, randomUUID } from 'node:crypto'
import type { KubeObject, ObjectMeta } from '../contract.types.ts'
import { isObject, textOf } from '../json.ts'
import { badRequest } from '../status-error.ts'

/** Letters Kubernetes draws generated names from: no vowels, so no words. */
const NAME_LETTERS = 'bcdfghjklmnpqrstvwxz2456789'
/** Longest base of a generated name: 63 less the five drawn characters. */
const MAX_GENERATED_BASE = 58

/** Five random characters as at the end of a pod's name. */
export function randomSuffix(): string {
  return Array.from({ length: 5 }, () => NAME_LETTERS[randomInt(NAME_LETTERS.length)]).join('')
}

/** A wall-clock time as the API writes it: whole seconds, UTC. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** Metadata of a new object: what the caller may say kept, what the server decides set. */
export function metadataForCreate(
  meta: ObjectMeta,
  namespace: string | undefined,
  nowMs: number,
  hasGeneration: boolean,
): ObjectMeta {
  const { name, generateName, labels, annotations, finalizers, ownerReferences } = meta
  const finalName = name ? name : generateName ? generateName.slice(0, MAX_GENERATED_BASE) + randomSuffix() : undefined
  return compact({
    name: finalName,
    generateName,
    namespace,
    uid: randomUUID(),
    generation: hasGeneration ? 1 : undefined,
    creationTimestamp: timestamp(nowMs),
    labels,
    annotations,
    finalizers,
    ownerReferences,
  })
}

/** Metadata of a changed object: the server's fields from the old one, the rest from the new one. */
export function metadataForUpdate(old: ObjectMeta, next: ObjectMeta): ObjectMeta {
  const { labels, annotations, finalizers, ownerReferences } = next
  return compact({ ...old, labels, annotations, finalizers, ownerReferences })
}

function compact(meta: ObjectMeta): ObjectMeta {
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(meta)) {
    if (value === undefined || value === null) continue
    if (Array.isArray(value) && value.length === 0) continue
    if (key !== 'labels' && key !== 'annotations') result[key] = value
    else if (Object.keys(value as object).length > 0) result[key] = value
  }
  return result
}

/** Checks that what came is an object with metadata and gives it its type. */
export function asKubeObject(value: unknown, apiVersion: string, kind: string): KubeObject {
  if (!isObject(value)) throw badRequest('the body must be an object')
  const sent = value['apiVersion']
  if (sent !== undefined && sent !== '' && sent !== apiVersion)
    throw badRequest(
      `the API version in the data (${textOf(sent)}) does not match the expected API version (${apiVersion})`,
    )
  const sentKind = value['kind']
  if (sentKind !== undefined && sentKind !== '' && sentKind !== kind)
    throw badRequest(`the kind in the data (${textOf(sentKind)}) does not match the expected kind (${kind})`)
  const metadata = value['metadata'] ?? {}
  if (!isObject(metadata)) throw badRequest('metadata must be an object')
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = value
  // Type first: that is how people expect to read it.
  return { apiVersion, kind, ...rest, metadata: { ...metadata } }
}
