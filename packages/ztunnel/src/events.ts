import type { Clock, Logger, Metrics, SocketAddress, SpiffeId } from '@ambit/core'
import { formatSocketAddress, sameSpiffeId } from '@ambit/core'
import { type Flow, FlowIds, FlowJournal, type FlowReporter, type LiveFlow } from '@ambit/flow'
import type { TlsFacts } from '@ambit/hbone'
import type { Verdict } from '@ambit/policy'
import { closingFields, openingFields, type Transferred } from './access-log.ts'
import type { ConnectionFailure } from './failures.ts'
import { earlyFlow, flowOf } from './tell-flow.ts'
import type { Traffic } from './traffic.types.ts'
import { TrafficSeries } from './traffic-series.ts'

/** Bytes under way, read whenever somebody asks. */
export interface ByteCounter {
  readonly fromDownstream: number
  readonly toDownstream: number
}

/** What happens to connections, told to metrics, access log and flows together so that they cannot disagree. */
export class ConnectionEvents {
  readonly #clock: Clock
  readonly #open = new Set<OpenConnection>()
  readonly #context: EventContext
  readonly flows: FlowJournal

  constructor(
    components: { readonly logger: Logger; readonly metrics: Metrics; readonly clock: Clock },
    options: { readonly reporter: FlowReporter },
  ) {
    this.#clock = components.clock
    this.flows = new FlowJournal({ live: () => this.#open, clock: components.clock })
    this.#context = {
      series: new TrafficSeries(components.metrics),
      log: components.logger.scope('access'),
      clock: components.clock,
      ids: new FlowIds(),
      reporter: options.reporter,
      ended: (connection, flow) => {
        this.#open.delete(connection)
        if (flow !== undefined) this.flows.ended(flow)
      },
      isFollowed: () => this.flows.isFollowed,
    }
  }

  opened(traffic: Traffic, bytes: ByteCounter): OpenConnection {
    const connection = new OpenConnection(traffic, bytes, this.#context)
    this.#open.add(connection)
    this.flows.opened(connection)
    return connection
  }

  /** A connection given up before anything is known about its ends. */
  refusedEarly(
    direction: 'inbound' | 'outbound',
    source: SocketAddress,
    destination: SocketAddress,
    failure: ConnectionFailure,
  ): void {
    const { ids, log, reporter } = this.#context
    const id = ids.text(ids.next())
    log.warn('connection failed', {
      'src.addr': formatSocketAddress(source),
      'dst.addr': formatSocketAddress(destination),
      direction,
      connection_id: id,
      error: failure.message,
    })
    const side = direction === 'inbound' ? 'destination' : 'source'
    this.flows.ended(earlyFlow(reporter, { id, atMs: this.#clock.now(), side, source, destination, failure }))
  }

  /** Brings the metrics up to date, connections still open included; called before every scrape. */
  flush(): void {
    for (const connection of this.#open) connection.flush()
    this.#context.series.flush()
  }
}

interface EventContext {
  readonly series: TrafficSeries
  readonly log: Logger
  readonly clock: Clock
  readonly ids: FlowIds
  readonly reporter: FlowReporter
  /** The flow only where somebody may want it. */
  readonly ended: (connection: OpenConnection, flow: Flow | undefined) => void
  readonly isFollowed: () => boolean
}

export class OpenConnection implements LiveFlow {
  readonly #bytes: ByteCounter
  readonly #context: EventContext
  readonly #id: number
  readonly #startedMs: number
  readonly #startedAtMs: number
  /** What its bytes are counted under: known when it opened. */
  readonly #openedAs: Traffic
  #traffic: Traffic
  #verdict: Verdict | undefined
  #proven: boolean
  /** What became known after it opened. */
  #learned = 0
  #counted: Transferred = { fromDownstream: 0, toDownstream: 0 }
  #closed = false

  constructor(traffic: Traffic, bytes: ByteCounter, context: EventContext) {
    this.#traffic = traffic
    this.#bytes = bytes
    this.#context = context
    this.#openedAs = traffic
    this.#id = context.ids.next()
    this.#startedMs = context.clock.monotonic()
    this.#startedAtMs = context.clock.now()
    this.#proven = traffic.reporter === 'destination'
    context.series.of(traffic, '-').opened++
    context.series.socketsOpen(traffic.reporter, 1)
    if (context.log.enabled('debug')) context.log.debug('connection opened', openingFields(traffic))
  }

  /** Learns the identity that the other end's handshake proved. */
  peerIs(destinationIdentity: SpiffeId, tls?: TlsFacts): void {
    this.#proven = true
    this.#learned++
    const expected = this.#traffic.destinationIdentity
    const isExpected = expected !== undefined && sameSpiffeId(expected, destinationIdentity)
    this.#traffic = { ...this.#traffic, tls, destinationIdentity: isExpected ? expected : destinationIdentity }
  }

  /** Learns what policy said when it came. */
  judged(verdict: Verdict): void {
    this.#verdict = verdict
    this.#learned++
  }

  get progress(): number {
    return this.#learned + this.#bytes.fromDownstream + this.#bytes.toDownstream
  }

  tell(): Flow | undefined {
    return this.#closed ? undefined : this.#flow(undefined)
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
    this.flush()
    const { series, log, clock, ids, isFollowed, ended } = this.#context
    ended(this, failure !== undefined || isFollowed() ? this.#flow({ failure }) : undefined)
    const closed = series.of(this.#traffic, failure?.flag ?? '-')
    closed.closed++
    if (failure !== undefined) closed.failed++
    series.socketsOpen(this.#traffic.reporter, -1)
    const level = failure === undefined ? 'info' : 'error'
    if (!log.enabled(level)) return
    log[level]('connection complete', {
      ...openingFields(this.#traffic),
      ...closingFields(this.#traffic, this.#counted, clock.monotonic() - this.#startedMs, {
        id: ids.text(this.#id),
        failure,
      }),
    })
  }

  #flow(end: { readonly failure: ConnectionFailure | undefined } | undefined): Flow {
    const { ids, clock, reporter } = this.#context
    const { fromDownstream, toDownstream } = this.#bytes
    return flowOf(reporter, {
      id: ids.text(this.#id),
      startedAtMs: this.#startedAtMs,
      atMs: clock.now(),
      traffic: this.#traffic,
      bytes: { fromDownstream, toDownstream },
      proven: this.#proven,
      verdict: this.#verdict,
      end,
    })
  }
}
