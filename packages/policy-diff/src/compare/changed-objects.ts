import { type AnyObject, READ_KINDS, type Sourced } from '@ambit/analyze'
import type { ObjectChange } from '../diff.types.ts'

const RELEVANT: ReadonlySet<string> = new Set(READ_KINDS.map(({ kind }) => kind))
export const POLICY_KIND = 'AuthorizationPolicy'

/** Objects that differ, as far as somebody wrote them: what a cluster fills in and reports is no difference. */
export function changedObjects(before: readonly Sourced[], after: readonly Sourced[]): readonly ObjectChange[] {
  const [was, is] = [byName(before), byName(after)]
  const changes: ObjectChange[] = []
  for (const [name, object] of is) {
    const old = was.get(name)
    if (old === undefined) changes.push({ change: 'added', ...told(object) })
    else if (old !== object && !isSame(old, object)) changes.push({ change: 'changed', ...told(object) })
  }
  for (const [name, object] of was) if (!is.has(name)) changes.push({ change: 'removed', ...told(object) })
  return changes.filter(({ kind }) => RELEVANT.has(kind) || WORKLOADS.has(kind))
}

const WORKLOADS: ReadonlySet<string> = new Set([
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'CronJob',
])

/** The last of a name counts: it is laid over those before. */
function byName(objects: readonly Sourced[]): ReadonlyMap<string, AnyObject> {
  return new Map(objects.map(({ object }) => [keyOf(object), object]))
}

/** Versions of a kind are one kind. */
export function keyOf({ apiVersion, kind, metadata }: AnyObject): string {
  const slash = apiVersion.indexOf('/')
  return `${slash < 0 ? '' : apiVersion.slice(0, slash)}/${kind} ${metadata.namespace ?? ''}/${metadata.name}`
}

function told({ kind, metadata: { namespace, name } }: AnyObject): Omit<ObjectChange, 'change'> {
  return { kind, name: namespace === undefined || namespace === '' ? name : `${namespace}/${name}` }
}

/** A policy is what is written; of other kinds what is written must be there. */
function isSame(old: AnyObject, object: AnyObject): boolean {
  const covered = object.kind === POLICY_KIND ? equal : includes
  return (
    covered(old.spec ?? {}, object.spec ?? {}) &&
    covered(old.metadata.labels ?? {}, object.metadata.labels ?? {}) &&
    covered(withoutApplied(old), withoutApplied(object)) &&
    covered((old as { readonly data?: unknown }).data, (object as { readonly data?: unknown }).data)
  )
}

function withoutApplied({ metadata }: AnyObject): Readonly<Record<string, string>> {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...others } = metadata.annotations ?? {}
  return others
}

function equal(a: unknown, b: unknown): boolean {
  return includes(a, b) && includes(b, a)
}

function includes(whole: unknown, part: unknown): boolean {
  if (part === undefined || Object.is(whole, part)) return true
  if (typeof part !== 'object' || part === null || typeof whole !== 'object' || whole === null) return false
  if (Array.isArray(part) !== Array.isArray(whole)) return false
  if (Array.isArray(part))
    return part.length === (whole as unknown[]).length && part.every((one, i) => includes((whole as unknown[])[i], one))
  return Object.entries(part).every(([name, value]) => includes((whole as Record<string, unknown>)[name], value))
}
