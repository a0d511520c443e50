import type { HistogramSeries, Labels, MetricOptions } from '@ambit/core'
import { labelsKey } from './labels-key.ts'

interface Sample {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  /** Labels that all samples of one series have. */
  readonly sharedLabels: Labels
  readonly value: number
}

interface Exposed {
  readonly name: string
  readonly help: string
  readonly type: 'histogram'
  readonly aggregator: 'sum'
  readonly values: readonly Sample[]
}

/** A histogram as prom-client's registry exposes it. Its own class looks at every label of every value, 25 of them for each request. */
export class ExposedHistogram {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  readonly #labelNames: readonly string[]
  readonly #buckets: readonly number[]
  readonly #series = new Map<string, Series>()

  constructor({ name, help, labelNames = [], buckets }: MetricOptions & { readonly buckets: readonly number[] }) {
    this.name = name
    this.help = help
    this.#labelNames = labelNames
    this.#buckets = buckets
  }

  /** The one series of these labels. */
  series(labels: Labels): HistogramSeries {
    const key = labelsKey(this.#labelNames, labels)
    const known = this.#series.get(key)
    if (known !== undefined) return known
    const fresh = new Series(labels, this.#buckets)
    this.#series.set(key, fresh)
    return fresh
  }

  get(): Promise<Exposed> {
    const values = [...this.#series.values()].flatMap((series) => (series.count === 0 ? [] : this.#samples(series)))
    return Promise.resolve({ name: this.name, help: this.help, type: this.type, aggregator: 'sum', values })
  }

  #samples({ labels: sharedLabels, counts, count, sum }: Series): readonly Sample[] {
    let below = 0
    const bucket = (le: number | string, value: number): Sample => ({
      metricName: `${this.name}_bucket`,
      labels: { le },
      sharedLabels,
      value,
    })
    return [
      ...this.#buckets.map((le, index) => bucket(le, (below += counts[index] ?? 0))),
      bucket('+Inf', count),
      { metricName: `${this.name}_sum`, labels: {}, sharedLabels, value: sum },
      { metricName: `${this.name}_count`, labels: {}, sharedLabels, value: count },
    ]
  }
}

class Series implements HistogramSeries {
  readonly labels: Labels
  /** By bucket; what is above all of them is only in `count`. */
  readonly counts: number[]
  count = 0
  sum = 0
  readonly #buckets: readonly number[]

  constructor(labels: Labels, buckets: readonly number[]) {
    this.labels = labels
    this.#buckets = buckets
    this.counts = buckets.map(() => 0)
  }

  observe(value: number): void {
    const index = this.#buckets.findIndex((bound) => value <= bound)
    if (index >= 0) this.counts[index] = (this.counts[index] ?? 0) + 1
    this.count++
    this.sum += value
  }
}
