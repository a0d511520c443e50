import type { Socket } from 'node:net'

/** Negotiates on a socket and destroys it when that takes longer: a mute peer would otherwise hold it for ever. */
export async function withinHandshake<T>(
  socket: Socket,
  timeoutMs: number,
  negotiate: (socket: Socket) => Promise<T>,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const error = new Error(`the handshake did not complete within ${timeoutMs} ms`)
    reject(error)
    socket.destroy(error)
  }, timeoutMs)
  try {
    return await Promise.race([negotiate(socket), late])
  } finally {
    clearTimeout(timer)
  }
}
