import { ERROR_CODE, type Http2Stream } from '@ambit/http2'
import { COPY_QUANTUM_BYTES } from '../limits.ts'
import { keepPiece, type WaitingPiece } from '../waiting-piece.ts'
import type { Carrier } from './carrier.ts'
import { type CopyFailure, type Direction, gone } from './copy.ts'
import type { End, Waiter } from './end.types.ts'

const NOTHING: Buffer = Buffer.alloc(0)
/** Of all streams that keep nothing, which are most: two empty lists each would be a tenth of their memory. */
const NONE: WaitingPiece[] = []

/** A stream of HTTP/2: a CONNECT of ours, or one of the peer's. */
export class StreamEnd implements End {
  readonly id: number
  readonly carrier: Carrier
  stream!: Http2Stream<StreamEnd>
  out: Direction | undefined
  into: Direction | undefined
  waiter: Waiter | undefined
  onLeft: (() => void) | undefined
  readEnded = false
  writeEnded = false
  isGone = false
  /** The final headers of the server are here, or ours are sent. */
  isAnswered = false
  #isBegun = false
  #isEnding = false
  #cutsAtEnd = false
  #isWaiting = false
  /** Came before there was anybody to take it; the windows bound it. */
  #early: WaitingPiece[] = NONE
  /** Was put and has no window yet. */
  #pending: WaitingPiece[] = NONE

  constructor(carrier: Carrier, id: number) {
    this.carrier = carrier
    this.id = id
  }

  begin(): void {
    this.#isBegun = true
    const early = this.#early
    this.#early = NONE
    for (const { bytes, end } of early) this.#give(bytes, 0, end)
    if (this.readEnded) this.out?.sourceOver(undefined)
  }

  go(): void {
    // What it has comes by itself.
  }

  room(): number {
    if (this.isGone) return 0
    const { carrier } = this
    if (carrier.isBlocked) {
      this.#isWaiting = true
      carrier.waitForSocket(this)
      return 0
    }
    const window = carrier.http2.writable(this.stream)
    if (window > 0 && this.#pending.length === 0) return Math.min(window, COPY_QUANTUM_BYTES)
    carrier.http2.wantsWindow(this.stream)
    return 0
  }

  put(bytes: Buffer, start: number, end: number): void {
    if (this.isGone) return
    let at = start
    if (this.#pending.length === 0) {
      at += this.carrier.http2.write(this.stream, bytes, start, end, false)
      this.carrier.touched()
    }
    if (at < end) {
      if (this.#pending === NONE) this.#pending = []
      keepPiece(this.#pending, bytes, at, end)
      this.carrier.http2.wantsWindow(this.stream)
      this.into?.waits()
    }
    if (at > start) this.into?.taken(at - start)
  }

  taken(bytes: number): void {
    this.carrier.http2.consume(this.stream, bytes)
    this.carrier.touched()
  }

  endWriting(): void {
    if (this.isGone || this.writeEnded || this.#isEnding) return
    this.#isEnding = true
    if (this.#pending.length === 0) this.#end()
  }

  discard(): void {
    if (this.isGone) return
    if (this.writeEnded) this.cut()
    else this.#cutsAtEnd = true
  }

  cut(): void {
    this.resetWith(ERROR_CODE.cancel)
  }

  close(): void {
    this.#leave()
  }

  resetWith(code: number): void {
    if (this.isGone) return
    this.carrier.http2.reset(this.stream, code)
    this.carrier.touched()
    this.#leave()
    this.waiter?.lost('the stream was reset', undefined)
    gone(this, undefined)
  }

  /** The socket takes more. */
  socketFree(): void {
    if (!this.#isWaiting) return
    this.#isWaiting = false
    this.into?.from.go()
  }

  // What the connection tells.

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.#isBegun) this.#give(bytes, start, end)
    else {
      if (this.#early === NONE) this.#early = []
      keepPiece(this.#early, bytes, start, end)
    }
  }

  onEnd(): void {
    this.readEnded = true
    if (this.#isBegun) this.out?.sourceOver(undefined)
  }

  onReset(code: number): void {
    if (this.isGone) return
    const isEnd = code === ERROR_CODE.noError || code === ERROR_CODE.cancel
    const what = code === ERROR_CODE.streamClosed ? 'broken pipe' : 'the peer reset the stream'
    this.#lose(isEnd ? undefined : { message: `${what}: HTTP/2 error code ${code}`, code }, code)
  }

  /** The connection is gone. */
  onLost(failure: string): void {
    if (!this.isGone) this.#lose({ message: failure }, undefined)
  }

  onWritable(): void {
    while (this.#pending.length > 0) {
      const piece = this.#pending[0] as WaitingPiece
      const written = this.carrier.http2.write(this.stream, piece.bytes, piece.at, piece.end, false)
      this.carrier.touched()
      piece.at += written
      if (written > 0) this.into?.taken(written)
      if (piece.at < piece.end) return
      this.#pending.shift()
    }
    this.#pending = NONE
    if (this.#isEnding) this.#end()
    else this.into?.from.go()
  }

  #give(bytes: Buffer, start: number, end: number): void {
    const { out } = this
    if (out === undefined || out.isOver) {
      this.taken(end - start)
      return
    }
    out.count(end - start)
    this.carrier.deliver(out.to, bytes, start, end)
  }

  #end(): void {
    if (this.writeEnded) return
    this.carrier.http2.write(this.stream, NOTHING, 0, 0, true)
    this.carrier.touched()
    this.writeEnded = true
    this.into?.targetOver(undefined)
    if (this.#cutsAtEnd) this.cut()
  }

  #lose(failure: CopyFailure | undefined, code: number | undefined): void {
    const isCopied = this.out !== undefined
    this.#leave()
    const message = failure?.message ?? 'the stream was reset'
    if (isCopied) gone(this, failure)
    else if (this.waiter !== undefined) this.waiter.lost(message, code)
    else this.carrier.shared.post({ kind: 'gone', id: this.id, failure: message, code })
  }

  #leave(): void {
    if (this.isGone) return
    this.isGone = true
    this.onLeft?.()
    this.#early = NONE
    this.#pending = NONE
    // Nobody takes it any more: it must not stay in the window of the connection.
    this.carrier.http2.consume(this.stream, this.stream.unconsumed)
    this.carrier.streamGone(this)
  }
}
