import { type AnyObject, READ_KINDS, type Sourced } from '@ambit/analyze'
import type { ObjectChange } from '../diff.types.ts'

export interface ChangedObjects {
  /** For people: what a cluster fills in is no difference. */
  readonly told: readonly ObjectChange[]
  /** Whether all that is not an AuthorizationPolicy is the same, as far as anybody can see. */
  readonly onlyPolicies: boolean
}

const POLICY_KIND = 'AuthorizationPolicy'
const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob']
const RELEVANT: ReadonlySet<string> = new Set([...READ_KINDS.map(({ kind }) => kind), ...WORKLOADS])

/** Objects that differ. */
export function changedObjects(before: readonly Sourced[], after: readonly Sourced[]): ChangedObjects {
  const [was, is] = [byName(before), byName(after)]
  const changes: (ObjectChange & { readonly isTold: boolean })[] = []
  for (const [key, object] of is) {
    const old = was.get(key)
    if (old === undefined) changes.push({ change: 'added', ...named(object), isTold: true })
    else if (old !== object && !isEqual(written(old), written(object))) {
      // A cluster fills in what nobody has written.
      const isTold = object.kind === POLICY_KIND || !includes(written(old), written(object))
      changes.push({ change: 'changed', ...named(object), isTold })
    }
  }
  for (const [key, object] of was) if (!is.has(key)) changes.push({ change: 'removed', ...named(object), isTold: true })
  const relevant = changes.filter(({ kind }) => RELEVANT.has(kind))
  return {
    told: relevant.filter(({ isTold }) => isTold).map(({ change, kind, name }) => ({ change, kind, name })),
    onlyPolicies: relevant.every(({ kind }) => kind === POLICY_KIND),
  }
}

/** The last of a name counts: it is laid over those before. */
function byName(objects: readonly Sourced[]): ReadonlyMap<string, AnyObject> {
  return new Map(objects.map(({ object }) => [keyOf(object), object]))
}

/** Versions of a kind are one kind. */
export function keyOf({ apiVersion, kind, metadata }: AnyObject): string {
  const slash = apiVersion.indexOf('/')
  return `${slash < 0 ? '' : apiVersion.slice(0, slash)}/${kind} ${metadata.namespace ?? ''}/${metadata.name}`
}

function named({ kind, metadata: { namespace, name } }: AnyObject): Pick<ObjectChange, 'kind' | 'name'> {
  return { kind, name: namespace === undefined || namespace === '' ? name : `${namespace}/${name}` }
}

/** What somebody writes of an object. */
function written(object: AnyObject & { readonly data?: unknown }): object {
  const { spec, data, metadata } = object
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...annotations } = metadata.annotations ?? {}
  const { 'kubernetes.io/metadata.name': __, ...labels } = metadata.labels ?? {}
  return { spec: spec ?? {}, data: data ?? {}, annotations, labels }
}

function isEqual(a: unknown, b: unknown): boolean {
  return includes(a, b) && includes(b, a)
}

function includes(whole: unknown, part: unknown): boolean {
  if (part === undefined || Object.is(whole, part)) return true
  if (typeof part !== 'object' || part === null || typeof whole !== 'object' || whole === null) return false
  if (!Array.isArray(part)) {
    const values = whole as Readonly<Record<string, unknown>>
    return Object.entries(part).every(([name, value]) => Object.hasOwn(values, name) && includes(values[name], value))
  }
  return Array.isArray(whole) && whole.length === part.length && part.every((one, i) => includes(whole[i], one))
}
