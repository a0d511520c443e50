// One TCP proxy without TLS, as little as Node needs for it: `node plain-proxy.ts LISTEN_HOST PORT TARGET_HOST PORT`.
import { connect, createServer, type Socket } from 'node:net'

const [host = '', port = '', targetHost = '', targetPort = ''] = process.argv.slice(2)

function copy(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => {
    if (!from.readableEnded) to.destroy()
  })
}

const server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: 256 * 1024 }, (client) => {
  const upstream = connect({ host: targetHost, port: Number(targetPort), noDelay: true, allowHalfOpen: true })
  copy(client, upstream)
  copy(upstream, client)
})
server.listen({ host, port: Number(port), backlog: 4096 }, () => console.log('READY'))
