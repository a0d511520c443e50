import type { MeshModel, NearestMiss, Question } from '@ambit/explain'
import type { AccessChange, Decision } from '../diff.types.ts'
import { MAX_NEAREST_MISSES } from '../limits.ts'

/** For denials that no rule decided: the rule that came closest to allowing it. */
export class NearestMisses {
  readonly #model: Pick<MeshModel, 'explain'>
  #left: number = MAX_NEAREST_MISSES

  constructor(model: Pick<MeshModel, 'explain'>) {
    this.#model = model
  }

  of(change: AccessChange, { policy }: Decision, question: Question): NearestMiss | undefined {
    if (change === 'allowed' || policy !== undefined || this.#left === 0) return undefined
    this.#left--
    return this.#model.explain(question).nearest
  }
}
