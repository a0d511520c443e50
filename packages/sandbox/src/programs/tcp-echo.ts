// Sends every line back, with a prefix: `tcp-echo <port,port,…> <prefix>`.
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { listenForever } from './serve.ts'

const [ports = '9000', prefix = 'hello'] = process.argv.slice(2).filter((arg) => !arg.startsWith('/'))

for (const port of ports.split(',')) {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    createInterface({ input: socket }).on('line', (line) => void socket.write(`${prefix} ${line}\n`))
  })
  listenForever(server, Number(port))
}
