import { discoverypb } from '@ambit/api'
import {
  abortable,
  Backoff,
  type Clock,
  type Closable,
  type Counter,
  type Logger,
  type Metrics,
  messageOf,
  parseIp,
  type ReadonlyWatchable,
  Watchable,
  when,
} from '@ambit/core'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  connectivityState,
  type StatusObject,
} from '@grpc/grpc-js'
import { type CredentialOptions, callMetadata, channelCredentials } from './client-credentials.ts'
import { type AppliedResponse, ClientType } from './client-type.ts'
import { DeltaResponse } from './delta-response.ts'
import { XdsClosedError, XdsConnectError } from './errors.ts'
import {
  BACKOFF,
  CONNECT_TIMEOUT_MS,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_BYTES_PER_STEP,
  MAX_RESPONSE_BYTES,
} from './limits.ts'
import { DELTA_PATH, type DeltaRequest, writeRequest } from './method.ts'
import { type ConnectionEnd, decideReconnect } from './reconnect-delay.ts'
import type { TypeSubscription } from './resource.types.ts'

export interface DeltaClientComponents {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly random?: (() => number) | undefined
}

export interface DeltaClientOptions extends CredentialOptions {
  /** `https://host:port` or `host:port`. */
  readonly address: string
  readonly node: MessageInitShape<typeof discoverypb.NodeSchema>
  readonly types: readonly TypeSubscription[]
}

type Stream = ClientDuplexStream<DeltaRequest, Buffer>

/** Keeps one delta xDS stream to the control plane, and what it brought across reconnects. Starts with `start`. */
export class DeltaClient implements Closable {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: DeltaClientOptions
  readonly #target: string
  readonly #host: string
  readonly #node: discoverypb.Node
  readonly #types: ReadonlyMap<string, ClientType>
  readonly #backoff: Backoff
  readonly #terminations: Counter
  readonly #messages: Counter
  readonly #messageBytes: Counter
  readonly #isSynced = new Watchable(false)
  readonly #connected = new Watchable(false)
  readonly #stop = new AbortController()
  #stream: Stream | undefined
  #running: Promise<void> | undefined
  /** A large response that is being applied; its stream is paused for so long. */
  #applying: Promise<void> | undefined

  constructor({ clock, logger, metrics, random }: DeltaClientComponents, options: DeltaClientOptions) {
    this.#clock = clock
    this.#logger = logger.scope('xds')
    this.#options = options
    this.#target = targetOf(options.address)
    this.#host = hostOf(this.#target)
    this.#node = create(discoverypb.NodeSchema, options.node)
    this.#types = new Map(options.types.map((type) => [type.typeUrl, new ClientType(type)]))
    this.#backoff = new Backoff(BACKOFF, random)
    this.#terminations = metrics.counter({
      name: 'istio_xds_connection_terminations',
      help: 'Connections to the control plane that ended, by reason',
      labelNames: ['reason'],
    })
    this.#messages = metrics.counter({
      name: 'istio_xds_message',
      help: 'Messages received from the control plane',
      labelNames: ['url'],
    })
    this.#messageBytes = metrics.counter({
      name: 'istio_xds_message_bytes',
      help: 'Bytes received from the control plane',
      labelNames: ['url'],
    })
    // Without a wildcard type there is nothing to wait for.
    this.#updateSynced()
  }

  /** Resolves once the first answer of every wildcard type was accepted. */
  get synced(): Promise<void> {
    return when(this.#isSynced, Boolean, this.#stop.signal).then(() => {})
  }

  get isSynced(): ReadonlyWatchable<boolean> {
    return this.#isSynced
  }

  /** True while a stream is open and the control plane has answered on it. */
  get connected(): ReadonlyWatchable<boolean> {
    return this.#connected
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Asks for one resource by name or alias; resolves when it, or word that it does not exist, has been applied. */
  async demand(typeUrl: string, name: string, signal?: AbortSignal): Promise<void> {
    this.#stop.signal.throwIfAborted()
    const type = this.#types.get(typeUrl)
    if (type === undefined) throw new TypeError(`${typeUrl} is not among the subscribed types`)
    const { answered, request } = type.demand(name)
    // Without a stream the name goes into the next initial request.
    if (request !== undefined) this.#stream?.write(request)
    await abortable(answered, signal)
  }

  async close(): Promise<void> {
    this.#stop.abort(new XdsClosedError('the xDS client is closed'))
    this.#stream?.cancel()
    for (const type of this.#types.values()) type.close()
    await this.#applying
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const end = await this.#connectOnce()
      if (signal.aborted) return
      const { reason, wait } = decideReconnect(end)
      this.#terminations.add({ reason })
      if (wait !== 'backoff') this.#backoff.reset()
      if (wait === 'none') continue
      const delay = wait === 'moment' ? BACKOFF.initialMs : this.#backoff.next()
      await this.#clock.sleep(delay, signal).catch(() => {})
    }
  }

  /** One connection from dial to end; never rejects. */
  async #connectOnce(): Promise<ConnectionEnd> {
    let client: Client | undefined
    try {
      // What it brings is what the next stream says it holds.
      await this.#applying
      const credentials = await channelCredentials(this.#options, this.#host)
      const metadata = await callMetadata(this.#options)
      client = new Client(this.#target, credentials, channelOptions(this.#host))
      await ready(client, this.#target, this.#stop.signal)
      const stream: Stream = client.makeBidiStreamRequest(DELTA_PATH, writeRequest, asReceived, metadata)
      return await this.#serve(stream)
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#logger.warn(messageOf(error), { address: this.#target })
      return { kind: 'connect-failed' }
    } finally {
      this.#stream = undefined
      this.#connected.set(false)
      client?.close()
    }
  }

  async #serve(stream: Stream): Promise<ConnectionEnd> {
    const { promise, resolve } = Promise.withResolvers<StatusObject>()
    stream.on('status', resolve)
    // The status says the same; without a listener it would be thrown.
    stream.on('error', () => {})
    stream.on('data', (bytes: Buffer) => this.#onResponse(stream, bytes))
    this.#stream = stream
    if (this.#stop.signal.aborted) stream.cancel()
    for (const type of this.#types.values()) stream.write(type.initialRequest(this.#node))
    const { code, details } = await promise
    if (code === 0) this.#logger.debug('xDS stream ended', { address: this.#target })
    else if (!this.#stop.signal.aborted) {
      this.#logger.warn('xDS stream failed; the last known state stays in use', {
        address: this.#target,
        code,
        details,
      })
    }
    return { kind: 'ended', code, details, answered: this.#connected.value }
  }

  #onResponse(stream: Stream, bytes: Buffer): void {
    // Nothing of a stream that has ended can be answered, nor is it known to be the last word.
    if (stream !== this.#stream) return
    try {
      if (bytes.length > MAX_BYTES_PER_STEP) this.#hold(stream, this.#takeNextTurn(stream, bytes))
      else {
        const taken = this.#take(stream, new DeltaResponse(bytes))
        if (taken !== undefined) this.#hold(stream, taken)
      }
    } catch (error) {
      this.#giveUp(stream, error)
    }
  }

  /** Nothing more is taken of the stream until then. */
  #hold(stream: Stream, taken: Promise<void>): void {
    stream.pause()
    this.#applying = taken.then(
      () => void stream.resume(),
      (error: unknown) => this.#giveUp(stream, error),
    )
  }

  async #takeNextTurn(stream: Stream, bytes: Buffer): Promise<void> {
    // Putting it together took a turn of the loop of its own.
    await new Promise((resolve) => setImmediate(resolve))
    await this.#take(stream, new DeltaResponse(bytes))
  }

  #take(stream: Stream, response: DeltaResponse): Promise<void> | undefined {
    const { typeUrl, nonce } = response
    this.#backoff.reset()
    this.#connected.set(true)
    this.#messages.add({ url: typeUrl })
    this.#messageBytes.add({ url: typeUrl }, response.bytes)
    const type = this.#types.get(typeUrl)
    if (type === undefined) {
      this.#logger.error('the control plane sent a type nobody asked for', { type: typeUrl })
      stream.write(create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce }))
      return undefined
    }
    const applied = type.apply(response)
    if (applied instanceof Promise) return applied.then((done) => this.#answer(stream, typeUrl, done))
    this.#answer(stream, typeUrl, applied)
    return undefined
  }

  #answer(stream: Stream, typeUrl: string, { answer, rejected }: AppliedResponse): void {
    for (const { name, reason } of rejected) {
      this.#logger.error('resource refused; its last good version stays in use', { type: typeUrl, name, reason })
    }
    if (stream === this.#stream) stream.write(answer)
    this.#updateSynced()
  }

  #giveUp(stream: Stream, error: unknown): void {
    this.#logger.error('a response can not be read; the stream is ended', { error: messageOf(error) })
    stream.cancel()
  }

  #updateSynced(): void {
    for (const type of this.#types.values()) {
      if (type.subscription.mode === 'wildcard' && !type.acked) return
    }
    this.#isSynced.set(true)
  }
}

/** Responses are read here, in pieces where they are large. */
function asReceived(bytes: Buffer): Buffer {
  return bytes
}

/** A name for handshakes with an address: Node refuses to send one as SNI, and this client checks the certificate itself. */
const NO_NAME = 'address.invalid'

function channelOptions(host: string): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.max_receive_message_length': MAX_RESPONSE_BYTES,
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
    // Each connection is made with freshly read roots; a shared one would keep the old.
    'grpc.use_local_subchannel_pool': 1,
    ...(parseIp(host) === undefined ? {} : { 'grpc.ssl_target_name_override': NO_NAME }),
  }
}

function hostOf(target: string): string {
  const host = target.slice(0, target.lastIndexOf(':'))
  return host.startsWith('[') ? host.slice(1, -1) : host
}

/** Resolves when the channel is connected, rejects on the first failure to; backing off is this client's business. */
async function ready(client: Client, target: string, signal: AbortSignal): Promise<void> {
  const channel = client.getChannel()
  const deadline = Date.now() + CONNECT_TIMEOUT_MS
  let state = channel.getConnectivityState(true)
  while (state !== connectivityState.READY) {
    signal.throwIfAborted()
    if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) {
      throw new XdsConnectError(
        `cannot connect to the control plane at ${target}: refused, unresolvable or not trusted. Check that the controller runs, that its name resolves, and that the root certificate is its own`,
      )
    }
    const { promise, resolve } = Promise.withResolvers<Error | undefined>()
    channel.watchConnectivityState(state, deadline, resolve)
    const late = await abortable(promise, signal)
    if (late) {
      throw new XdsConnectError(
        `no connection to the control plane at ${target} within ${CONNECT_TIMEOUT_MS} ms; a NetworkPolicy may block the port`,
      )
    }
    state = channel.getConnectivityState(true)
  }
}

function targetOf(address: string): string {
  if (!address.includes('://')) return /:[0-9]+$/.test(address) ? address : `${address}:443`
  const url = new URL(address)
  if (url.protocol !== 'https:') throw new TypeError(`xDS address ${address}: only https is supported`)
  return url.port === '' ? `${url.hostname}:443` : url.host
}
