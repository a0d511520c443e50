import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { codeOf } from '@ambit/core'

/**
 * Held while a sandbox is started or ended, so that two commands for the same one go one after the other. It is a socket
 * in the abstract name space: the kernel lets one process have the name, and takes it back however that process ends.
 * Who has to wait connects, and sees the connection end.
 */
export async function takeStartLock(folder: string, signal?: AbortSignal): Promise<Disposable> {
  const path = `\0ambit-sandbox-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
  for (;;) {
    signal?.throwIfAborted()
    const held = await tryToHold(path)
    if (held !== undefined) return held
    await untilReleased(path, signal)
  }
}

async function tryToHold(path: string): Promise<Disposable | undefined> {
  const waiting = new Set<Socket>()
  const server = createServer((socket) => {
    waiting.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => waiting.delete(socket))
  })
  server.listen(path)
  try {
    await once(server, 'listening')
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return undefined
    throw error
  }
  return {
    [Symbol.dispose]: () => {
      server.close()
      for (const socket of waiting) socket.destroy()
    },
  }
}

async function untilReleased(path: string, signal: AbortSignal | undefined): Promise<void> {
  const socket = connect(path)
  socket.on('error', () => undefined)
  // Refused means released in between; a reset is its end as well.
  socket.resume()
  const giveUp = (): void => void socket.destroy()
  signal?.addEventListener('abort', giveUp)
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  signal?.removeEventListener('abort', giveUp)
}
