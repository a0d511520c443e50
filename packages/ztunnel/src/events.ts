import type { Clock, Counter, Gauge, Labels, Logger, Metrics, SocketAddress } from '@ambit/core'
import { formatSocketAddress } from '@ambit/core'
import { closingFields, openingFields, type Transferred } from './access-log.ts'
import type { ConnectionFailure } from './failures.ts'
import type { Traffic } from './traffic.types.ts'
import { TRAFFIC_LABELS, trafficLabels } from './traffic-labels.ts'

/** Bytes under way, read whenever somebody asks. */
export interface ByteCounter {
  readonly fromDownstream: number
  readonly toDownstream: number
}

/** What happens to connections, told to metrics and access log together so that the two cannot disagree. */
export class ConnectionEvents {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #open = new Set<OpenConnection>()
  readonly metrics: TrafficMetrics

  constructor(components: { readonly logger: Logger; readonly metrics: Metrics; readonly clock: Clock }) {
    this.#log = components.logger.scope('access')
    this.#clock = components.clock
    this.metrics = new TrafficMetrics(components.metrics)
  }

  opened(traffic: Traffic, bytes: ByteCounter): OpenConnection {
    const connection = new OpenConnection(traffic, bytes, {
      metrics: this.metrics,
      log: this.#log,
      startedMs: this.#clock.monotonic(),
      now: () => this.#clock.monotonic(),
      done: () => this.#open.delete(connection),
    })
    this.#open.add(connection)
    return connection
  }

  /** A connection given up before anything is known about its ends. */
  refusedEarly(
    direction: 'inbound' | 'outbound',
    source: SocketAddress,
    destination: SocketAddress,
    failure: ConnectionFailure,
  ): void {
    this.#log.warn('connection failed', {
      'src.addr': formatSocketAddress(source),
      'dst.addr': formatSocketAddress(destination),
      direction,
      error: failure.message,
    })
  }

  /** Brings the byte counters up to date with connections still open; called before every scrape. */
  flush(): void {
    for (const connection of this.#open) connection.flush()
  }
}

interface OpenContext {
  readonly metrics: TrafficMetrics
  readonly log: Logger
  readonly startedMs: number
  readonly now: () => number
  readonly done: () => void
}

export class OpenConnection {
  readonly #bytes: ByteCounter
  readonly #context: OpenContext
  readonly #openLabels: Labels
  #traffic: Traffic
  #counted: Transferred = { fromDownstream: 0, toDownstream: 0 }
  #closed = false

  constructor(traffic: Traffic, bytes: ByteCounter, context: OpenContext) {
    this.#traffic = traffic
    this.#bytes = bytes
    this.#context = context
    this.#openLabels = trafficLabels(traffic, '-')
    context.metrics.opened.add(this.#openLabels)
    context.metrics.sockets.add({ reporter: traffic.reporter }, 1)
    if (context.log.enabled('debug')) context.log.debug('connection opened', openingFields(traffic))
  }

  /** Learns more about the other end, such as the identity the handshake proved. */
  refine(more: Partial<Traffic>): void {
    this.#traffic = { ...this.#traffic, ...more }
  }

  flush(): void {
    const { fromDownstream, toDownstream } = this.#bytes
    const { metrics } = this.#context
    const received = fromDownstream - this.#counted.fromDownstream
    const sent = toDownstream - this.#counted.toDownstream
    if (received > 0) metrics.received.add(this.#openLabels, received)
    if (sent > 0) metrics.sent.add(this.#openLabels, sent)
    this.#counted = { fromDownstream, toDownstream }
  }

  /** Tells the end of the connection, once; further calls are ignored. */
  close(failure?: ConnectionFailure): void {
    if (this.#closed) return
    this.#closed = true
    this.#context.done()
    this.flush()
    const { metrics, log, startedMs, now } = this.#context
    const labels = trafficLabels(this.#traffic, failure?.flag ?? '-')
    metrics.closed.add(labels)
    metrics.sockets.add({ reporter: this.#traffic.reporter }, -1)
    if (failure !== undefined) metrics.failed.add(labels)
    const level = failure === undefined ? 'info' : 'error'
    if (!log.enabled(level)) return
    log[level]('connection complete', {
      ...openingFields(this.#traffic),
      ...closingFields(this.#traffic, this.#counted, now() - startedMs, failure),
    })
  }
}

/** The connection families of Istio's ztunnel. */
export class TrafficMetrics {
  readonly opened: Counter
  readonly closed: Counter
  readonly failed: Counter
  readonly received: Counter
  readonly sent: Counter
  readonly sockets: Gauge

  constructor(metrics: Metrics) {
    const labelNames = TRAFFIC_LABELS
    this.opened = metrics.counter({ name: 'istio_tcp_connections_opened', help: 'TCP connections opened', labelNames })
    this.closed = metrics.counter({ name: 'istio_tcp_connections_closed', help: 'TCP connections closed', labelNames })
    this.failed = metrics.counter({
      name: 'istio_tcp_connections_failed',
      help: 'TCP connections that failed',
      labelNames,
    })
    this.received = metrics.counter({
      name: 'istio_tcp_received_bytes',
      help: 'Bytes received from downstream',
      labelNames,
    })
    this.sent = metrics.counter({ name: 'istio_tcp_sent_bytes', help: 'Bytes sent to downstream', labelNames })
    this.sockets = metrics.gauge({
      name: 'istio_tcp_sockets_open',
      help: 'TCP connections open',
      labelNames: ['reporter'],
    })
  }
}
