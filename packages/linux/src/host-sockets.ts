import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, Socket } from 'node:net'
import { type DialOptions, ipFamily, type ListenOptions, type SocketAddress, type SocketFactory } from '@ambit/core'
import { connected } from './dial.ts'
import { KEEPALIVE, LISTEN_BACKLOG } from './limits.ts'
import { originalDestination } from './original-destination.ts'

/** Sockets of this process' own namespace, by Node's own means: no mark, no foreign addresses, no privileges, no handover. */
export function hostSockets(): SocketFactory {
  return { listen, dial, bindUdp, originalDestination, preferNewer: () => false }
}

function listen(options: ListenOptions): Promise<Server> {
  const server = createServer(
    {
      allowHalfOpen: options.allowHalfOpen ?? false,
      noDelay: true,
      keepAlive: options.allowHalfOpen ?? false,
      keepAliveInitialDelay: KEEPALIVE.idleSeconds * 1000,
    },
    options.onConnection,
  )
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      server.on('error', () => undefined)
      resolve(server)
    })
    server.listen({
      host: options.ip,
      port: options.port,
      backlog: options.backlog ?? LISTEN_BACKLOG,
      reusePort: options.reusePort ?? false,
    })
  })
}

function dial(options: DialOptions): Promise<Socket> {
  const socket = new Socket({ allowHalfOpen: options.allowHalfOpen ?? false })
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEPALIVE.idleSeconds * 1000)
  const to = { host: options.to.ip, port: options.to.port }
  // Only addresses the host owns can be taken without privileges; a foreign one fails with EADDRNOTAVAIL.
  socket.connect(options.from === undefined ? to : { ...to, localAddress: options.from })
  return connected(socket, options)
}

function bindUdp(address: SocketAddress): Promise<UdpSocket> {
  // libuv refuses the option for IPv4 (EINVAL).
  const socket = createSocket(
    ipFamily(address.ip) === 6 ? { type: 'udp6', ipv6Only: address.ip !== '::' } : { type: 'udp4' },
  )
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('listening', () => {
      socket.off('error', reject)
      resolve(socket)
    })
    socket.bind({ address: address.ip, port: address.port })
  })
}
