import type { Socket } from 'node:net'
import type { Clock } from '@ambit/core'
import { cut } from '@ambit/hbone'
import { REFUSAL_HOLD_MS } from './limits.ts'

/**
 * Resets a connection that was accepted and can't be served: refused is not finished, and an orderly end would read as an
 * empty answer (curl's exit code 52 instead of 56). But not before the client has said something or has had a moment: a
 * reset that overtakes the return of its connect() would read as if nobody listened (exit code 7).
 */
export async function refuse(socket: Socket, clock: Clock): Promise<void> {
  if (!socket.destroyed && !socket.readableEnded && socket.readableLength === 0) {
    const { promise: heard, resolve } = Promise.withResolvers<void>()
    using _late = clock.after(REFUSAL_HOLD_MS, resolve)
    socket.once('readable', resolve).once('close', resolve)
    await heard
  }
  cut(socket)
}
