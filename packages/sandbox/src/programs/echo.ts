// Gives back what it gets, however much: HTTP bodies, and bytes after an upgrade. Names each request on its standard output.
import { hash } from 'node:crypto'
import { createServer } from 'node:http'
import { hostname } from 'node:os'
import { pipeline } from 'node:stream/promises'
import { flags, listenForever } from './serve.ts'

/** Of RFC 6455 §1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const options = flags(process.argv.slice(2))
const server = createServer((request, response) => {
  process.stdout.write(`${request.method} ${request.url} host=${request.headers.host ?? ''}\n`)
  response.setHeader('x-pod', hostname())
  pipeline(request, response).catch(() => response.destroy())
})
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => socket.destroy())
  const accept = hash('sha1', `${request.headers['sec-websocket-key'] ?? ''}${WEBSOCKET_GUID}`, 'base64')
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
  socket.write(`${lines.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  socket.write(head)
  socket.pipe(socket)
})
listenForever(server, Number(options['port'] ?? 8080))
