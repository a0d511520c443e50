import type { Socket } from 'node:net'
import { AmbitError, formatSocketAddress, type SocketAddress } from '@ambit/core'

/** No answer within the limit; `code` is the one of the kernel's own timeout. */
export class DialTimeoutError extends AmbitError {
  override readonly code = 'ETIMEDOUT'
}

export interface Attempt {
  readonly to: SocketAddress
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Waits for a connecting socket to be connected; whatever ends the wait otherwise destroys it. */
export function connected(socket: Socket, { to, timeoutMs, signal }: Attempt): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      fail(
        new DialTimeoutError(
          `connect to ${formatSocketAddress(to)}: no answer within ${timeoutMs} ms (peer gone, or packets dropped on the way)`,
        ),
      )
    }, timeoutMs)
    const onAbort = (): void => fail(signal?.reason as Error)
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.off('connect', onConnect)
    }
    const fail = (error: Error): void => {
      settle()
      // The listener stays: destroying may report the same failure once more.
      socket.destroy()
      reject(error)
    }
    const onConnect = (): void => {
      settle()
      socket.off('error', fail)
      resolve(socket)
    }
    socket.once('connect', onConnect)
    socket.on('error', fail)
    if (signal?.aborted === true) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
  })
}
