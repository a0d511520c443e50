// Tells who is asking: the peer's address as this program sees it, and this pod's own name. HTTP on 8080, plain TCP on 9000.
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { flags, json, listenForever, peerAddress, serveHttp } from './serve.ts'

const options = flags(process.argv.slice(2))

serveHttp(Number(options['port'] ?? 8080), (request, response) => {
  request.resume()
  json(response, 200, {
    peer: peerAddress(request),
    peerPort: request.socket.remotePort,
    local: (request.socket.localAddress ?? '').replace(/^::ffff:/, ''),
    pod: hostname(),
    path: request.url,
    headers: request.headers,
  })
})

listenForever(
  createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(`${peerAddress({ socket })}\n`)
  }),
  Number(options['tcp-port'] ?? 9000),
)
