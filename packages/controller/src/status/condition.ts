import { isRecord, list, record, text } from '../watch/json.ts'

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

/**
 * The condition as it is to be written: the time of the last transition stays while the status does. `present` are the
 * conditions the object has now.
 */
export function conditionToWrite(
  wanted: Condition,
  object: unknown,
  context: { readonly nowMs: number; readonly generation?: number | undefined },
): Readonly<Record<string, unknown>> {
  const present = conditionOf(object, wanted.type)
  const keeps = present !== undefined && present['status'] === wanted.status
  return {
    ...wanted,
    lastTransitionTime:
      (keeps ? text(present['lastTransitionTime']) : undefined) ??
      new Date(context.nowMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    ...(context.generation === undefined ? {} : { observedGeneration: context.generation }),
  }
}

/** Whether the object already says what is wanted, so that nothing needs to be written. */
export function saysAlready(wanted: Readonly<Record<string, unknown>>, object: unknown): boolean {
  const present = conditionOf(object, String(wanted['type']))
  if (present === undefined) return false
  return Object.entries(wanted).every(([key, value]) => sameValue(present[key], value))
}

export function conditionOf(object: unknown, type: string): Readonly<Record<string, unknown>> | undefined {
  const found = list(record(record(object)['status'])['conditions']).find(
    (condition) => isRecord(condition) && condition['type'] === type,
  )
  return isRecord(found) ? found : undefined
}

/** Istio writes generations as text in some objects. */
function sameValue(a: unknown, b: unknown): boolean {
  return a === b || (typeof b === 'number' && a === String(b))
}
