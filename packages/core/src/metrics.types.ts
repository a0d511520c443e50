export type Labels = Readonly<Record<string, string>>

export interface MetricOptions {
  /** Name without the `_total` that the exposition adds to counters. */
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
}

export interface Counter {
  add(labels: Labels, value?: number): void
}

/** All series of one counter. */
export interface CounterFamily extends Counter {
  /** For labels that come again and again: they are looked at once, and what was added since is told at a scrape. */
  series(labels: Labels): CounterSeries
}

export interface CounterSeries {
  add(value?: number): void
}

export interface Gauge {
  set(labels: Labels, value: number): void
  add(labels: Labels, value: number): void
}

export interface Histogram {
  observe(labels: Labels, value: number): void
}

export interface HistogramFamily extends Histogram {
  series(labels: Labels): HistogramSeries
}

export interface HistogramSeries {
  observe(value: number): void
}

/** Where a component registers what it counts. The registry lives in `telemetry`. */
export interface Metrics {
  counter(options: MetricOptions): CounterFamily
  gauge(options: MetricOptions): Gauge
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): HistogramFamily
}
