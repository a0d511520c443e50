import type { SelectedEndpoint } from '@ambit/state'
import { rendezvousScore } from './rendezvous.ts'

/** Endpoints to draw from by capacity; one without any is never drawn. */
export class WeightedEndpoints {
  readonly #endpoints: readonly SelectedEndpoint[]
  /** Where the share of each ends, on a line as long as all capacities together. */
  readonly #ends: Float64Array
  #uids: readonly string[] | undefined

  constructor(endpoints: readonly SelectedEndpoint[]) {
    this.#endpoints = endpoints.filter(({ workload }) => workload.capacity > 0)
    this.#ends = new Float64Array(this.#endpoints.length)
    let end = 0
    for (const [index, { workload }] of this.#endpoints.entries()) this.#ends[index] = end += workload.capacity
  }

  get isEmpty(): boolean {
    return this.#endpoints.length === 0
  }

  /** Two that differ, or the only one; `random` gives 0 ≤ x < 1. */
  drawTwo(random: () => number): readonly SelectedEndpoint[] {
    const first = this.#indexAt(random() * this.#end(this.#endpoints.length - 1))
    const start = this.#end(first - 1)
    const length = this.#end(first) - start
    // The line without the share of the first.
    const point = random() * (this.#end(this.#endpoints.length - 1) - length)
    const second = this.#indexAt(point < start ? point : point + length)
    return [first, second].slice(0, this.#endpoints.length).flatMap((index) => this.#endpoints[index] ?? [])
  }

  get uids(): readonly string[] {
    return (this.#uids ??= this.#endpoints.map(({ workload }) => workload.uid))
  }

  /** One after the other; where capacities differ, drawn by them. */
  inTurn(turn: number, random: () => number): SelectedEndpoint | undefined {
    const [first] = this.#endpoints
    const alike = this.#endpoints.every(({ workload }) => workload.capacity === first?.workload.capacity)
    return alike ? this.#endpoints[turn % this.#endpoints.length] : this.drawTwo(random)[0]
  }

  /** For each key the same one; when one goes only its keys move, and a new one takes its share from all. */
  byHash(key: string): SelectedEndpoint | undefined {
    let best: SelectedEndpoint | undefined
    let highest = Number.NEGATIVE_INFINITY
    for (const endpoint of this.#endpoints) {
      const { uid, capacity } = endpoint.workload
      const score = rendezvousScore(key, uid, capacity)
      if (score > highest) [best, highest] = [endpoint, score]
    }
    return best
  }

  #end(index: number): number {
    return this.#ends[index] ?? 0
  }

  /** The first whose share ends after the point. */
  #indexAt(point: number): number {
    let low = 0
    let high = this.#ends.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#end(middle) > point) high = middle
      else low = middle + 1
    }
    return low
  }
}
