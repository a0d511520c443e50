import type { Duplex } from 'node:stream'
import { type Clock, codeOf, systemClock } from '@ambit/core'
import { HboneCutError } from './errors.ts'
import { ORPHAN_STALL_MS, SPLICE_BUFFER_BYTES, STALL_MS } from './limits.ts'
import type { ReadSlabs } from './read-slabs.ts'
import { cut, isTunnel, resetFailure } from './reset.ts'

/** Bytes taken from each side so far. Handed in, it is counted in while the splice runs, for connection tables. */
export interface SpliceCounters {
  aToB: number
  bToA: number
}

export interface SpliceOptions {
  readonly counters?: SpliceCounters | undefined
  /** Where sockets are read into; by default Node's own fresh memory for each read. */
  readonly slabs?: ReadSlabs | undefined
  /** Aborting cuts both sides at once. */
  readonly signal?: AbortSignal | undefined
  readonly clock?: Clock | undefined
}

export interface SpliceResult {
  readonly aToB: number
  readonly bToA: number
  /** Why the data of a direction is not complete; absent when both ended cleanly or by the usual ways connections end. */
  readonly error?: Error | undefined
}

/** How a TCP peer goes away in everyday life; the other side gets a clean end (T12). */
const ORDINARY_ENDS: ReadonlySet<string | undefined> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ENOTCONN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_HTTP2_INVALID_STREAM',
])

/**
 * Copies both ways until both directions have ended. Each end of data is passed on (half-close), each side is read only
 * as fast as the other takes it, and a side that fails ends its direction without ending the other (data plane §1.9).
 * Never rejects.
 */
export async function splice(a: Duplex, b: Duplex, options: SpliceOptions = {}): Promise<SpliceResult> {
  const counters = options.counters ?? { aToB: 0, bToA: 0 }
  const { signal, clock = systemClock } = options
  let cutReason: Error | undefined
  const onAbort = (): void => {
    cutReason = signal?.reason instanceof Error ? signal.reason : new HboneCutError('the connection was cut')
    cut(a)
    cut(b)
  }
  const forward = new Direction(a, b, clock, (bytes) => {
    counters.aToB += bytes
  })
  const backward = new Direction(b, a, clock, (bytes) => {
    counters.bToA += bytes
  })
  forward.opposite = backward
  backward.opposite = forward
  listen(a, forward, backward)
  listen(b, backward, forward)
  if (signal?.aborted === true) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  forward.start(options.slabs)
  backward.start(options.slabs)
  await forward.over
  await backward.over
  signal?.removeEventListener('abort', onAbort)
  release(a)
  release(b)
  const error = cutReason ?? forward.failure ?? backward.failure
  return error === undefined ? { ...counters } : { ...counters, error }
}

/**
 * One set of listeners per side for both of its directions: with `stream.finished()` they were most of what a short
 * connection cost. They stay until the stream is collected, so that no late error is without a listener.
 */
function listen(stream: Duplex, out: Direction, into: Direction): void {
  stream.on('data', out.onData)
  stream.on('drain', into.onDrain)
  stream.on('end', () => out.sourceOver(undefined))
  stream.on('finish', () => into.targetOver(undefined))
  const over = (error: Error | undefined): void => {
    out.sourceOver(error)
    into.targetOver(error)
  }
  stream.on('error', over)
  stream.on('close', () => {
    over(stream.errored ?? undefined)
    out.orphaned()
  })
}

/** One direction; over with a failure if data may be missing. */
class Direction {
  readonly over: Promise<void>
  readonly #resolve: () => void
  readonly #from: Duplex
  readonly #to: Duplex
  readonly #clock: Clock
  readonly #count: (bytes: number) => void
  /** A tunnel gives many small chunks in one turn of the loop; together they make one system call. */
  readonly #corks: boolean
  #corked = false
  #waiting = false
  #sourceOver = false
  #isOver = false
  #stall: Disposable | undefined
  #standstill: Disposable | undefined
  #given = 0
  opposite: Direction | undefined
  failure: Error | undefined

  constructor(from: Duplex, to: Duplex, clock: Clock, count: (bytes: number) => void) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.over = promise
    this.#resolve = resolve
    this.#from = from
    this.#to = to
    this.#clock = clock
    this.#count = count
    this.#corks = isTunnel(from)
  }

  /** Sockets are often accepted paused, to lose nothing while the tunnel is opened; some are over by now. */
  start(slabs: ReadSlabs | undefined): void {
    const from = this.#from
    const to = this.#to
    if (from.destroyed || from.readableEnded) this.sourceOver(from.errored ?? undefined)
    if (to.destroyed || to.writableFinished) this.targetOver(to.errored ?? undefined)
    slabs?.attach(from, (chunk, written) => this.#take(chunk, written))
    from.resume()
    if (from.closed) this.orphaned()
  }

  readonly onData = (chunk: Buffer): void => {
    this.#take(chunk, undefined)
  }

  /** False when no more is to be read for now. */
  #take(chunk: Buffer, written: ((error?: Error | null) => void) | undefined): boolean {
    if (this.#isOver) return true
    this.#count(chunk.length)
    const to = this.#to
    if (to.destroyed || to.writableEnded) return true
    this.#given += chunk.length
    if (this.#corks && !this.#corked) {
      this.#corked = true
      to.cork()
      setImmediate(this.#uncork)
    }
    if (!to.write(chunk, written) && !this.#waiting && to.writableLength >= SPLICE_BUFFER_BYTES) {
      this.#waiting = true
      this.#from.pause()
      this.#standstill ??= this.#watchStandstill()
    }
    return !this.#waiting
  }

  readonly #uncork = (): void => {
    this.#corked = false
    this.#to.uncork()
  }

  readonly onDrain = (): void => {
    if (!this.#waiting) return
    this.#waiting = false
    this.#from.resume()
  }

  /** The data is at its end: pass that on, and wait until it is written. */
  sourceOver(error: Error | undefined): void {
    if (this.#sourceOver || this.#isOver) return
    this.#sourceOver = true
    const to = this.#to
    const failure = resetFailure(this.#from) ?? (isOrdinary(error) ? undefined : error)
    if (failure !== undefined) {
      cut(to)
      this.#done(failure)
    } else if (to.destroyed || to.writableFinished) this.#done(undefined)
    else if (!to.writableEnded) to.end()
  }

  /** Nothing can be written any more: all was, or nobody takes it. */
  targetOver(error: Error | undefined): void {
    if (this.#isOver) return
    const from = this.#from
    const failure = from.readableEnded || isOrdinary(error) ? undefined : error
    // Its sender must learn that nobody takes the data, unless the opposite direction still runs.
    if (!from.readableEnded && !from.destroyed) discard(from)
    this.#done(failure)
  }

  /**
   * The sender is gone, both ways. What it left is kept as long as it is being taken: a direct connection's kernel gives
   * such data up, too, when the receiver's window stays closed.
   */
  orphaned(): void {
    if (this.#isOver) return
    const to = this.#to
    const waiting = to.writableLength
    this.#stall?.[Symbol.dispose]()
    this.#stall = this.#clock.after(ORPHAN_STALL_MS, () => {
      if (to.writableLength < waiting) this.orphaned()
      else {
        cut(to)
        this.#done(new HboneCutError(`nobody took the last data within ${ORPHAN_STALL_MS} ms`))
      }
    })
  }

  /** Bytes the target has taken. */
  get taken(): number {
    return this.#given - this.#to.writableLength
  }

  /**
   * A side that is not read cannot be seen to go: its end stands behind what it sent before, megabytes perhaps, in the
   * kernel. So a gone sender and a live one that waits look alike, and the tunnel's PINGs are answered for both. Time
   * decides, and long enough for a reader who means to go on; a byte either way begins it anew, because writing to a
   * sender that is gone fails. One timer for all pauses of a period: bulk data pauses thousands of times a second.
   */
  #watchStandstill(): Disposable {
    const before = this.#movement
    return this.#clock.after(STALL_MS, () => {
      this.#standstill = undefined
      if (this.#isOver || !this.#waiting) return
      if (this.#movement !== before) {
        this.#standstill = this.#watchStandstill()
        return
      }
      cut(this.#to)
      cut(this.#from)
      this.#done(new HboneCutError(`nobody took any data within ${STALL_MS} ms`))
    })
  }

  get #movement(): number {
    return this.taken + (this.opposite?.taken ?? 0)
  }

  #done(failure: Error | undefined): void {
    this.#stall?.[Symbol.dispose]()
    this.#standstill?.[Symbol.dispose]()
    this.#isOver = true
    this.failure = failure
    this.#resolve()
  }
}

function isOrdinary(error: Error | null | undefined): boolean {
  return error === null || error === undefined || ORDINARY_ENDS.has(codeOf(error)) || error.name === 'AbortError'
}

/** What still comes has no taker. The opposite direction is let finish; then the reset tells the sender. */
function discard(stream: Duplex): void {
  const reset = (): void => cut(stream)
  if (stream.writableFinished) reset()
  else stream.once('finish', reset)
}

/** Both directions are over; whatever did not close by itself is closed. */
function release(stream: Duplex): void {
  if (stream.destroyed) return
  if (stream.readableEnded && stream.writableEnded) return
  cut(stream)
}
