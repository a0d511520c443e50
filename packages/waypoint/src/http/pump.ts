import type { BodySource, BodyTarget } from './body.types.ts'

export interface PumpEvents {
  readonly onData: (chunk: Buffer) => void
  /** The source is read to its end; whoever listens ends the target. */
  readonly onEnd: () => void
  /** The source failed before its end. */
  readonly onSourceFailure: (error: Error | undefined) => void
}

/** Copies until the source ends, reading only as fast as the target takes it. Ends neither. */
export function pump(source: BodySource, target: BodyTarget, events: PumpEvents): void {
  let isWaiting = false
  target.onDrain(() => {
    if (!isWaiting) return
    isWaiting = false
    source.resume()
  })
  source.read({
    onData: (chunk) => {
      events.onData(chunk)
      if (target.write(chunk) || isWaiting) return
      isWaiting = true
      source.pause()
    },
    onEnd: () => events.onEnd(),
    onFailure: (error) => events.onSourceFailure(error),
  })
}
