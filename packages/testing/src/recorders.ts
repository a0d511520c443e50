import type {
  CounterFamily,
  Gauge,
  HistogramFamily,
  Labels,
  LogFields,
  Logger,
  LogLevel,
  MetricOptions,
  Metrics,
} from '@ambit/core'

export interface LogRecord {
  readonly level: LogLevel
  readonly scope: string
  readonly message: string
  readonly fields: LogFields
}

/** A logger that keeps what it is told. */
export class RecordingLogger implements Logger {
  readonly records: LogRecord[]
  readonly #scope: string

  constructor(scope = '', records: LogRecord[] = []) {
    this.#scope = scope
    this.records = records
  }

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields)
  }

  debug(message: string, fields?: LogFields): void {
    this.#add('debug', message, fields)
  }

  trace(message: string, fields?: LogFields): void {
    this.#add('trace', message, fields)
  }

  enabled(): boolean {
    return true
  }

  scope(name: string): Logger {
    return new RecordingLogger(name, this.records)
  }

  #add(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.records.push({ level, scope: this.#scope, message, fields })
  }
}

/** Metrics that can be read back: `value('name', {label: 'x'})`. */
export class RecordingMetrics implements Metrics {
  readonly #values = new Map<string, number>()

  counter({ name }: MetricOptions): CounterFamily {
    return {
      add: (labels, value = 1) => this.#add(name, labels, value),
      series: (labels) => ({ add: (value = 1) => this.#add(name, labels, value) }),
    }
  }

  gauge({ name }: MetricOptions): Gauge {
    return {
      set: (labels, value) => void this.#values.set(seriesOf(name, labels), value),
      add: (labels, value) => this.#add(name, labels, value),
    }
  }

  histogram({ name }: MetricOptions): HistogramFamily {
    return {
      observe: (labels) => this.#add(name, labels, 1),
      series: (labels) => ({ observe: () => this.#add(name, labels, 1) }),
    }
  }

  value(name: string, labels: Labels = {}): number {
    return this.#values.get(seriesOf(name, labels)) ?? 0
  }

  #add(name: string, labels: Labels, value: number): void {
    this.#values.set(seriesOf(name, labels), this.value(name, labels) + value)
  }
}

function seriesOf(name: string, labels: Labels): string {
  return `${name}${JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`
}
