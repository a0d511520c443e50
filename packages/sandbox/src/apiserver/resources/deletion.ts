import type { DeleteOptions, KubeObject } from '../contract.types.ts'
import { arrayOf, at, cloneJson } from '../json.ts'
import { timestamp } from './object-meta.ts'
import type { ResourceDefinition } from './resource-definition.ts'

export type DeletionPlan =
  | { readonly kind: 'remove' }
  | { readonly kind: 'mark'; readonly object: KubeObject }
  | { readonly kind: 'refuse'; readonly why: string }

export const FOREGROUND = 'foregroundDeletion'
export const ORPHAN = 'orphan'

const PERMANENT_NAMESPACES = ['default', 'kube-system', 'kube-public']
/** Grace of a pod that names none (Kubernetes). */
const DEFAULT_GRACE_SECONDS = 30

/** Whether a deletion takes effect now, or only marks the object because something has to happen first. */
export function planDeletion(
  definition: ResourceDefinition,
  current: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): DeletionPlan {
  const isNamespace = definition.group === '' && definition.kind === 'Namespace'
  if (isNamespace && PERMANENT_NAMESPACES.includes(current.metadata.name ?? ''))
    return { kind: 'refuse', why: 'this namespace may not be deleted' }
  const grace = definition.group === '' && definition.kind === 'Pod' ? podGrace(current, options) : 0
  const finalizers = new Set(current.metadata.finalizers ?? [])
  if (options.propagationPolicy === 'Foreground') finalizers.add(FOREGROUND).delete(ORPHAN)
  if (options.propagationPolicy === 'Orphan') finalizers.add(ORPHAN).delete(FOREGROUND)
  if (options.propagationPolicy === 'Background') for (const name of [FOREGROUND, ORPHAN]) finalizers.delete(name)
  const held = finalizers.size > 0 || (isNamespace && arrayOf(at(current, 'spec', 'finalizers')).length > 0)
  if (!held && grace === 0) return { kind: 'remove' }

  const already = current.metadata.deletionTimestamp !== undefined
  const oldGrace = current.metadata.deletionGracePeriodSeconds ?? 0
  const sameFinalizers = finalizers.size === (current.metadata.finalizers ?? []).length
  // A second deletion may only shorten the grace.
  if (already && sameFinalizers && grace >= oldGrace) return { kind: 'mark', object: current }
  const object = cloneJson(current)
  if (finalizers.size > 0) object.metadata.finalizers = [...finalizers]
  else delete object.metadata.finalizers
  if (!already || grace < oldGrace) {
    object.metadata.deletionTimestamp = timestamp(nowMs + grace * 1000)
    object.metadata.deletionGracePeriodSeconds = grace
    if (!already && object.metadata.generation !== undefined) object.metadata.generation++
  }
  if (isNamespace) object['status'] = { ...(object['status'] as object | undefined), phase: 'Terminating' }
  return { kind: 'mark', object }
}

function podGrace(pod: KubeObject, options: DeleteOptions): number {
  const phase = at(pod, 'status', 'phase')
  const unscheduled = !at(pod, 'spec', 'nodeName')
  if (unscheduled || phase === 'Succeeded' || phase === 'Failed') return 0
  const own = at(pod, 'spec', 'terminationGracePeriodSeconds')
  const grace = options.gracePeriodSeconds ?? (typeof own === 'number' ? own : DEFAULT_GRACE_SECONDS)
  return Math.max(0, Math.floor(grace))
}
