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

export interface Gauge {
  set(labels: Labels, value: number): void
  add(labels: Labels, value: number): void
}

export interface Histogram {
  observe(labels: Labels, value: number): void
}

/** Where a component registers what it counts. The registry lives in `telemetry`. */
export interface Metrics {
  counter(options: MetricOptions): Counter
  gauge(options: MetricOptions): Gauge
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram
}
