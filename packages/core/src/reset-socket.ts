import type { Socket } from 'node:net'

/** Ends a connection by a reset, or as abruptly as can be. */
export function resetSocket(socket: Socket): void {
  if (isShuttingDown(socket)) socket.destroy()
  else if (!socket.destroyed) socket.resetAndDestroy()
}

/**
 * Everything is written and the FIN is on its way. libuv refuses to reset then, and Node would leak the descriptor without
 * ever telling the end of the socket.
 */
function isShuttingDown(socket: Socket): boolean {
  return socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished
}
