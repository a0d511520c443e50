import type {
  CounterFamily,
  Gauge,
  HistogramFamily,
  HistogramSeries,
  Labels,
  MetricOptions,
  Metrics,
} from '@ambit/core'
import prom from 'prom-client'
import { ExposedHistogram } from './exposed-histogram.ts'
import { labelsKey } from './labels-key.ts'
import { MAX_SERIES_PER_FAMILY } from './limits.ts'
import { PendingCounts } from './pending-counts.ts'

export const OPENMETRICS_CONTENT_TYPE: string = prom.Registry.OPENMETRICS_CONTENT_TYPE

interface Family {
  readonly name: string
  readonly values: readonly unknown[]
}

/**
 * The registry of a process. Always exposed as OpenMetrics (counters end in `_total`, body in `# EOF`), because
 * that is what Istio's proxies answer to every scraper.
 */
export class PrometheusMetrics implements Metrics {
  readonly #registry: prom.Registry<prom.OpenMetricsContentType>
  readonly #maxSeries: number
  readonly #dropped: prom.Counter

  constructor(options: { readonly maxSeriesPerFamily?: number } = {}) {
    const registry = new prom.Registry<prom.OpenMetricsContentType>()
    registry.setContentType(prom.Registry.OPENMETRICS_CONTENT_TYPE)
    this.#registry = registry
    this.#maxSeries = options.maxSeriesPerFamily ?? MAX_SERIES_PER_FAMILY
    this.#dropped = new prom.Counter({
      name: 'ambit_metric_series_dropped',
      help: 'Samples not recorded because their metric already has the most label sets it may have',
      labelNames: ['metric'],
      registers: [this.#registry],
    })
  }

  counter(options: MetricOptions): CounterFamily {
    const pending = new PendingCounts()
    const metric: prom.Counter = new prom.Counter({
      ...this.#configuration(options),
      collect: () => pending.tell((labels, value) => metric.inc(labels, value)),
    })
    const admit = this.#admission(options)
    return {
      add: (labels, value = 1) => {
        if (admit(labels)) metric.inc(labels, value)
      },
      series: (labels) => pending.series(labels, admit),
    }
  }

  gauge(options: MetricOptions): Gauge {
    const metric = new prom.Gauge(this.#configuration(options))
    const admit = this.#admission(options)
    return {
      set: (labels, value) => {
        if (admit(labels)) metric.set(labels, value)
      },
      add: (labels, value) => {
        if (admit(labels)) metric.inc(labels, value)
      },
    }
  }

  /** A gauge whose value is asked for at every scrape; undefined leaves the family out. */
  gaugeFunction(options: MetricOptions, read: () => number | undefined): void {
    const gauge: prom.Gauge = new prom.Gauge({
      ...this.#configuration(options),
      collect: () => {
        const value = read()
        if (value === undefined) gauge.remove()
        else gauge.set(value)
      },
    })
  }

  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): HistogramFamily {
    const metric = new ExposedHistogram(options)
    // prom-client takes whatever answers its `get()`; its types only know its own classes.
    this.#registry.registerMetric(metric as unknown as prom.Histogram)
    const admit = this.#admission(options)
    return {
      observe: (labels, value) => {
        if (admit(labels)) metric.series(labels).observe(value)
      },
      series: (labels) => {
        let series: HistogramSeries | undefined
        return {
          observe: (value) => {
            series ??= admit(labels) ? metric.series(labels) : undefined
            series?.observe(value)
          },
        }
      },
    }
  }

  /** The body for a scraper. Families that have no sample yet are left out. */
  async expose(): Promise<string> {
    const families: string[] = []
    for (const metric of this.#registry.getMetricsAsArray()) {
      const { name, values } = await (metric as unknown as { get(): Promise<Family> }).get()
      if (values.length > 0) families.push(await this.#registry.getSingleMetricAsString(name))
    }
    return [...families, '# EOF', ''].join('\n')
  }

  #configuration(options: MetricOptions): {
    name: string
    help: string
    labelNames: string[]
    registers: prom.Registry[]
  } {
    return {
      name: options.name.endsWith('_total') ? options.name.slice(0, -'_total'.length) : options.name,
      help: options.help,
      labelNames: [...(options.labelNames ?? [])],
      // prom-client's types insist on the other content type here; the value is only used to register.
      registers: [this.#registry as unknown as prom.Registry],
    }
  }

  /** Labels come from peers and from pods' names, so that a family could otherwise grow for ever. */
  #admission(options: MetricOptions): (labels: Labels) => boolean {
    const names = options.labelNames ?? []
    if (names.length === 0) return () => true
    const seen = new Set<string>()
    return (labels) => {
      const key = labelsKey(names, labels)
      if (seen.has(key)) return true
      if (seen.size >= this.#maxSeries) {
        this.#dropped.inc({ metric: options.name })
        return false
      }
      seen.add(key)
      return true
    }
  }
}
