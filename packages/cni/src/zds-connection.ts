import { AmbitError, messageOf } from '@ambit/core'
import { closeAll, type Netns, type SeqpacketConnection } from '@ambit/linux'
import { ZDS_DEADLINE_MS } from './limits.ts'
import { decodeAck, isSupportedHello } from './zds-messages.ts'

/** The connection to a ztunnel ended or broke the protocol. The pod stays pending until a ztunnel answers. */
export class ZtunnelGoneError extends AmbitError {
  override readonly code = 'ZTUNNEL_GONE'
}

/** ztunnel answered with an error, such as a listener it could not open in the pod. */
export class ZtunnelRefusedError extends AmbitError {
  override readonly code = 'ZTUNNEL_REFUSED'
}

interface Outstanding {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** One connected ztunnel: requests go out one at a time, each answered before the next. */
export class ZdsConnection {
  readonly #connection: SeqpacketConnection
  readonly #ended = Promise.withResolvers<Error>()
  #turn: Promise<unknown> = Promise.resolve()
  #outstanding: Outstanding | undefined
  #failure: Error | undefined

  private constructor(connection: SeqpacketConnection) {
    this.#connection = connection
    void this.#read()
  }

  /** Waits for the greeting; throws when it does not come in time or is none. */
  static async greet(connection: SeqpacketConnection): Promise<ZdsConnection> {
    const hello = await connection.receive(AbortSignal.timeout(ZDS_DEADLINE_MS))
    if (hello === undefined) throw new ZtunnelGoneError('ztunnel closed the connection before its greeting')
    closeAll(hello.fds)
    if (!isSupportedHello(hello.bytes)) {
      throw new ZtunnelGoneError(
        'the first packet is no ZdsHello of version V1; is this ztunnel of a matching release?',
      )
    }
    return new ZdsConnection(connection)
  }

  /** Resolves with the reason once the connection is over. */
  get ended(): Promise<Error> {
    return this.#ended.promise
  }

  /** Sends a request, with the pod's namespace if it has one, and waits for the answer. */
  request(bytes: Uint8Array, netns?: Netns): Promise<void> {
    // A handle of our own: while the request waits for its turn the pod may go, and its number name another file.
    const copy = netns?.dup()
    const answered = this.#turn.then(() => this.#requestNow(bytes, copy?.fd)).finally(() => copy?.[Symbol.dispose]())
    this.#turn = answered.catch(() => undefined)
    return answered
  }

  close(reason: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = reason
    this.#connection.close()
    this.#outstanding?.reject(reason)
    this.#outstanding = undefined
    this.#ended.resolve(reason)
  }

  async #requestNow(bytes: Uint8Array, fd: number | undefined): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#outstanding = { resolve, reject }
    const timer = setTimeout(
      () => this.close(new ZtunnelGoneError(`ztunnel did not answer within ${ZDS_DEADLINE_MS} ms`)),
      ZDS_DEADLINE_MS,
    )
    try {
      this.#connection.send(bytes, fd).catch((error: unknown) => {
        this.close(new ZtunnelGoneError(`sending to ztunnel failed: ${messageOf(error)}`, { cause: error }))
      })
      await promise
    } finally {
      clearTimeout(timer)
    }
  }

  /** One read is always pending, so a ztunnel that goes away is noticed at once. */
  async #read(): Promise<void> {
    try {
      for (;;) {
        const packet = await this.#connection.receive()
        if (packet === undefined) return this.close(new ZtunnelGoneError('ztunnel closed the connection'))
        closeAll(packet.fds)
        this.#answer(decodeAck(packet.bytes))
      }
    } catch (error) {
      this.close(new ZtunnelGoneError(`reading from ztunnel failed: ${messageOf(error)}`, { cause: error }))
    }
  }

  #answer(error: string | undefined): void {
    const outstanding = this.#outstanding
    this.#outstanding = undefined
    if (outstanding === undefined) {
      this.close(new ZtunnelGoneError('ztunnel sent a packet nobody asked for'))
    } else if (error === undefined) {
      const failure = new ZtunnelGoneError('ztunnel sent a packet that is no answer')
      outstanding.reject(failure)
      this.close(failure)
    } else if (error === '') {
      outstanding.resolve()
    } else {
      outstanding.reject(new ZtunnelRefusedError(`ztunnel refused: ${error}`))
    }
  }
}
