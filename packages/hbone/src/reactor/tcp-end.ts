import type { SocketAddress } from '@ambit/core'
import {
  addressOf,
  type IoVectors,
  type ReactorSocket,
  type ReactorTimer,
  SOCKET_EVENT,
  WOULD_BLOCK,
} from '@ambit/linux'
import { COPY_QUANTUM_BYTES } from '../limits.ts'
import { keepOwnPiece, keepPiece, type WaitingPiece } from '../waiting-piece.ts'
import { type Direction, gone } from './copy.ts'
import type { End, Waiter } from './end.types.ts'
import type { Shared } from './shared.ts'
import { isOrdinary, systemFailure } from './system-failure.ts'
import type { Runnable } from './turn-queue.ts'

/** A TCP connection that carries an application's bytes. */
export class TcpEnd implements End, Runnable {
  readonly id: number
  readonly socket: ReactorSocket
  readonly #shared: Shared
  out: Direction | undefined
  into: Direction | undefined
  waiter: Waiter | undefined
  onLeft: (() => void) | undefined
  readEnded = false
  writeEnded = false
  isGone = false
  isQueued = false
  #isReadable = false
  /** The peer has ended or is gone: a short read is not the last one. */
  #hasEnd = false
  #connecting: ReactorTimer | undefined
  /** Is only waited for before it is reset. */
  #refusal: ReactorTimer | undefined
  #isConnecting = false
  #isBegun = false
  #isEnding = false
  #cutsAtEnd = false
  /** What the kernel did not take yet. */
  #pending: WaitingPiece[] = NOTHING

  constructor(shared: Shared, id: number, fd: number) {
    this.id = id
    this.#shared = shared
    this.socket = shared.own(fd, this)
  }

  connect(to: SocketAddress, timeoutMs: number): void {
    this.#isConnecting = true
    const error = this.socket.connect(to)
    if (error !== 0) {
      this.#fail(error)
      return
    }
    this.#connecting = this.#shared.loop.after(timeoutMs, () => this.#fail(-ETIMEDOUT))
  }

  ready(events: number): void {
    if (this.#isConnecting) {
      this.#connected(events)
      return
    }
    if ((events & SOCKET_EVENT.writable) !== 0 && this.#pending.length > 0) this.#sendPending()
    if ((events & SOCKET_EVENT.readable) === 0 || this.isGone) return
    this.#isReadable = true
    if ((events & SOCKET_EVENT.ended) !== 0) this.#hasEnd = true
    if (this.#isBegun) this.#shared.queue.run(this)
    else if (this.#refusal !== undefined) this.#endRefused()
    else if ((events & SOCKET_EVENT.failed) !== 0) this.#lose(-this.socket.pendingError())
  }

  begin(): void {
    this.#isBegun = true
    if (this.#isReadable) this.#shared.queue.run(this)
  }

  go(): void {
    if (this.#isReadable) this.#shared.queue.run(this)
  }

  /** One quantum: then others have their turn. */
  step(): void {
    const { out } = this
    if (out === undefined || out.isOver || this.isGone || this.readEnded || !this.#isReadable) return
    const room = out.to.room()
    if (room <= 0) {
      out.waits()
      return
    }
    const { scratch } = this.#shared
    const asked = Math.min(room, COPY_QUANTUM_BYTES)
    const count = this.socket.read(scratch.pointer, asked)
    if (count > 0) {
      if (count < asked && !this.#hasEnd) this.#isReadable = false
      else this.#shared.queue.run(this)
      out.count(count)
      out.to.put(scratch.bytes, 0, count)
    } else if (count === 0) {
      this.readEnded = true
      this.#isReadable = false
      out.sourceOver(undefined)
    } else if (count === WOULD_BLOCK) this.#isReadable = false
    else this.#lose(count)
  }

  room(): number {
    return this.#pending.length === 0 ? COPY_QUANTUM_BYTES : 0
  }

  put(bytes: Buffer, start: number, end: number): void {
    if (this.isGone) return
    const { vectors, scratch } = this.#shared
    if (this.#pending.length > 0 || bytes !== scratch.bytes) {
      const isFirst = this.#pending.length === 0
      keepPiece(this.#waiting(), bytes, start, end)
      if (isFirst) this.#sendPending()
      return
    }
    vectors.clear()
    vectors.add(scratch.address, start, end - start)
    this.putPieces(vectors, scratch.bytes)
  }

  putPieces(pieces: IoVectors, bytes: Buffer = this.#shared.plain.bytes): void {
    if (this.isGone) return
    const address = bytes === this.#shared.plain.bytes ? this.#shared.plain.address : this.#shared.scratch.address
    let written = 0
    if (this.#pending.length === 0) {
      written = this.socket.write(pieces)
      if (written === WOULD_BLOCK) written = 0
      if (written < 0) {
        this.#lose(written)
        return
      }
    }
    if (written < pieces.length) keepOwnPiece(this.#waiting(), pieces.rest(bytes, address, written))
    if (written > 0) this.into?.taken(written)
  }

  taken(): void {
    // The kernel's window follows by itself.
  }

  endWriting(): void {
    if (this.writeEnded || this.#isEnding || this.isGone) return
    this.#isEnding = true
    if (this.#pending.length === 0) this.#end()
  }

  discard(): void {
    if (this.isGone) return
    if (this.writeEnded) this.cut()
    else this.#cutsAtEnd = true
  }

  cut(): void {
    if (this.isGone) return
    this.socket.reset()
    this.#leave()
    this.waiter?.lost('the connection was cut', undefined)
    gone(this, undefined)
  }

  close(): void {
    if (this.isGone) return
    this.socket.close()
    this.#leave()
    gone(this, undefined)
  }

  /** Resets it, but not before its peer has said something or has had a moment. */
  refuse(holdMs: number): void {
    if (this.isGone || this.#isBegun || this.#isConnecting || this.#refusal !== undefined) return
    if (this.#isReadable) this.#endRefused()
    else this.#refusal = this.#shared.loop.after(holdMs, () => this.#endRefused())
  }

  /** Gives the descriptor to whoever makes TLS of it; undefined when it is not to be had any more. */
  surrender(): number | undefined {
    if (this.isGone || this.#isBegun || this.#isConnecting) return undefined
    const fd = this.socket.surrender()
    this.#leave()
    return fd
  }

  #endRefused(): void {
    this.socket.reset()
    this.#leave()
    this.#shared.post({ kind: 'gone', id: this.id, failure: undefined, code: undefined })
  }

  /** What waits, to add to. */
  #waiting(): WaitingPiece[] {
    if (this.#pending === NOTHING) this.#pending = []
    this.into?.waits()
    return this.#pending
  }

  #sendPending(): void {
    const { vectors, native } = this.#shared
    while (this.#pending.length > 0 && !this.isGone) {
      const piece = this.#pending[0] as WaitingPiece
      vectors.clear()
      vectors.add(addressOf(native.ffi.getRawPointer(piece.bytes)), piece.at, piece.end - piece.at)
      const count = this.socket.write(vectors)
      if (count === WOULD_BLOCK) return
      if (count < 0) {
        this.#lose(count)
        return
      }
      piece.at += count
      this.into?.taken(count)
      if (piece.at === piece.end) this.#pending.shift()
    }
    if (this.isGone) return
    this.#pending = NOTHING
    if (this.#isEnding) this.#end()
    else this.into?.from.go()
  }

  #end(): void {
    if (this.writeEnded) return
    this.writeEnded = true
    this.socket.endWriting()
    this.into?.targetOver(undefined)
    if (this.#cutsAtEnd) this.cut()
  }

  #connected(events: number): void {
    if ((events & (SOCKET_EVENT.writable | SOCKET_EVENT.failed)) === 0) return
    const error = this.socket.pendingError()
    if (error !== 0) {
      this.#fail(-error)
      return
    }
    const local = this.socket.local()
    if (this.socket.remote() === undefined || local === undefined) return
    this.#isConnecting = false
    this.#connecting?.cancel()
    this.#connecting = undefined
    if (this.waiter === undefined) this.#shared.post({ kind: 'connected', id: this.id, local })
    else this.waiter.ready(local)
    if ((events & SOCKET_EVENT.readable) !== 0) this.ready(events & ~SOCKET_EVENT.writable)
  }

  #fail(error: number): void {
    this.socket.close()
    this.#leave()
    this.#tellGone(systemFailure(error))
  }

  /** By its peer or the network. */
  #lose(error: number): void {
    if (this.isGone) return
    const isCopied = this.out !== undefined
    const failure = systemFailure(error)
    this.socket.reset()
    this.#leave()
    if (isCopied) gone(this, isOrdinary(failure.code) ? undefined : { message: failure.message })
    else this.#tellGone(failure)
  }

  #tellGone({ message, code }: ReturnType<typeof systemFailure>): void {
    if (this.waiter === undefined) this.#shared.post({ kind: 'gone', id: this.id, failure: message, code })
    else this.waiter.lost(message, code)
  }

  #leave(): void {
    this.isGone = true
    this.onLeft?.()
    this.#connecting?.cancel()
    this.#refusal?.cancel()
    this.#pending = NOTHING
    this.#shared.forget(this.id)
  }
}

const ETIMEDOUT = 110
/** Of all that have nothing to send, which are most: an empty list each would be a tenth of their memory. */
const NOTHING: WaitingPiece[] = []
