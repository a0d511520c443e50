import type { KubeObject, ManagedFieldsEntry } from '../contract.types.ts'
import { MAX_UPDATE_MANAGERS } from '../limits.ts'
import type { TypeNode } from '../schema/type-node.ts'
import { type StatusCause, StatusError } from '../status-error.ts'
import {
  difference,
  differenceBelow,
  EMPTY_SET,
  equalSets,
  type FieldSet,
  fromFieldsV1,
  intersection,
  isEmpty,
  only,
  readablePaths,
  toFieldsV1,
  union,
  without,
} from './field-set.ts'
import { changedFields, fieldSetOf, mergeApplied, removeFields } from './typed-walk.ts'

export interface Manager {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string | undefined
}

interface Entry extends Manager {
  readonly set: FieldSet
  readonly time: string | undefined
}

/** What nobody owns: the server's own fields. */
const UNOWNED: readonly (readonly string[])[] = [
  ['f:apiVersion'],
  ['f:kind'],
  ...[
    'name',
    'namespace',
    'uid',
    'resourceVersion',
    'generation',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'selfLink',
    'managedFields',
  ].map((name) => ['f:metadata', `f:${name}`]),
]

function owned(set: FieldSet, statusIsApart: boolean, subresource: string | undefined): FieldSet {
  const named = without(set, UNOWNED)
  const metadata = named.children.get('f:metadata')
  const children = new Map(named.children)
  // `metadata` itself is always there and belongs to nobody.
  if (metadata?.member === true)
    if (metadata.children.size > 0) children.set('f:metadata', { member: false, children: metadata.children })
    else children.delete('f:metadata')
  const cleaned: FieldSet = { member: false, children }
  if (subresource === 'status') return only(cleaned, ['f:status'])
  return statusIsApart ? without(cleaned, [['f:status']]) : cleaned
}

function decode(entries: readonly ManagedFieldsEntry[] | undefined): readonly Entry[] {
  const decoded: Entry[] = []
  for (const entry of entries ?? []) {
    const set = fromFieldsV1(entry.fieldsV1)
    if (set === undefined || isEmpty(set)) continue
    const { manager = 'unknown', operation, apiVersion, subresource, time } = entry
    decoded.push({ manager, operation, apiVersion, subresource, time, set })
  }
  return decoded
}

function encode(entries: readonly Entry[]): ManagedFieldsEntry[] {
  const kept = entries.filter((entry) => !isEmpty(entry.set))
  const applies = kept.filter((entry) => entry.operation === 'Apply')
  let updates = kept.filter((entry) => entry.operation === 'Update')
  updates = updates.toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : (a.time ?? '') > (b.time ?? '') ? 1 : 0))
  while (updates.length > MAX_UPDATE_MANAGERS) {
    const [first, second, ...rest] = updates
    if (first === undefined || second === undefined) break
    updates = [{ ...second, manager: 'ancient-changes', set: union(first.set, second.set) }, ...rest]
  }
  return [...applies, ...updates].map((entry) => ({
    manager: entry.manager,
    operation: entry.operation,
    apiVersion: entry.apiVersion,
    ...(entry.time === undefined ? {} : { time: entry.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(entry.set),
    ...(entry.subresource === undefined ? {} : { subresource: entry.subresource }),
  }))
}

function same(a: Manager, b: Manager): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.apiVersion === b.apiVersion &&
    a.subresource === b.subresource
  )
}

export interface UpdateInput {
  readonly type: TypeNode
  readonly before: KubeObject | undefined
  readonly after: KubeObject
  readonly manager: Manager
  readonly statusIsApart: boolean
  readonly time: string
  /** What the caller sent as managedFields when it changed them itself. */
  readonly sent?: readonly ManagedFieldsEntry[] | undefined
}

/** managedFields after a create, update or patch: its manager owns what it changed, others lose it. */
export function managedAfterUpdate(input: UpdateInput): ManagedFieldsEntry[] {
  const { type, before, after, manager, statusIsApart, time } = input
  const entries = decode(input.sent ?? before?.metadata.managedFields)
  const changed = owned(changedFields(type, before, after), statusIsApart, manager.subresource)
  const all = fieldSetOf(type, after)
  const removed = before === undefined ? EMPTY_SET : difference(fieldSetOf(type, before), all)
  const result: Entry[] = []
  let found = false
  for (const entry of entries) {
    const isOwn = same(entry, manager)
    found ||= isOwn
    const kept = isOwn ? entry.set : difference(entry.set, changed)
    const left = differenceBelow(kept, removed)
    const set = isOwn ? union(left, changed) : left
    result.push({ ...entry, set, time: isOwn && !equalSets(set, entry.set) ? time : entry.time })
  }
  if (!found && !isEmpty(changed)) result.push({ ...manager, set: changed, time })
  return encode(result)
}

export interface ApplyInput {
  readonly type: TypeNode
  readonly live: KubeObject | undefined
  readonly config: KubeObject
  readonly manager: Manager
  readonly statusIsApart: boolean
  readonly force: boolean
  readonly time: string
}

/** Server-side apply: the merged object with its managedFields; 409 with one cause per conflict unless forced. */
export function applyConfiguration(input: ApplyInput): KubeObject {
  const { type, live, config, manager, statusIsApart, force, time } = input
  const entries = decode(live?.metadata.managedFields)
  const own = entries.find((entry) => same(entry, manager))
  const previous =
    own ??
    entries.find(
      (entry) =>
        entry.manager === manager.manager && entry.operation === 'Apply' && entry.subresource === manager.subresource,
    )
  const applied = owned(fieldSetOf(type, config), statusIsApart, manager.subresource)
  const others = entries.filter((entry) => entry !== previous)

  let merged = (live === undefined ? config : mergeApplied(type, live, config)) as KubeObject
  const dropped = difference(previous?.set ?? EMPTY_SET, applied)
  const kept = others.reduce((set, entry) => union(set, entry.set), applied)
  merged = removeFields(type, merged, removable(dropped, kept)) as KubeObject

  const changed = owned(changedFields(type, live ?? {}, merged), statusIsApart, manager.subresource)
  const conflicts = others
    .map((entry) => ({ entry, set: intersection(entry.set, leafChanges(changed)) }))
    .filter(({ set }) => !isEmpty(set))
  if (conflicts.length > 0 && !force) throw conflictError(conflicts)
  const removed = live === undefined ? EMPTY_SET : difference(fieldSetOf(type, live), fieldSetOf(type, merged))
  const result: Entry[] = others.map((entry) => {
    const conflict = conflicts.find((other) => other.entry === entry)
    return { ...entry, set: differenceBelow(difference(entry.set, conflict?.set ?? EMPTY_SET), removed) }
  })
  const unchanged = previous !== undefined && equalSets(previous.set, applied)
  result.push({ ...manager, set: applied, time: unchanged ? previous.time : time })
  return { ...merged, metadata: { ...merged.metadata, managedFields: encode(result) } }
}

/** Fields to remove: dropped ones that nobody else has; a container goes only when nobody has anything in it. */
function removable(dropped: FieldSet, kept: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const [key, child] of dropped.children) {
    const other = kept.children.get(key) ?? EMPTY_SET
    const inner = removable(child, other)
    if (!isEmpty(inner)) children.set(key, inner)
  }
  return { member: dropped.member && isEmpty(kept), children }
}

/** Changes of values, not of containers that merely appeared around them. */
function leafChanges(changed: FieldSet): FieldSet {
  const children = [...changed.children].map(([key, child]) => [key, leafChanges(child)] as const)
  return { member: changed.member && changed.children.size === 0, children: new Map(children) }
}

function conflictError(conflicts: readonly { readonly entry: Entry; readonly set: FieldSet }[]): StatusError {
  const causes: StatusCause[] = []
  const texts: string[] = []
  for (const { entry, set } of conflicts) {
    const sub = entry.subresource === undefined ? '' : ` with subresource "${entry.subresource}"`
    const who = `"${entry.manager}"${sub} using ${entry.apiVersion}`
    const paths = readablePaths(set)
    for (const field of paths) causes.push({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })
    texts.push(
      paths.length === 1 ? `conflict with ${who}: ${paths[0]}` : `conflicts with ${who}:\n- ${paths.join('\n- ')}`,
    )
  }
  const count = causes.length === 1 ? '1 conflict' : `${causes.length} conflicts`
  return new StatusError(409, 'Conflict', `Apply failed with ${count}: ${texts.join('\n')}`, { causes })
}
