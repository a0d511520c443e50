import { closeSync } from 'node:fs'
import type { SocketAddress } from '@ambit/core'
import { HboneConnectError, HboneCutError, HboneLimitError, HboneResetError } from '../errors.ts'
import { MAX_REACTOR_COPIES } from '../limits.ts'
import type { SpliceCounters, SpliceResult } from '../splice.ts'
import { unanswered } from '../unanswered.ts'
import type { Command, HandleId, Headers, ReactorEvent } from './messages.types.ts'
import type { EventWithId, Listener, ReactorHandle, ReactorPort } from './reactor-handle.ts'
import { systemError } from './system-failure.ts'

export interface ReactorCopyOptions {
  /** Goes to `b` before anything that `a` sends; not counted. */
  readonly prefix?: Uint8Array | undefined
  /** Cuts both sides, at whatever point; what was not joined yet is given up. */
  readonly signal?: AbortSignal | undefined
}

export interface ReactorConnectOptions extends ReactorCopyOptions {
  readonly to: SocketAddress
  readonly timeoutMs: number
}

/** A copy under way. */
export interface ReactorCopy {
  /** Never rejects. */
  readonly over: Promise<SpliceResult>
  /** Read as often as wanted, while bytes flow and after. */
  readonly counters: Readonly<SpliceCounters>
  cut(): void
}

/** What was asked for is there, and bytes flow already. */
export interface ReactorJoined {
  readonly copy: ReactorCopy
  /** Of the connection that was made. */
  readonly local: SocketAddress | undefined
  /** Of the tunnel that was opened. */
  readonly headers: Headers | undefined
}

/** The other side said something else than yes. */
export class TunnelAnswer {
  readonly headers: Headers

  constructor(headers: Headers) {
    this.headers = headers
  }
}

type Copied = Extract<ReactorEvent, { kind: 'copied' }>
type Unjoined = Extract<ReactorEvent, { kind: 'unjoined' }>

/** The copies of one reactor: their numbers, and their places in the counters that the worker counts in. */
export class ReactorCopies {
  /** Two a slot: bytes from a to b, from b to a. */
  readonly counters: Float64Array<SharedArrayBuffer> = new Float64Array(
    new SharedArrayBuffer(MAX_REACTOR_COPIES * 2 * Float64Array.BYTES_PER_ELEMENT),
  )
  readonly #port: () => ReactorPort
  readonly #living = new Set<LiveCopy>()
  readonly #freeSlots: number[] = []
  #nextSlot = 0

  constructor(port: () => ReactorPort) {
    this.#port = port
  }

  get port(): ReactorPort {
    return this.#port()
  }

  /** Copies both ways until both directions have ended. Both handles are of no more use. */
  copy(a: ReactorHandle, b: ReactorHandle, options: ReactorCopyOptions): ReactorCopy {
    const slot = this.#takeSlot()
    if (slot === undefined) {
      a.cut()
      b.cut()
      throw tooMany()
    }
    const copy = this.#begin(slot, a, b, options)
    copy.joined()
    this.port.post({ kind: 'copy', id: copy.id, a: a.id, b: b.id, slot, prefix: options.prefix })
    copy.watch()
    return copy
  }

  /** Opens a tunnel and copies when it is accepted; rejects otherwise, with a TunnelAnswer if that was the answer, and leaves `a`. */
  joinTunnel(
    a: ReactorHandle,
    tunnel: ReactorHandle,
    session: HandleId,
    headers: Headers,
    options: ReactorCopyOptions,
  ): Promise<ReactorJoined> {
    const slot = this.#takeSlot()
    if (slot === undefined) {
      tunnel.over()
      return Promise.reject(tooMany())
    }
    return this.#join(slot, a, tunnel, options, (id) => {
      return { kind: 'join-tunnel', id, a: a.id, b: tunnel.id, session, headers, slot, prefix: options.prefix }
    })
  }

  /** Takes over the descriptor of an unconnected socket, connects it and copies then; rejects when it cannot be connected. */
  joinConnection(
    a: ReactorHandle,
    fd: number,
    headers: Headers,
    options: ReactorConnectOptions,
  ): Promise<ReactorJoined> {
    const { to, timeoutMs, prefix } = options
    const slot = a.isClosed ? undefined : this.#takeSlot()
    if (slot === undefined) {
      closeSync(fd)
      return Promise.reject(a.isClosed ? new HboneConnectError('the connection was closed') : tooMany())
    }
    const b = this.port.nextId()
    return this.#join(slot, a, undefined, options, (id) => {
      return { kind: 'join-connection', id, a: a.id, b, fd, to, timeoutMs, headers, slot, prefix }
    })
  }

  /** The worker is gone. */
  lost(error: Error): void {
    for (const copy of [...this.#living]) copy.lost(error)
  }

  over(copy: LiveCopy): void {
    if (this.#living.delete(copy)) this.#freeSlots.push(copy.slot)
    this.port.deaf(copy.id)
  }

  #join(
    slot: number,
    a: ReactorHandle,
    b: ReactorHandle | undefined,
    options: ReactorCopyOptions,
    command: (id: HandleId) => Command,
  ): Promise<ReactorJoined> {
    const copy = this.#begin(slot, a, b, options)
    copy.joining = Promise.withResolvers<ReactorJoined>()
    const { promise } = copy.joining
    this.port.post(command(copy.id))
    copy.watch()
    return promise
  }

  #begin(slot: number, a: ReactorHandle, b: ReactorHandle | undefined, options: ReactorCopyOptions): LiveCopy {
    const copy = new LiveCopy(this, { id: this.port.nextId(), slot, a, b, signal: options.signal })
    this.#living.add(copy)
    this.port.hear(copy.id, copy)
    return copy
  }

  #takeSlot(): number | undefined {
    const slot = this.#freeSlots.pop() ?? (this.#nextSlot < MAX_REACTOR_COPIES ? this.#nextSlot++ : undefined)
    if (slot === undefined) return undefined
    this.counters[slot * 2] = 0
    this.counters[slot * 2 + 1] = 0
    return slot
  }
}

class LiveCopy implements ReactorCopy, Listener, SpliceCounters {
  readonly id: HandleId
  readonly slot: number
  /** Until what was asked for is there. */
  joining: PromiseWithResolvers<ReactorJoined> | undefined
  readonly #copies: ReactorCopies
  readonly #a: ReactorHandle
  readonly #b: ReactorHandle | undefined
  readonly #signal: AbortSignal | undefined
  #cut: (() => void) | undefined
  #cutReason: Error | undefined
  #result: SpliceResult | undefined
  /** Only where somebody waits for it. */
  #over: PromiseWithResolvers<SpliceResult> | undefined

  constructor(
    copies: ReactorCopies,
    of: {
      readonly id: HandleId
      readonly slot: number
      readonly a: ReactorHandle
      readonly b: ReactorHandle | undefined
      readonly signal: AbortSignal | undefined
    },
  ) {
    this.id = of.id
    this.slot = of.slot
    this.#copies = copies
    this.#a = of.a
    this.#b = of.b
    this.#signal = of.signal
  }

  get over(): Promise<SpliceResult> {
    this.#over ??= Promise.withResolvers()
    if (this.#result !== undefined) this.#over.resolve(this.#result)
    return this.#over.promise
  }

  get counters(): Readonly<SpliceCounters> {
    return this
  }

  get aToB(): number {
    return this.#result?.aToB ?? (this.#copies.counters[this.slot * 2] as number)
  }

  get bToA(): number {
    return this.#result?.bToA ?? (this.#copies.counters[this.slot * 2 + 1] as number)
  }

  cut(): void {
    if (this.#result !== undefined || this.#cutReason !== undefined) return
    const reason: unknown = this.#signal?.aborted === true ? this.#signal.reason : undefined
    this.#cutReason = reason instanceof Error ? reason : new HboneCutError('the connection was cut')
    this.#copies.port.post({ kind: 'cut', id: this.id })
  }

  /** To be called when the worker was told of it. */
  watch(): void {
    const signal = this.#signal
    if (signal === undefined) return
    if (signal.aborted) this.cut()
    else {
      this.#cut = () => this.cut()
      signal.addEventListener('abort', this.#cut, { once: true })
    }
  }

  /** From here on the worker ends both with the copy. */
  joined(): void {
    this.#copies.port.deaf(this.#a.id)
    if (this.#b !== undefined) this.#copies.port.deaf(this.#b.id)
  }

  hear(event: EventWithId): void {
    if (event.kind === 'joined') {
      this.joined()
      this.joining?.resolve({ copy: this, local: event.local, headers: event.headers })
      this.joining = undefined
    } else if (event.kind === 'copied') this.#end(resultOf(event, this.#cutReason))
    else if (event.kind === 'unjoined') this.#giveUp(this.#cutReason ?? reasonOf(event))
    else if (event.kind === 'gone') this.#giveUp(this.#cutReason ?? new HboneConnectError(event.failure ?? 'gone'))
  }

  lost(error: Error): void {
    if (this.joining === undefined) this.#end({ aToB: this.aToB, bToA: this.bToA, error })
    else this.#giveUp(error)
  }

  #giveUp(reason: Error | TunnelAnswer): void {
    const { joining } = this
    if (joining === undefined) return
    this.joining = undefined
    this.#leave()
    this.#result = { aToB: 0, bToA: 0 }
    this.#b?.over()
    joining.reject(reason)
  }

  #end(result: SpliceResult): void {
    if (this.#result !== undefined) return
    this.#leave()
    this.#result = result
    this.#a.over()
    this.#b?.over()
    this.#over?.resolve(result)
  }

  #leave(): void {
    this.#copies.over(this)
    if (this.#cut !== undefined) this.#signal?.removeEventListener('abort', this.#cut)
  }
}

function reasonOf({ headers, failure, code }: Unjoined): Error | TunnelAnswer {
  if (headers !== undefined) return new TunnelAnswer(headers)
  if (typeof code === 'number') return unanswered(code, new Error(failure))
  return new HboneConnectError(failure, { cause: systemError(failure, code) })
}

function resultOf({ aToB, bToA, failure, code }: Copied, cutReason: Error | undefined): SpliceResult {
  if (cutReason !== undefined) return { aToB, bToA, error: cutReason }
  if (failure === undefined) return { aToB, bToA }
  return { aToB, bToA, error: code === undefined ? new HboneCutError(failure) : new HboneResetError(code, failure) }
}

function tooMany(): HboneLimitError {
  return new HboneLimitError(`refused: this worker copies ${MAX_REACTOR_COPIES} connections already`)
}
