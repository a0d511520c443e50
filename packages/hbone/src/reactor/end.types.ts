import type { SocketAddress } from '@ambit/core'
import type { IoVectors } from '@ambit/linux'
import type { Direction } from './copy.ts'
import type { Headers } from './messages.types.ts'

/** What a side that somebody waits for tells; at most one of the three. */
export interface Waiter {
  /** It is connected. */
  ready(local: SocketAddress): void
  /** The tunnel was answered. */
  answered(headers: Headers): void
  /** It will not be there any more. */
  lost(failure: string, code: string | number | undefined): void
}

/** One side of a copy: a TCP connection or a stream of HTTP/2. */
export interface End {
  /** Where what it receives goes, and where from what it sends comes; from the beginning of a copy. */
  out: Direction | undefined
  into: Direction | undefined
  /** Instead of the main thread, before it is copied. */
  waiter: Waiter | undefined
  /** Told when it is gone or given away, once. */
  onLeft: (() => void) | undefined
  /** Its sender has ended, in order. */
  readonly readEnded: boolean
  /** Everything was sent, and the end of it. */
  readonly writeEnded: boolean
  /** Nothing can be read or written any more. */
  readonly isGone: boolean
  /** The other side is there: gives what came already, and goes on. */
  begin(): void
  /** Bytes that would be taken now; at zero, `out.from` of the direction into it is told to `go` when there are more. */
  room(): number
  /** Takes all; more than `room` is kept. The direction is told what is on its way. */
  put(bytes: Buffer, start: number, end: number): void
  /** The same of pieces, which lie in `bytes`; `undefined` when it can only be put piece by piece. */
  putPieces?(pieces: IoVectors): void
  /** There is room again. */
  go(): void
  /** So many bytes of what it gave are taken off. */
  taken(bytes: number): void
  /** The end, behind everything that was put. */
  endWriting(): void
  /** Nobody takes what it still gives: what is put is sent, then it is cut. */
  discard(): void
  cut(): void
  /** Lets go, in order. */
  close(): void
}
