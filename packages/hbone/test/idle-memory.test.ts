import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ip } from '@ambit/core'
import test from 'ava'
import { splice } from '../src/index.ts'
import { CLIENT, listen, newPool, SERVER, startServer, TestCa } from './mesh.ts'

/**
 * JavaScript heap and buffers of one open, quiet connection with both proxies, the application and its client in this one
 * process, bytes. Measured: 16,300. Less than the lower bound means that the test measures nothing.
 */
const LEAST = 8_000
const MOST = 28_000
const CONNECTIONS = 300

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is left when nothing more can be collected. */
async function used(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
  }
  return least
}

test.serial('a quiet connection takes a small, fixed amount of memory', async (t) => {
  const ca = new TestCa()
  const [client, server] = [ca.certify(CLIENT), ca.certify(SERVER)]
  const app = await listen((socket) => void socket.pipe(socket), true)
  await using hbone = await startServer({
    certificate: () => server,
    onRequest: (request) => {
      const upstream = connect({ host: app.address.ip, port: app.address.port, allowHalfOpen: true })
      upstream.once('connect', () => void splice(request.accept(), upstream))
    },
  })
  await using pool = newPool({ certificate: () => Promise.resolve(client) })
  const outbound = await listen((socket) => {
    const opening = pool.open({
      source: CLIENT,
      sourceIp: ip('127.0.0.1'),
      to: hbone.address,
      expected: [SERVER],
      authority: 'a:1',
    })
    void opening.then((tunnel) => splice(socket, tunnel.stream))
  }, true)
  const clients: Socket[] = []
  const open = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const socket = connect({ host: outbound.address.ip, port: outbound.address.port })
      clients.push(socket)
      socket.on('error', () => undefined)
      socket.write('x')
      await once(socket, 'data')
    }
  }
  // Compiled code and the pool's first connections are no cost of the ones that are counted.
  await open(100)
  const before = await used()
  await open(CONNECTIONS)
  const each = Math.round((await used()) - before) / CONNECTIONS
  t.log(`${Math.round(each)} bytes per connection`)
  t.true(each > LEAST && each < MOST, `${each} bytes per connection`)
  for (const socket of clients) socket.destroy()
  outbound.server.close()
  app.server.close()
})
