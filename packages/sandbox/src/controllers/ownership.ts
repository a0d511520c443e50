import { createHash } from 'node:crypto'
import type { KubeObject, OwnerReference } from '../apiserver/contract.types.ts'
import type { PodTemplate } from '../objects/cluster.types.ts'
import type { Pod } from '../objects/pod.types.ts'

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true)
}

export function ownerReference(owner: KubeObject): OwnerReference {
  const { name = '', uid = '' } = owner.metadata
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true }
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

/** Ready for at least that long. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  return msUntilAvailable(pod, minReadySeconds, nowMs) === 0
}

/** Milliseconds until a pod has been ready for that long, 0 if it has; undefined while it isn't ready. */
export function msUntilAvailable(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready?.status !== 'True') return undefined
  if (minReadySeconds === 0) return 0
  return Math.max(0, Date.parse(ready.lastTransitionTime ?? '') + minReadySeconds * 1000 - nowMs)
}

/** Neither ended nor on its way out. */
export function isActive(pod: Pod): boolean {
  const phase = pod.status?.phase
  return phase !== 'Succeeded' && phase !== 'Failed' && pod.metadata.deletionTimestamp === undefined
}

export function isEnded(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** Now, as API objects write it. */
export function isoTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** Whether a status already says all of that; absent is zero. */
export function saysAlready(status: unknown, wanted: Readonly<Record<string, unknown>>): boolean {
  const before: Readonly<Record<string, unknown>> = typeof status === 'object' && status !== null ? { ...status } : {}
  return Object.entries(wanted).every(([field, value]) => stable(before[field] ?? 0) === stable(value ?? 0))
}

/** Counts as the API shows them: a zero is left out, which in a merge patch is a null, unless its field is always there. */
export function withoutZeros(
  counts: Readonly<Record<string, unknown>>,
  always: readonly string[] = [],
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(counts).map(([field, value]) => [field, value === 0 && !always.includes(field) ? null : value]),
  )
}

/** Short hash of a pod template: equal templates, equal hash, unless names collided. */
export function templateHash(template: PodTemplate, collisions = 0): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
  const salt = collisions === 0 ? '' : String(collisions)
  const digest = createHash('sha256')
    .update(`${stable(template)}${salt}`)
    .digest()
  return [...digest.subarray(0, 10)].map((byte) => alphabet[byte % alphabet.length]).join('')
}

function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  // kubectl sends what it has read with nulls for what is absent.
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && item !== null)
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${stable(item)}`)
    .join(',')}}`
}

/** Suffix of a generated name. */
export function randomSuffix(random: () => number = Math.random): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
  return Array.from({ length: 5 }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
}
