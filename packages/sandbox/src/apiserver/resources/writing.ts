import { AmbitError } from '@ambit/core'
import type { KubeObject } from '../contract.types.ts'
import type { RequestContext } from './request-context.ts'
import type { Target } from './target.ts'

/** Where a write stops so that others may change or refuse it. */
export interface AdmissionPoint {
  readonly phase: 'mutate' | 'validate'
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  /** In the stored version. */
  readonly target: Target
  /** The new state, absent when the object is to go. */
  readonly object: KubeObject | undefined
  /** The present state, absent when the object is new. */
  readonly old: KubeObject | undefined
  readonly context: RequestContext
}

/** A write; what is sent into it at a `mutate` point is the changed object, or undefined to go on with the same. */
export type Writing<T> = Generator<AdmissionPoint, T, KubeObject | undefined>

export interface Deletion {
  readonly object: KubeObject
  readonly gone: boolean
}

/** The object changed while admission was asked: the write begins again with what there is now. */
export class StateChangedError extends AmbitError {
  readonly code = 'KUBE_STATE_CHANGED'

  constructor() {
    super('the object was changed while its admission was being decided')
  }
}

/** Runs a write that nobody is asked about: the server's own housekeeping. */
export function unadmitted<T>(writing: Writing<T>): T {
  let step = writing.next()
  while (step.done !== true) step = writing.next(undefined)
  return step.value
}
