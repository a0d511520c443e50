import { STATUS_CODES } from 'node:http'
import type { CounterFamily, CounterSeries, HistogramFamily, HistogramSeries, Metrics } from '@ambit/core'
import { MAX_GATHERED_SERIES } from '../limits.ts'
import { connectionSecurity, type Ends, endLabels, endsKey, REQUEST_LABELS } from './request-labels.ts'
import type { RequestRecord } from './request-record.ts'

/** Milliseconds and bytes alike (Istio). */
const BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
]

/** The series of one label set. */
interface RequestSeries {
  readonly requests: CounterSeries
  readonly duration: HistogramSeries
  readonly requestBytes: HistogramSeries
  readonly responseBytes: HistogramSeries
  readonly requestMessages: CounterSeries
  readonly responseMessages: CounterSeries
}

/** Codes nobody registered count together: an endpoint could fill the table of series with them. */
function codeLabel(status: number): string {
  return status === 0 || String(status) in STATUS_CODES ? String(status) : `${Math.floor(status / 100)}xx`
}

/** Istio's standard metrics of requests. Their 25 labels are looked at once for each set of them. */
export class RequestMetrics {
  readonly #requests: CounterFamily
  readonly #requestMessages: CounterFamily
  readonly #responseMessages: CounterFamily
  readonly #duration: HistogramFamily
  readonly #requestBytes: HistogramFamily
  readonly #responseBytes: HistogramFamily
  readonly #series = new Map<string, RequestSeries>()

  constructor(metrics: Metrics) {
    const labelNames = REQUEST_LABELS
    this.#requests = metrics.counter({ name: 'istio_requests_total', help: 'Requests', labelNames: REQUEST_LABELS })
    this.#duration = metrics.histogram({
      name: 'istio_request_duration_milliseconds',
      help: 'Time from the first byte of a request to the last of its answer',
      labelNames: REQUEST_LABELS,
      buckets: BUCKETS,
    })
    this.#requestBytes = metrics.histogram({
      name: 'istio_request_bytes',
      help: 'Bytes of requests, head and body',
      labelNames,
      buckets: BUCKETS,
    })
    this.#responseBytes = metrics.histogram({
      name: 'istio_response_bytes',
      help: 'Bytes of answers, head and body',
      labelNames,
      buckets: BUCKETS,
    })
    this.#requestMessages = metrics.counter({
      name: 'istio_request_messages_total',
      help: 'gRPC messages of clients',
      labelNames: REQUEST_LABELS,
    })
    this.#responseMessages = metrics.counter({
      name: 'istio_response_messages_total',
      help: 'gRPC messages of servers',
      labelNames: REQUEST_LABELS,
    })
  }

  record(ends: Ends, record: RequestRecord, durationMs: number): void {
    const series = this.#seriesOf(ends, record)
    series.requests.add()
    series.duration.observe(durationMs)
    series.requestBytes.observe(record.requestHeaderBytes + record.receivedBytes)
    series.responseBytes.observe(record.responseHeaderBytes + record.sentBytes)
    if (ends.protocol !== 'grpc') return
    series.requestMessages.add(record.requestMessages)
    series.responseMessages.add(record.responseMessages)
  }

  #seriesOf(ends: Ends, record: RequestRecord): RequestSeries {
    const grpc = record.grpcStatus === undefined ? '' : String(record.grpcStatus)
    const key = `${endsKey(ends)}\0${record.status}\0${grpc}\0${record.flags}`
    const found = this.#series.get(key)
    if (found !== undefined) return found
    const labels = {
      ...endLabels(ends),
      response_code: codeLabel(record.status),
      grpc_response_status: grpc,
      response_flags: record.flags,
      connection_security_policy: connectionSecurity(ends),
    }
    const series = {
      requests: this.#requests.series(labels),
      duration: this.#duration.series(labels),
      requestBytes: this.#requestBytes.series(labels),
      responseBytes: this.#responseBytes.series(labels),
      requestMessages: this.#requestMessages.series(labels),
      responseMessages: this.#responseMessages.series(labels),
    }
    if (this.#series.size >= MAX_GATHERED_SERIES) this.#series.clear()
    this.#series.set(key, series)
    return series
  }
}
