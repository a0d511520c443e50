import type { Counter, Labels, Metrics } from '@ambit/core'
import { connectionSecurity, type Ends, endLabels, TCP_LABELS } from './request-labels.ts'

/** Istio's standard metrics of connections that are no HTTP. */
export class TcpMetrics {
  readonly #opened: Counter
  readonly #closed: Counter
  readonly #sent: Counter
  readonly #received: Counter

  constructor(metrics: Metrics) {
    this.#opened = metrics.counter({
      name: 'istio_tcp_connections_opened_total',
      help: 'TCP connections opened',
      labelNames: TCP_LABELS,
    })
    this.#closed = metrics.counter({
      name: 'istio_tcp_connections_closed_total',
      help: 'TCP connections closed',
      labelNames: TCP_LABELS,
    })
    this.#sent = metrics.counter({
      name: 'istio_tcp_sent_bytes_total',
      help: 'Bytes sent to downstream',
      labelNames: TCP_LABELS,
    })
    this.#received = metrics.counter({
      name: 'istio_tcp_received_bytes_total',
      help: 'Bytes received from downstream',
      labelNames: TCP_LABELS,
    })
  }

  opened(ends: Ends): void {
    this.#opened.add(labelsOf(ends, '-'))
  }

  closed(ends: Ends, flags: string, bytes: { readonly received: number; readonly sent: number }): void {
    const labels = labelsOf(ends, flags)
    this.#closed.add(labels)
    this.#sent.add(labels, bytes.sent)
    this.#received.add(labels, bytes.received)
  }
}

function labelsOf(ends: Ends, flags: string): Labels {
  return { ...endLabels(ends), response_flags: flags, connection_security_policy: connectionSecurity(ends) }
}
