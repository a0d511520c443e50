import type { Backend, Mirror } from '@ambit/state'
import { drawByWeight } from './draw-by-weight.ts'

export type BackendChoice =
  | { readonly kind: 'backend'; readonly backend: Backend }
  /** The share of a backend that does not exist or is not permitted, or there is nothing to choose from: 500. */
  | { readonly kind: 'failed'; readonly reason: 'no-backends' | 'invalid-backend' }

/** Draws a backend by weight. One that is invalid keeps its share, whose requests fail (Gateway API). */
export function chooseBackend(backends: readonly Backend[], random: () => number): BackendChoice {
  const backend = drawByWeight(backends, ({ weight }) => weight, random)
  if (backend === undefined) return { kind: 'failed', reason: 'no-backends' }
  return backend.invalid ? { kind: 'failed', reason: 'invalid-backend' } : { kind: 'backend', backend }
}

const MILLION = 1_000_000

/** The mirrors that get a copy of this request. */
export function chooseMirrors(mirrors: readonly Mirror[], random: () => number): readonly Mirror[] {
  return mirrors.filter(({ backend, perMillion }) => !backend.invalid && random() * MILLION < perMillion)
}
