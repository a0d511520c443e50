import { type Duplex, finished } from 'node:stream'
import { codeOf } from '@ambit/core'
import { HboneCutError } from './errors.ts'
import { SPLICE_BUFFER_BYTES } from './limits.ts'
import { cut, isTunnel, resetFailure } from './reset.ts'

/** Bytes taken from each side so far. Handed in, it is counted in while the splice runs, for connection tables. */
export interface SpliceCounters {
  aToB: number
  bToA: number
}

export interface SpliceOptions {
  readonly counters?: SpliceCounters | undefined
  /** Aborting cuts both sides at once. */
  readonly signal?: AbortSignal | undefined
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
  const { signal } = options
  let cutReason: Error | undefined
  const onAbort = (): void => {
    cutReason = signal?.reason instanceof Error ? signal.reason : new HboneCutError('the connection was cut')
    cut(a)
    cut(b)
  }
  const directions = Promise.all([
    copy(a, b, (bytes) => {
      counters.aToB += bytes
    }),
    copy(b, a, (bytes) => {
      counters.bToA += bytes
    }),
  ])
  if (signal?.aborted === true) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  const [forward, backward] = await directions
  signal?.removeEventListener('abort', onAbort)
  release(a)
  release(b)
  const error = cutReason ?? forward ?? backward
  return error === undefined ? { ...counters } : { ...counters, error }
}

/** One direction. Resolves when it is over, with an error if data may be missing. */
function copy(from: Duplex, to: Duplex, count: (bytes: number) => void): Promise<Error | undefined> {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>()
  // A tunnel gives many small chunks in one turn of the loop; together they make one system call.
  const corks = isTunnel(from)
  let corked = false
  let over = false
  let waiting = false
  const uncork = (): void => {
    corked = false
    to.uncork()
  }
  const onData = (chunk: Buffer): void => {
    count(chunk.length)
    if (to.destroyed || to.writableEnded) return
    if (corks && !corked) {
      corked = true
      to.cork()
      setImmediate(uncork)
    }
    if (!to.write(chunk) && !waiting && to.writableLength >= SPLICE_BUFFER_BYTES) {
      waiting = true
      from.pause()
    }
  }
  const onDrain = (): void => {
    if (!waiting) return
    waiting = false
    from.resume()
  }
  const done = (error: Error | undefined): void => {
    if (over) return
    over = true
    from.off('data', onData)
    to.off('drain', onDrain)
    stopReading()
    stopWriting()
    resolve(error)
  }
  /** The data is at its end: pass that on, and wait until it is written. */
  const ended = (error: Error | undefined): void => {
    if (error !== undefined) {
      cut(to)
      done(error)
    } else if (to.destroyed || to.writableFinished) done(undefined)
    else if (!to.writableEnded) to.end()
  }
  const stopReading = finished(from, { writable: false }, (error) => {
    ended(resetFailure(from) ?? (isOrdinary(error) ? undefined : (error ?? undefined)))
  })
  const stopWriting = finished(to, { readable: false }, (error) => {
    const failure = from.readableEnded || isOrdinary(error) ? undefined : (error ?? undefined)
    // Nobody takes the data any more: its sender must learn that, unless the opposite direction still runs.
    if (!from.readableEnded && !from.destroyed) discard(from)
    done(failure)
  })
  from.on('data', onData)
  to.on('drain', onDrain)
  // Sockets are often accepted paused, to lose nothing while the tunnel is opened.
  from.resume()
  return promise
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
