import { isRecord, type Json, list } from '../watch/json.ts'

export type MergeVerdict = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly reason: string }

/** Lists that merge by a key, by field name, as Kubernetes' types of the five kinds say; all others are replaced. */
const MERGE_KEYS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ...[
    'containers',
    'initContainers',
    'ephemeralContainers',
    'env',
    'volumes',
    'imagePullSecrets',
    'secrets',
    'resourceClaims',
    'schedulingGates',
  ].map((field) => [field, ['name']] as const),
  ['volumeMounts', ['mountPath']],
  ['volumeDevices', ['devicePath']],
  ['hostAliases', ['ip']],
  ['topologySpreadConstraints', ['topologyKey']],
  ['ownerReferences', ['uid']],
  // Of a container, or of a Service.
  ['ports', ['containerPort', 'port']],
])
/** A field with alternatives, of which a patch that names one keeps only what it names. */
const RETAIN_KEYS_WORD = '$retainKeys'
const PATCH_WORD = '$patch'

class PatchError extends Error {}

/**
 * A strategic merge patch on an object: maps merge, `null` removes, lists with a merge key merge item by item, other
 * lists are replaced; `$patch: delete` and `$patch: replace` work on maps and on items. A directive nobody here knows
 * is refused, not ignored.
 */
export function strategicMerge(object: Json, patch: Json): MergeVerdict {
  try {
    return { ok: true, value: mergeMaps(object, patch) ?? {} }
  } catch (error) {
    if (error instanceof PatchError) return { ok: false, reason: error.message }
    throw error
  }
}

/** Undefined: the patch deletes the map. */
function mergeMaps(object: Json, patch: Json): Json | undefined {
  const directive = patch[PATCH_WORD]
  if (directive === 'delete') return undefined
  const plain = withoutDirectives(patch)
  if (directive === 'replace') return plain
  if (directive !== undefined && directive !== 'merge')
    throw new PatchError(`${PATCH_WORD}: ${JSON.stringify(directive)} is not known`)
  const kept = patch[RETAIN_KEYS_WORD] === undefined ? undefined : new Set(list(patch[RETAIN_KEYS_WORD]))
  const merged = new Map(Object.entries(object).filter(([key]) => kept === undefined || kept.has(key)))
  for (const [key, value] of Object.entries(plain)) {
    const next = mergeField(key, merged.get(key), value)
    if (next === undefined) merged.delete(key)
    else merged.set(key, next)
  }
  return Object.fromEntries(merged)
}

function mergeField(key: string, present: unknown, patch: unknown): unknown {
  if (patch === null) return undefined
  if (isRecord(patch)) return mergeMaps(isRecord(present) ? present : {}, patch)
  if (!Array.isArray(patch)) return patch
  const keys = MERGE_KEYS.get(key)
  return keys === undefined ? patch : mergeLists(key, keys, list(present), list(patch))
}

function mergeLists(
  field: string,
  keys: readonly string[],
  present: readonly unknown[],
  patch: readonly unknown[],
): readonly unknown[] {
  let merged: unknown[] = [...present]
  for (const item of patch) {
    if (!isRecord(item)) throw new PatchError(`an item of ${field} is no object`)
    const key = keys.find((name) => item[name] !== undefined)
    if (key === undefined) {
      if (item[PATCH_WORD] !== 'replace') throw new PatchError(`an item of ${field} has no ${keys.join(' or ')}`)
      // Alone in the list, it stands for the list: what follows replaces all.
      merged = []
      continue
    }
    const at = merged.findIndex((other) => isRecord(other) && other[key] === item[key])
    const next = mergeMaps(at < 0 ? {} : (merged[at] as Json), item)
    if (next === undefined) merged = merged.filter((_, index) => index !== at)
    else if (at < 0) merged.push(next)
    else merged[at] = next
  }
  return merged
}

function withoutDirectives(patch: Json): Json {
  const unknown = Object.keys(patch).find(
    (key) => key.startsWith('$') && key !== PATCH_WORD && key !== RETAIN_KEYS_WORD,
  )
  if (unknown !== undefined) throw new PatchError(`the directive ${unknown} is not supported`)
  return Object.fromEntries(Object.entries(patch).filter(([key]) => !key.startsWith('$')))
}
