// Tries what it must not achieve, from inside a pod, and prints the outcome as one line of JSON.
//   intruder tunnel <host> <port> [cert key]   HTTP/2 CONNECT over TLS, with or without a certificate
//   intruder garbage <host> <port>             bytes that are no TLS
//   intruder hold <host> <port> <count>        connections that say nothing, until standard input ends
import { readFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

const LIMIT_MS = 20_000

const [what, host = '', port = '15008', ...rest] = process.argv.slice(2)

setTimeout(() => tell({ outcome: 'nothing happened' }), LIMIT_MS).unref()

if (what === 'tunnel') tunnel()
else if (what === 'garbage') garbage()
else hold(Number(rest[0]))

function tell(result: { readonly outcome: string; readonly detail?: string | undefined }): void {
  process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exit(0)
}

function tunnel(): void {
  const [cert, key] = rest
  const own = cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) }
  const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2'], ...own })
  socket.on('error', (error) => tell({ outcome: 'refused', detail: error.message }))
  socket.on('close', () => tell({ outcome: 'refused', detail: 'closed' }))
  socket.on('secureConnect', () => {
    const session = connectHttp2(`https://${host}:${port}`, { createConnection: () => socket })
    session.on('error', (error) => tell({ outcome: 'refused', detail: error.message }))
    const stream = session.request({ ':method': 'CONNECT', ':authority': `${host}:8080` })
    stream.on('error', (error) => tell({ outcome: 'refused', detail: error.message }))
    stream.on('response', (headers) => {
      const { ':status': status } = headers
      tell({ outcome: status === 200 ? 'served' : 'refused', detail: String(status) })
    })
  })
}

function garbage(): void {
  const socket = connect(Number(port), host)
  socket.on('error', (error) => tell({ outcome: 'refused', detail: error.message }))
  socket.on('close', () => tell({ outcome: 'refused', detail: 'closed' }))
  socket.resume()
  socket.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\0'.repeat(4096)}`)
}

function hold(count: number): void {
  const sockets: Socket[] = []
  let settled = 0
  let refused = 0
  const settle = (): void => {
    if (++settled === count) process.stdout.write(`${JSON.stringify({ outcome: 'holding', open: count - refused })}\n`)
  }
  for (let i = 0; i < count; i++) {
    const socket = connect(Number(port), host)
    let isOpen = false
    socket.once('connect', () => {
      isOpen = true
      settle()
    })
    socket.once('error', () => {
      refused++
      // A reset may overtake the connection.
      if (!isOpen) settle()
    })
    // The first bytes of a TLS record whose rest never comes.
    socket.write(Buffer.from([22, 3, 1, 2, 0, 1]))
    sockets.push(socket)
  }
  process.stdin.on('end', () => process.exit(0)).resume()
}
