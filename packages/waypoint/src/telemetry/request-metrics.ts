import type { Counter, Histogram, Labels, Metrics } from '@ambit/core'
import { MAX_GATHERED_SERIES } from '../limits.ts'
import { type Ends, endLabels, endsKey, REQUEST_LABELS } from './request-labels.ts'
import type { RequestRecord } from './request-record.ts'

/** Milliseconds and bytes alike (Istio). */
const BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
]

/** Istio's standard metrics of requests. Counts are gathered by label set and handed on before each scrape. */
export class RequestMetrics {
  readonly #requests: Counter
  readonly #requestMessages: Counter
  readonly #responseMessages: Counter
  readonly #duration: Histogram
  readonly #requestBytes: Histogram
  readonly #responseBytes: Histogram
  readonly #labels = new Map<string, Labels>()

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
    const labels = this.#labelsOf(ends, record)
    this.#requests.add(labels)
    this.#duration.observe(labels, durationMs)
    this.#requestBytes.observe(labels, record.requestHeaderBytes + record.receivedBytes)
    this.#responseBytes.observe(labels, record.responseHeaderBytes + record.sentBytes)
    if (ends.protocol !== 'grpc') return
    this.#requestMessages.add(labels, record.requestMessages)
    this.#responseMessages.add(labels, record.responseMessages)
  }

  #labelsOf(ends: Ends, record: RequestRecord): Labels {
    const code = String(record.status)
    const grpc = record.grpcStatus === undefined ? '' : String(record.grpcStatus)
    const key = `${endsKey(ends)}\0${code}\0${grpc}\0${record.flags}`
    const found = this.#labels.get(key)
    if (found !== undefined) return found
    const labels = {
      ...endLabels(ends),
      response_code: code,
      grpc_response_status: grpc,
      response_flags: record.flags,
      connection_security_policy: 'mutual_tls',
    }
    if (this.#labels.size >= MAX_GATHERED_SERIES) this.#labels.clear()
    this.#labels.set(key, labels)
    return labels
  }
}
