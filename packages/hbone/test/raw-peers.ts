import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer, type SecureServerOptions } from 'node:http2'
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { ip, type SocketAddress } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import { secureContextOptions } from '../src/secure-context.ts'

/** An HTTP/2 server of the mesh that is not ours, to misbehave with. */
export async function foreignServer(
  certificate: WorkloadCertificate,
  options: SecureServerOptions,
  setUp: (server: Http2SecureServer) => void,
): Promise<{ address: SocketAddress; server: Http2SecureServer; [Symbol.dispose](): void }> {
  const server = createSecureServer({ ...secureContextOptions(certificate), requestCert: true, ...options })
  server.on('sessionError', () => undefined)
  const sockets = new Set<TLSSocket>()
  server.on('secureConnection', (socket) => sockets.add(socket))
  setUp(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    address: boundAddress(server.address()),
    [Symbol.dispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A TLS server that completes handshakes and then says nothing. */
export async function muteServer(
  certificate: WorkloadCertificate,
): Promise<{ address: SocketAddress; [Symbol.dispose](): void }> {
  const sockets = new Set<TLSSocket>()
  const server = createTlsServer(
    { ...secureContextOptions(certificate), requestCert: true, ALPNProtocols: ['h2'] },
    (socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined).resume()
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: boundAddress(server.address()),
    [Symbol.dispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A client that is through the handshake and writes whatever it likes. */
export async function rawTlsClient(to: SocketAddress, certificate: WorkloadCertificate): Promise<TLSSocket> {
  const tls = tlsConnect({
    ...secureContextOptions(certificate),
    host: to.ip,
    port: to.port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  })
  tls.on('error', () => undefined)
  await once(tls, 'secureConnect')
  return tls
}

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** One HTTP/2 frame, RFC 9113 §4.1. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9)
  header.writeUIntBE(payload.length, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, payload])
}

function boundAddress(address: string | { port: number } | null): SocketAddress {
  if (address === null || typeof address === 'string') throw new TypeError('not listening on TCP')
  return { ip: ip('127.0.0.1'), port: address.port }
}
