import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import { cut } from '@ambit/hbone'
import { CLOSE_LINGER_MS } from '../limits.ts'

/** Ends a connection whose client may still be sending: it gets the answer before it is cut off. */
export function lingeringEnd(stream: Duplex, clock: Clock): void {
  if (!stream.writableEnded) stream.end()
  if (stream.destroyed) return
  const timer = clock.after(CLOSE_LINGER_MS, () => cut(stream))
  stream.once('close', () => timer[Symbol.dispose]())
}
