import type { Clock, Logger, Metrics, SocketAddress, SpiffeId } from '@ambit/core'
import { formatSocketAddress, sameSpiffeId } from '@ambit/core'
import { closingFields, openingFields, type Transferred } from './access-log.ts'
import type { ConnectionFailure } from './failures.ts'
import type { Traffic } from './traffic.types.ts'
import { TrafficSeries } from './traffic-series.ts'

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
  readonly #series: TrafficSeries

  constructor(components: { readonly logger: Logger; readonly metrics: Metrics; readonly clock: Clock }) {
    this.#log = components.logger.scope('access')
    this.#clock = components.clock
    this.#series = new TrafficSeries(components.metrics)
  }

  opened(traffic: Traffic, bytes: ByteCounter): OpenConnection {
    const connection = new OpenConnection(traffic, bytes, {
      series: this.#series,
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

  /** Brings the metrics up to date, connections still open included; called before every scrape. */
  flush(): void {
    for (const connection of this.#open) connection.flush()
    this.#series.flush()
  }
}

interface OpenContext {
  readonly series: TrafficSeries
  readonly log: Logger
  readonly startedMs: number
  readonly now: () => number
  readonly done: () => void
}

export class OpenConnection {
  readonly #bytes: ByteCounter
  readonly #context: OpenContext
  /** What its bytes are counted under: known when it opened. */
  readonly #openedAs: Traffic
  #traffic: Traffic
  #counted: Transferred = { fromDownstream: 0, toDownstream: 0 }
  #closed = false

  constructor(traffic: Traffic, bytes: ByteCounter, context: OpenContext) {
    this.#traffic = traffic
    this.#bytes = bytes
    this.#context = context
    this.#openedAs = traffic
    context.series.of(traffic, '-').opened++
    context.series.socketsOpen(traffic.reporter, 1)
    if (context.log.enabled('debug')) context.log.debug('connection opened', openingFields(traffic))
  }

  /** Learns the identity that the other end's handshake proved. */
  peerIs(destinationIdentity: SpiffeId): void {
    const expected = this.#traffic.destinationIdentity
    if (expected !== undefined && sameSpiffeId(expected, destinationIdentity)) return
    this.#traffic = { ...this.#traffic, destinationIdentity }
  }

  flush(): void {
    const { fromDownstream, toDownstream } = this.#bytes
    const counted = this.#counted
    if (fromDownstream === counted.fromDownstream && toDownstream === counted.toDownstream) return
    const series = this.#context.series.of(this.#openedAs, '-')
    series.received += fromDownstream - counted.fromDownstream
    series.sent += toDownstream - counted.toDownstream
    this.#counted = { fromDownstream, toDownstream }
  }

  /** Tells the end of the connection, once; further calls are ignored. */
  close(failure?: ConnectionFailure): void {
    if (this.#closed) return
    this.#closed = true
    this.#context.done()
    this.flush()
    const { series, log, startedMs, now } = this.#context
    const ended = series.of(this.#traffic, failure?.flag ?? '-')
    ended.closed++
    if (failure !== undefined) ended.failed++
    series.socketsOpen(this.#traffic.reporter, -1)
    const level = failure === undefined ? 'info' : 'error'
    if (!log.enabled(level)) return
    log[level]('connection complete', {
      ...openingFields(this.#traffic),
      ...closingFields(this.#traffic, this.#counted, now() - startedMs, failure),
    })
  }
}
