import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { resetSocket } from '@ambit/core'

/** A network between a client and a server on loopback, that can fail. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  /** Connections that stand now. */
  readonly open: number
  /** Resets every connection; new ones are let through. */
  cut(): void
  /** Resets every connection and every new one until `heal`. */
  block(): void
  heal(): void
}

/** Opens a relay to a port of this machine. */
export async function openRelay(targetPort: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  let isBlocked = false
  const track = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    return socket
  }
  const server = createServer({ noDelay: true }, (socket) => {
    track(socket)
    if (isBlocked) {
      socket.resetAndDestroy()
      return
    }
    const target = track(connect({ port: targetPort, host: '127.0.0.1', noDelay: true }))
    socket.pipe(target)
    target.pipe(socket)
    socket.on('close', () => target.destroy())
    target.on('close', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) resetSocket(socket)
  }
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return sockets.size / 2
    },
    cut,
    block() {
      isBlocked = true
      cut()
    },
    heal() {
      isBlocked = false
    },
    async [Symbol.asyncDispose]() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
