// Kubernetes' own test image: `agnhost netexec [--http-port 8080] [--udp-port 8081]`, `serve-hostname [--port 9376]`, `pause`.
import { createSocket } from 'node:dgram'
import { hostname } from 'node:os'
import { flags, peerAddress, serveHttp } from './serve.ts'

const [command = 'pause', ...args] = process.argv.slice(2)
const options = flags(args)
const port = (name: string, otherwise: number): number => Number(options[name] ?? otherwise)

/** The answer to a datagram: `echo TEXT`, `clientip` or `hostname`. */
function datagramAnswer(text: string, from: string): string {
  const [word, ...rest] = text.trim().split(' ')
  if (word?.toLowerCase() === 'echo') return rest.join(' ')
  if (word?.toLowerCase() === 'clientip') return from
  return word?.toLowerCase() === 'hostname' ? hostname() : ''
}

switch (command) {
  case 'netexec': {
    serveHttp(port('http-port', 8080), (request, response) => {
      const url = new URL(request.url ?? '/', 'http://pod')
      const from = `${peerAddress(request)}:${request.socket.remotePort}`
      const answers: Readonly<Record<string, string>> = {
        '/hostname': hostname(),
        '/hostName': hostname(),
        '/clientip': from,
        '/echo': url.searchParams.get('msg') ?? '',
        '/healthz': '',
        '/': `NOW: ${new Date().toISOString()}`,
      }
      const answer = answers[url.pathname]
      response.writeHead(answer === undefined ? 404 : Number(url.searchParams.get('code') ?? 200))
      response.end(answer)
    })
    const udp = createSocket('udp6')
    udp.on('message', (message, peer) => {
      const from = `${peer.address.replace(/^::ffff:/, '')}:${peer.port}`
      udp.send(datagramAnswer(message.toString(), from), peer.port, peer.address)
    })
    udp.bind(port('udp-port', 8081), '::')
    break
  }
  case 'serve-hostname':
    serveHttp(port('port', 9376), (_request, response) => void response.end(hostname()))
    break
  case 'pause':
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
    setInterval(() => undefined, 0x7fff_ffff)
    break
  default:
    process.stderr.write(`the sandbox's agnhost knows netexec, serve-hostname and pause, not ${command}\n`)
    process.exit(1)
}
