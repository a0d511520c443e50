import type { SocketAddress } from '@ambit/core'
import { ERROR_CODE } from '@ambit/http2'
import { acceptsTunnel } from '../accepts-tunnel.ts'
import type { HandleId, Headers, ReactorEvent } from './messages.types.ts'
import { StreamEnd } from './stream-end.ts'
import type { TcpEnd } from './tcp-end.ts'

export interface JoiningComponents {
  /** The copy begins. */
  readonly begin: (a: TcpEnd | StreamEnd, b: TcpEnd | StreamEnd) => void
  readonly post: (event: ReactorEvent) => void
  readonly forget: (id: HandleId) => void
}

/**
 * A connection or tunnel that is there waits for another one that was asked for; then they are copied without asking the main thread.
 * When it does not come, the first one is left as it is, a tunnel unanswered: the main thread may try another address.
 */
export class Joining {
  readonly #components: JoiningComponents
  readonly #id: HandleId
  readonly #first: TcpEnd | StreamEnd
  readonly #second: TcpEnd | StreamEnd
  /** What a tunnel that waits is answered with 200. */
  readonly #answer: Headers
  #isOver = false

  constructor(
    components: JoiningComponents,
    of: {
      readonly id: HandleId
      readonly first: TcpEnd | StreamEnd
      readonly second: TcpEnd | StreamEnd
      readonly answer: Headers
    },
  ) {
    this.#components = components
    this.#id = of.id
    this.#first = of.first
    this.#second = of.second
    this.#answer = of.answer
    of.first.onLeft = () => this.#fail('the connection ended before it was joined', undefined, undefined)
    of.second.waiter = this
  }

  /** Waiter of the second one. */
  ready(local: SocketAddress): void {
    this.#join(local, undefined)
  }

  answered(headers: Headers): void {
    const status = Number(headers[1])
    if (acceptsTunnel(status)) this.#join(undefined, headers)
    else this.#fail(`http status: ${status}`, undefined, headers)
  }

  lost(failure: string, code: string | number | undefined): void {
    this.#fail(failure, code, undefined)
  }

  /** The main thread gives up. */
  cut(): void {
    this.#fail('the connection was cut', undefined, undefined)
  }

  close(): void {
    this.cut()
  }

  #join(local: SocketAddress | undefined, headers: Headers | undefined): void {
    if (!this.#settle()) return
    const [first, second] = [this.#first, this.#second]
    if (first instanceof StreamEnd) first.carrier.answer(first, [':status', '200', ...this.#answer], false)
    this.#components.post({ kind: 'joined', id: this.#id, headers, local })
    this.#components.begin(first, second)
  }

  #fail(failure: string, code: string | number | undefined, headers: Headers | undefined): void {
    if (!this.#settle()) return
    this.#components.forget(this.#id)
    this.#second.cut()
    this.#components.post({ kind: 'unjoined', id: this.#id, headers, failure, code })
  }

  #settle(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#first.onLeft = undefined
    this.#second.waiter = undefined
    return true
  }
}

/** As if the peer had said that it did not look at it: another connection may be tried. */
export const NOT_SENT: number = ERROR_CODE.refusedStream
