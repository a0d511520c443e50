import type { Readable, Writable } from 'node:stream'
import { BODY_BUFFER_BYTES } from '../limits.ts'

export interface PumpEvents {
  readonly onBytes: (count: number) => void
  /** The source is read to its end; whoever listens ends the target. */
  readonly onEnd: () => void
  /** The source failed before its end. */
  readonly onSourceFailure: (error: Error | undefined) => void
}

/** Copies until the source ends, reading only as fast as the target takes it. Never ends or destroys either. */
export function pump(source: Readable, target: Writable, events: PumpEvents): void {
  let over = false
  let waiting = false
  const finish = (): boolean => {
    if (over) return false
    over = true
    target.off('drain', onDrain)
    return true
  }
  const onDrain = (): void => {
    if (!waiting) return
    waiting = false
    source.resume()
  }
  source.on('data', (chunk: Buffer) => {
    if (over) return
    events.onBytes(chunk.length)
    if (target.destroyed || target.writableEnded) return
    if (
      !target.write(chunk) &&
      !waiting &&
      target.writableLength >= Math.min(BODY_BUFFER_BYTES, target.writableHighWaterMark)
    ) {
      waiting = true
      source.pause()
    }
  })
  source.on('end', () => {
    if (finish()) events.onEnd()
  })
  source.on('error', (error: Error) => {
    if (finish()) events.onSourceFailure(error)
  })
  source.on('close', () => {
    if (finish()) events.onSourceFailure(undefined)
  })
  target.on('drain', onDrain)
  if (source.destroyed && !source.readableEnded && finish()) events.onSourceFailure(undefined)
}
