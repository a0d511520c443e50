import type { SocketAddress } from '@ambit/core'
import type { Reactor, ReactorConnection, ReactorCopy, ReactorPool } from '@ambit/hbone'
import type { DescriptorFactory } from '@ambit/linux'
import type { Captured } from '../captured.ts'
import { CONNECT_TIMEOUT_MS, REFUSAL_HOLD_MS } from '../limits.ts'
import type {
  CapturedConnection,
  Flow,
  PathDial,
  RunningCopy,
  TunnelledCopy,
  TunnelRequest,
} from './data-path.types.ts'
import { dialByReactor } from './reactor-dial.ts'

/** What connections of a pod need of it. */
export interface ReactorContext {
  readonly reactor: Reactor
  readonly pool: Pick<ReactorPool, 'openAndCopy'>
  readonly descriptors: DescriptorFactory
}

/** A connection that a worker holds, unread until it is copied. */
export class ReactorCaptured implements CapturedConnection {
  readonly source: SocketAddress
  readonly target: SocketAddress
  readonly #connection: ReactorConnection
  readonly #context: ReactorContext
  #isJoining = false

  constructor(connection: ReactorConnection, { source, target }: Captured, context: ReactorContext) {
    this.#connection = connection
    this.#context = context
    this.source = source
    this.target = target
  }

  get local(): SocketAddress | undefined {
    return this.#connection.local
  }

  onGone(listener: () => void): () => void {
    return this.#connection.onGone(listener)
  }

  cut(): void {
    // In a copy, its end would be passed on as one in order: the signal of the flow cuts both sides at once.
    if (!this.#isJoining) this.#connection.cut()
  }

  async refuse(): Promise<void> {
    const gone = Promise.withResolvers<void>()
    this.#connection.onGone(gone.resolve)
    this.#connection.refuse(REFUSAL_HOLD_MS)
    await gone.promise
  }

  async tunnel(request: TunnelRequest, flow: Flow): Promise<TunnelledCopy> {
    const { signal } = flow.cut
    const { copy, peer, tls } = await this.#join(() =>
      this.#context.pool.openAndCopy({ ...request, signal }, this.#connection),
    )
    return { peer, tls, ...running(copy, flow) }
  }

  async forward(dial: PathDial, flow: Flow): Promise<RunningCopy> {
    const { reactor, descriptors } = this.#context
    const { signal } = flow.cut
    const options = { to: dial.to, timeoutMs: CONNECT_TIMEOUT_MS, signal }
    const { copy } = await this.#join(() =>
      dialByReactor(descriptors, dial, signal, (fd) => reactor.connectAndCopy(this.#connection, fd, options)),
    )
    return running(copy, flow)
  }

  /** Once it is joined there is no way back. */
  async #join<Joined>(join: () => Promise<Joined>): Promise<Joined> {
    this.#isJoining = true
    try {
      return await join()
    } catch (error) {
      this.#isJoining = false
      throw error
    }
  }
}

export function running(copy: ReactorCopy, { bytes }: Flow): RunningCopy {
  bytes.countedBy(copy.counters)
  return { over: copy.over.then(({ error }) => error) }
}
