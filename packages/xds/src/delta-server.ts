import type { discoverypb } from '@ambit/api'
import type { Clock, Closable, Counter, Gauge, Logger, Metrics } from '@ambit/core'
import { messageOf } from '@ambit/core'
import {
  type Metadata,
  type ServerDuplexStream,
  type ServerOptions,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { Debounce } from './debounce.ts'
import type { PushedResponse } from './encode-response.ts'
import {
  ACK_TIMEOUT_MS,
  ADMISSION_TIMEOUT_MS,
  DEBOUNCE_MAX_MS,
  DEBOUNCE_MS,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_REQUEST_BYTES,
  MAX_STREAMS,
  STREAM_MAX_AGE_MS,
} from './limits.ts'
import { DELTA_METHOD, type DeltaRequest } from './method.ts'
import type { ResourceSource } from './resource.types.ts'
import { type References, ServerStream, type TypeStatus } from './server-stream.ts'

/** Whether the client is who its node says, and the audience it belongs to. */
export type AuthenticationResult =
  | { readonly ok: true; readonly audience?: string | undefined }
  | { readonly error: string }

export interface DeltaServerComponents {
  readonly source: ResourceSource
  readonly authenticate: (metadata: Metadata, node: discoverypb.Node, peer: string) => Promise<AuthenticationResult>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly random?: (() => number) | undefined
}

export interface DeltaServerOptions {
  readonly debounceMs?: number | undefined
  readonly debounceMaxMs?: number | undefined
  readonly streamMaxAgeMs?: number | undefined
  readonly ackTimeoutMs?: number | undefined
  readonly maxStreams?: number | undefined
  readonly references?: References | undefined
}

/** A connected client, for status reports. */
export interface ConnectionStatus {
  readonly id: string
  readonly node: discoverypb.Node
  readonly peer: string
  readonly connectedAtMs: number
  readonly types: readonly TypeStatus[]
}

/** Options the grpc-js server needs for this service: long lists of versions, and dead clients noticed. */
export const DELTA_SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
}

type Call = ServerDuplexStream<DeltaRequest, PushedResponse>

interface Connection {
  readonly id: string
  readonly node: discoverypb.Node
  readonly peer: string
  readonly connectedAtMs: number
  readonly stream: ServerStream
  end(): void
}

/** The serving end of delta xDS: `server.addService(delta.service, delta.implementation)`. */
export class DeltaServer implements Closable {
  readonly service: ServiceDefinition = { DeltaAggregatedResources: DELTA_METHOD }
  readonly implementation: UntypedServiceImplementation = {
    DeltaAggregatedResources: (call: Call) => this.#onCall(call),
  }
  readonly #parts: DeltaServerComponents
  readonly #logger: Logger
  readonly #options: Required<{ [K in keyof DeltaServerOptions]: NonNullable<DeltaServerOptions[K]> }>
  readonly #connections = new Set<Connection>()
  readonly #debounce: Debounce
  readonly #subscription: Disposable
  readonly #connected: Gauge
  readonly #pushes: Counter
  readonly #rejects: Counter
  #open = 0
  #ids = 0

  constructor(components: DeltaServerComponents, options: DeltaServerOptions = {}) {
    const { source, clock, logger, metrics } = components
    this.#parts = components
    this.#logger = logger.scope('xds')
    this.#options = {
      debounceMs: options.debounceMs ?? DEBOUNCE_MS,
      debounceMaxMs: options.debounceMaxMs ?? DEBOUNCE_MAX_MS,
      streamMaxAgeMs: options.streamMaxAgeMs ?? STREAM_MAX_AGE_MS,
      ackTimeoutMs: options.ackTimeoutMs ?? ACK_TIMEOUT_MS,
      maxStreams: options.maxStreams ?? MAX_STREAMS,
      references: options.references ?? {},
    }
    this.#connected = metrics.gauge({ name: 'pilot_xds', help: 'Clients connected by xDS' })
    this.#pushes = metrics.counter({ name: 'pilot_xds_pushes', help: 'xDS responses sent', labelNames: ['type'] })
    this.#rejects = metrics.counter({
      name: 'pilot_total_xds_rejects',
      help: 'xDS responses that clients refused',
      labelNames: ['type'],
    })
    this.#debounce = new Debounce(clock, () => this.#flush(), {
      quietMs: this.#options.debounceMs,
      maxMs: this.#options.debounceMaxMs,
    })
    this.#subscription = source.subscribe((typeUrl, change) => {
      for (const { stream } of this.#connections) stream.note(typeUrl, change)
      this.#debounce.trigger()
    })
  }

  connections(): readonly ConnectionStatus[] {
    return [...this.#connections].map(({ id, node, peer, connectedAtMs, stream }) => ({
      id,
      node,
      peer,
      connectedAtMs,
      types: stream.statuses(),
    }))
  }

  /** Ends every stream cleanly; clients connect again at once, to another replica. */
  close(): Promise<void> {
    this.#subscription[Symbol.dispose]()
    this.#debounce[Symbol.dispose]()
    for (const connection of [...this.#connections]) connection.end()
    return Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #flush(): void {
    for (const { stream } of this.#connections) stream.flush()
  }

  #onCall(call: Call): void {
    // Errors of a peer's stream are its end, and the end is handled by 'close'.
    call.on('error', () => {})
    if (this.#open >= this.#options.maxStreams) {
      fail(call, status.RESOURCE_EXHAUSTED, `this replica already serves ${this.#options.maxStreams} streams`)
      return
    }
    this.#open++
    let connection: Connection | undefined
    let isDone = false
    const done = (): void => {
      if (isDone) return
      isDone = true
      this.#open--
      admission[Symbol.dispose]()
      if (connection !== undefined) this.#remove(connection)
    }
    // Strangers must not be able to fill the places of clients by saying nothing.
    const admission = this.#parts.clock.after(ADMISSION_TIMEOUT_MS, () => {
      if (connection !== undefined) return
      done()
      fail(call, status.DEADLINE_EXCEEDED, `not admitted within ${ADMISSION_TIMEOUT_MS} ms`)
    })
    call.once('cancelled', done)
    call.once('close', done)
    call.on('end', () => {
      done()
      call.end()
    })
    call.on('data', (request: DeltaRequest) => {
      if (isDone) return
      if (connection !== undefined) {
        this.#onRequest(call, connection, request)
        return
      }
      // Nothing else is read until the client is known.
      call.pause()
      void this.#admit(call, request, done).then((admitted) => {
        if (isDone || admitted === undefined) return
        connection = admitted
        this.#connections.add(admitted)
        this.#connected.set({}, this.#connections.size)
        this.#onRequest(call, admitted, request)
        call.resume()
      })
    })
  }

  async #admit(call: Call, { node }: DeltaRequest, done: () => void): Promise<Connection | undefined> {
    const peer = call.getPeer()
    if (node === undefined) {
      fail(call, status.INVALID_ARGUMENT, 'the first request names no node')
      return undefined
    }
    const result = await this.#parts
      .authenticate(call.metadata, node, peer)
      .catch((error: unknown): AuthenticationResult => ({ error: messageOf(error) }))
    if ('error' in result) {
      this.#logger.warn('xDS client refused', { node: node.id, peer, reason: result.error })
      fail(call, status.UNAUTHENTICATED, result.error)
      return undefined
    }
    return this.#connection(call, { node, peer, audience: result.audience }, done)
  }

  #connection(
    call: Call,
    client: { readonly node: discoverypb.Node; readonly peer: string; readonly audience: string | undefined },
    done: () => void,
  ): Connection {
    const { node, peer, audience } = client
    const { source, clock, random = Math.random } = this.#parts
    const stream = new ServerStream(
      {
        source,
        clock,
        logger: this.#logger,
        send: (response) => {
          this.#pushes.add({ type: response.typeUrl })
          call.write(response)
        },
        onStuck: (typeUrl) => {
          this.#logger.warn('xDS client does not answer; its stream is ended', { node: node.id, peer, type: typeUrl })
          done()
          fail(call, status.DEADLINE_EXCEEDED, `no answer to ${typeUrl} within ${this.#options.ackTimeoutMs} ms`)
        },
        onNack: (type, message) => {
          this.#rejects.add({ type })
          this.#logger.warn('xDS client refused resources', { node: node.id, peer, type, message })
        },
      },
      { ackTimeoutMs: this.#options.ackTimeoutMs, references: this.#options.references, audience },
    )
    const end = (): void => {
      done()
      call.end()
    }
    // A tenth of spread keeps clients that connected together from returning together.
    const age = clock.after(this.#options.streamMaxAgeMs * (1 - 0.1 * random()), end)
    call.once('close', () => age[Symbol.dispose]())
    call.once('cancelled', () => age[Symbol.dispose]())
    const id = `${node.id}-${++this.#ids}`
    this.#logger.debug('xDS client connected', { id, peer })
    return { id, node, peer, connectedAtMs: clock.now(), stream, end }
  }

  #onRequest(call: Call, { stream }: Connection, request: DeltaRequest): void {
    try {
      stream.onRequest(request)
    } catch (error) {
      fail(call, status.RESOURCE_EXHAUSTED, messageOf(error))
    }
  }

  #remove(connection: Connection): void {
    connection.stream[Symbol.dispose]()
    this.#connections.delete(connection)
    this.#connected.set({}, this.#connections.size)
  }
}

function fail(call: Call, code: status, details: string): void {
  call.emit('error', { code, details })
}
