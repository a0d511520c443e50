import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import {
  abortable,
  type Clock,
  formatSpiffeId,
  type Logger,
  messageOf,
  type SocketAddress,
  type SpiffeId,
} from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import { duplicate, listenOn, nodeFfi, wakeDescriptor } from '@ambit/linux'
import { KEY_EXCHANGE_GROUPS, type KeyExchangeGroup } from '../defaults.ts'
import { HboneConnectError } from '../errors.ts'
import { REACTOR_CRASH_LOOP_MS, REACTOR_YOUNG_GENERATION_MB } from '../limits.ts'
import { CommandChannel, STATE } from './command-channel.ts'
import type { Command, HandleId, ReactorEvent, ReactorFacts, ReactorWorkerData } from './messages.types.ts'
import { ReactorConnection } from './reactor-connection.ts'
import {
  type ReactorConnectOptions,
  ReactorCopies,
  type ReactorCopy,
  type ReactorCopyOptions,
  type ReactorJoined,
} from './reactor-copies.ts'
import { ReactorCrashError } from './reactor-errors.ts'
import type { Listener, ReactorHandle, ReactorPort } from './reactor-handle.ts'
import type { ReactorTunnel } from './reactor-session.ts'

export interface ReactorComponents {
  readonly logger: Logger
  readonly clock: Clock
  /** A worker ended by itself; what it had is lost, and another one takes its place unless `isLast`. */
  readonly onCrash?: (error: ReactorCrashError, isLast: boolean) => void
}

interface Listening {
  readonly fd: number
  readonly id: HandleId
  readonly onConnection: (connection: ReactorConnection) => void
}

interface Running {
  readonly worker: Worker
  readonly channel: CommandChannel
  readyMs: number | undefined
}

/** Node joins its threads before it exits, and these sleep in the kernel. */
const living = new Set<Reactor>()
const wakeAll = (): void => {
  for (const reactor of living) reactor.stopNow()
}

/**
 * One worker that moves bytes: sockets, TLS and HTTP/2 are there, and this thread decides. What lives there is known here by handles;
 * commands go there and events come back in batches.
 */
export class Reactor implements AsyncDisposable {
  readonly #components: ReactorComponents
  readonly #logger: Logger
  readonly #listeners = new Map<HandleId, Listener>()
  readonly #listening = new Map<HandleId, Listening>()
  #contexts = new Map<WorkloadCertificate, HandleId>()
  #contextOf = new Map<string, WorkloadCertificate>()
  #lastId = -1
  #batch: Command[] = []
  #transfers: ArrayBuffer[] = []
  #running: Running | undefined
  #isStopping = false
  /** Crashed, and does not come back. */
  #isDown = false
  #facts: PromiseWithResolvers<ReactorFacts>[] = []
  #stopped = Promise.withResolvers<ReactorFacts | undefined>()
  #lastFacts: ReactorFacts | undefined

  /** Rejects with ReactorUnavailableError where this Node cannot do it. */
  static async start(components: ReactorComponents): Promise<Reactor> {
    // Here rather than in the worker, so that the error says what is missing.
    nodeFfi()
    const reactor = new Reactor(components)
    if (living.size === 0) process.on('exit', wakeAll)
    living.add(reactor)
    await reactor.#startWorker()
    return reactor
  }

  private constructor(components: ReactorComponents) {
    this.#components = components
    this.#logger = components.logger.scope('reactor')
  }

  /** For handles. */
  readonly port: ReactorPort = {
    copies: new ReactorCopies(() => this.port),
    nextId: () => {
      this.#lastId += 2
      return this.#lastId
    },
    post: (command, transfer) => this.#post(command, transfer),
    hear: (id, listener) => void this.#listeners.set(id, listener),
    deaf: (id) => void this.#listeners.delete(id),
  }

  /** Contexts of certificates: a new one of the same identity replaces the old one, whose key leaves the worker with its last session. */
  context(certificate: WorkloadCertificate, groups: readonly KeyExchangeGroup[] = KEY_EXCHANGE_GROUPS): HandleId {
    const known = this.#contexts.get(certificate)
    if (known !== undefined) return known
    const id = this.port.nextId()
    const name = formatSpiffeId(certificate.identity)
    const before = this.#contextOf.get(name)
    if (before !== undefined) this.#dropContext(before)
    this.#contextOf.set(name, certificate)
    this.#contexts.set(certificate, id)
    const exported = certificate.privateKey.export({ type: 'pkcs8', format: 'der' })
    const privateKeyDer = new Uint8Array(exported)
    exported.fill(0)
    const { chainPem, rootsPem } = certificate
    const names = groups.join(':')
    this.#post({ kind: 'context', id, chainPem, rootsPem, privateKeyDer, groups: names }, privateKeyDer.buffer)
    return id
  }

  /** Nobody of the identity is here any more: its key leaves the worker with its last session. */
  forget(identity: SpiffeId): void {
    const name = formatSpiffeId(identity)
    const certificate = this.#contextOf.get(name)
    this.#contextOf.delete(name)
    if (certificate !== undefined) this.#dropContext(certificate)
  }

  /** Takes a bound descriptor over and listens. It is kept here, so that a worker that comes back goes on with it. */
  listen(fd: number, onConnection: (connection: ReactorConnection) => void): Disposable {
    if (this.#isDown) {
      duplicate.close(fd)
      return { [Symbol.dispose]: () => undefined }
    }
    listenOn(fd)
    const listening: Listening = { fd, id: this.port.nextId(), onConnection }
    this.#listening.set(listening.id, listening)
    this.#listenIn(listening)
    return {
      [Symbol.dispose]: () => {
        if (!this.#listening.delete(listening.id)) return
        this.#listeners.delete(listening.id)
        this.#post({ kind: 'close', id: listening.id })
        duplicate.close(fd)
      },
    }
  }

  /** Takes over the descriptor of a connected socket, which must not block. */
  adopt(fd: number): ReactorConnection {
    const connection = new ReactorConnection(this.port, this.port.nextId(), {})
    this.#post({ kind: 'adopt', id: connection.id, fd })
    return connection
  }

  /** Takes over the descriptor of an unconnected socket and connects it. */
  async connect(
    fd: number,
    options: { readonly to: SocketAddress; readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<ReactorConnection> {
    const { to, timeoutMs, signal } = options
    const connection = new ReactorConnection(this.port, this.port.nextId(), { remote: to })
    const { connected } = connection
    this.#post({ kind: 'connect', id: connection.id, fd, to, timeoutMs })
    try {
      await abortable(connected, signal)
      return connection
    } catch (error) {
      connection.cut()
      throw error
    }
  }

  /** Copies both ways until both directions have ended. Both handles are of no more use. */
  copy(
    a: ReactorConnection | ReactorTunnel,
    b: ReactorConnection | ReactorTunnel,
    options: ReactorCopyOptions = {},
  ): ReactorCopy {
    return this.port.copies.copy(a, b, options)
  }

  /**
   * Takes over the descriptor of an unconnected socket, connects it, and copies from then on. Rejects when it cannot be connected:
   * `a` is left as it is.
   */
  connectAndCopy(a: ReactorConnection, fd: number, options: ReactorConnectOptions): Promise<ReactorJoined> {
    return this.port.copies.joinConnection(a, fd, [], options)
  }

  /** What the worker holds now. */
  facts(): Promise<ReactorFacts> {
    if (this.#isDown || this.#isStopping) return Promise.reject(new ReactorCrashError('the worker is gone'))
    const answer = Promise.withResolvers<ReactorFacts>()
    this.#facts.push(answer)
    this.#post({ kind: 'facts' })
    return answer.promise
  }

  /** For tests of what a crash takes down. */
  crash(): void {
    this.#post({ kind: 'crash' })
  }

  /** Resets every connection and ends the worker; answers what it held after that, which should be nothing. */
  async stop(): Promise<ReactorFacts | undefined> {
    if (!this.#isStopping) {
      this.#isStopping = true
      living.delete(this)
      if (living.size === 0) process.off('exit', wakeAll)
      for (const { fd } of this.#listening.values()) duplicate.close(fd)
      this.#listening.clear()
      if (this.#running === undefined) this.#stopped.resolve(undefined)
      else this.#post({ kind: 'stop' })
    }
    return await this.#stopped.promise
  }

  /** Without waiting: the process ends. Also told to a worker that is still starting, for it would sleep and never be joined. */
  stopNow(): void {
    this.#isStopping = true
    this.#running?.channel.send([{ kind: 'stop' }], [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #startWorker(): Promise<void> {
    const { port1, port2 } = new MessageChannel()
    const state = new Int32Array(new SharedArrayBuffer(STATE.words * Int32Array.BYTES_PER_ELEMENT))
    const wake = wakeDescriptor()
    const workerData: ReactorWorkerData = {
      port: port2,
      wakeDescriptor: wake,
      state,
      counters: this.port.copies.counters,
    }
    const worker = new Worker(new URL('./reactor-worker.ts', import.meta.url), {
      workerData,
      transferList: [port2],
      name: 'reactor',
      // What it allocates is gone by the next turn: a larger young generation only takes memory that idle connections are charged with.
      resourceLimits: { maxYoungGenerationSizeMb: REACTOR_YOUNG_GENERATION_MB },
    })
    const running: Running = { worker, channel: new CommandChannel(port1, state, wake), readyMs: undefined }
    this.#running = running
    const ready = Promise.withResolvers<void>()
    let failure: unknown
    const hearAll = (events: readonly ReactorEvent[]): void => {
      for (const event of events) {
        if (event.kind === 'ready') {
          running.readyMs = this.#components.clock.monotonic()
          ready.resolve()
        } else this.#hear(event)
      }
    }
    port1.on('message', hearAll)
    worker.on('error', (error) => {
      failure = error
    })
    worker.once('exit', () => {
      // Its last words may still be under way: threads and messages end in no order.
      for (;;) {
        const last: { readonly message: readonly ReactorEvent[] } | undefined = receiveMessageOnPort(port1)
        if (last === undefined) break
        hearAll(last.message)
      }
      port1.close()
      running.channel[Symbol.dispose]()
      ready.reject(new ReactorCrashError(`a worker did not start: ${messageOf(failure)}`, { cause: failure }))
      this.#exited(running, failure)
    })
    await ready.promise
    // What lives in the worker keeps the process alive by its own means: listeners and promises of those who wait.
    this.#flush()
  }

  #hear(event: ReactorEvent): void {
    switch (event.kind) {
      case 'facts':
        this.#facts.shift()?.resolve(event.facts)
        return
      case 'stopped':
        this.#lastFacts = event.facts
        return
      case 'ready':
        return
      case 'accepted': {
        const listening = this.#listening.get(event.listener)
        const connection = new ReactorConnection(this.port, event.id, event)
        if (listening === undefined) connection.cut()
        else listening.onConnection(connection)
        return
      }
      case 'requested':
        this.#listeners.get(event.session)?.hear(event)
        return
      case 'gone':
        this.#contextFailed(event.id, event.failure)
        this.#listeners.get(event.id)?.hear(event)
        return
      default:
        this.#listeners.get(event.id)?.hear(event)
    }
  }

  /** A certificate that OpenSSL does not take: whoever secures with it is told that it is gone, the log says why. */
  #contextFailed(id: HandleId, failure: string | undefined): void {
    for (const [certificate, context] of this.#contexts) {
      if (context !== id) continue
      this.#contexts.delete(certificate)
      this.#logger.error('a certificate cannot be used', { identity: certificate.leaf.subjectAltName, error: failure })
    }
  }

  #exited(running: Running, failure: unknown): void {
    this.#running = undefined
    const unsent = this.#batch
    this.#batch = []
    this.#transfers = []
    const error = new ReactorCrashError(`a worker ended with its connections: ${messageOf(failure)}`, {
      cause: failure,
    })
    const lost = this.#isStopping ? new HboneConnectError('the worker was stopped') : error
    this.#contexts.clear()
    this.#contextOf.clear()
    this.port.copies.lost(lost)
    for (const [id, listener] of [...this.#listeners]) {
      if (!this.#listening.has(id)) listener.hear({ kind: 'gone', id, failure: lost.message, code: undefined })
    }
    for (const command of unsent) refuse(command)
    for (const facts of this.#facts.splice(0)) facts.reject(lost)
    if (this.#isStopping) {
      this.#stopped.resolve(this.#lastFacts)
      return
    }
    const { readyMs } = running
    const isLast = readyMs === undefined || this.#components.clock.monotonic() - readyMs < REACTOR_CRASH_LOOP_MS
    this.#logger.error('a reactor worker crashed', { error: messageOf(failure), again: !isLast })
    if (isLast) this.#goDown()
    this.#components.onCrash?.(error, isLast)
    if (isLast) return
    this.#startWorker().then(
      () => {
        for (const listening of this.#listening.values()) this.#listenIn(listening)
      },
      (cause: unknown) => {
        this.#goDown()
        this.#logger.error('a reactor worker did not come back', { error: messageOf(cause) })
      },
    )
  }

  /** Nobody takes connections any more: the kernel must not go on completing them, and those that wait are reset. */
  #goDown(): void {
    this.#isDown = true
    for (const { fd } of this.#listening.values()) duplicate.close(fd)
    this.#listening.clear()
  }

  #listenIn({ id, fd }: Listening): void {
    this.#post({ kind: 'listen', id, fd: duplicate.of(fd) })
  }

  #dropContext(certificate: WorkloadCertificate): void {
    const id = this.#contexts.get(certificate)
    this.#contexts.delete(certificate)
    if (id !== undefined) this.#post({ kind: 'drop-context', id })
  }

  /** There is no worker, and none comes: whoever asks is told, not kept waiting. */
  #refuse(command: Command): void {
    refuse(command)
    if (!('id' in command)) return
    this.#listeners
      .get(command.id)
      ?.hear({ kind: 'gone', id: command.id, failure: 'the worker is gone', code: undefined })
  }

  #post(command: Command, transfer?: ArrayBuffer): void {
    if (this.#isDown || (this.#isStopping && command.kind !== 'stop')) {
      queueMicrotask(() => this.#refuse(command))
      return
    }
    if (this.#batch.length === 0) queueMicrotask(() => this.#flush())
    this.#batch.push(command)
    if (transfer !== undefined) this.#transfers.push(transfer)
  }

  #flush(): void {
    const running = this.#running
    // Until the worker is there, commands wait for it.
    if (running?.readyMs === undefined || this.#batch.length === 0) return
    const [batch, transfers] = [this.#batch, this.#transfers]
    this.#batch = []
    this.#transfers = []
    running.channel.send(batch, transfers)
  }
}

/** What it would have taken over. */
function refuse(command: Command): void {
  if ('fd' in command) duplicate.close(command.fd)
}

export type { ReactorHandle }
