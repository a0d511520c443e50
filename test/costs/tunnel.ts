import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ip } from '../../packages/core/src/index.ts'
import { type Engine, splice } from '../../packages/hbone/src/index.ts'
import { CLIENT, listen, newPool, SERVER, startServer, TestCa } from '../../packages/hbone/test/mesh.ts'
import { settledMemory } from '../bench/scale/memory.ts'
import { type Costs, costsOfEach } from './counters.ts'

const REQUEST = Buffer.alloc(1024)
const WARM = 100
const IDLE = 300
const ROUND_TRIPS = 2000

/** Both proxies' tunnel, the application and its client in this one process. */
export interface TunnelCosts {
  /** Of one round trip of 1 KiB. */
  readonly roundTrip: Costs
  /** Of one new connection with its first byte there and back. */
  readonly connection: Costs
  /** Heap and buffers of one open, quiet connection. */
  readonly idleBytes: number
}

export async function measureTunnel(engine: Engine): Promise<TunnelCosts> {
  const ca = new TestCa()
  const [client, server] = [ca.certify(CLIENT), ca.certify(SERVER)]
  const app = await listen((socket) => void socket.pipe(socket), true)
  await using hbone = await startServer({
    engine,
    certificate: () => server,
    onRequest: (request) => {
      const upstream = connect({ host: app.address.ip, port: app.address.port, allowHalfOpen: true })
      upstream.once('connect', () => void splice(request.accept(), upstream))
    },
  })
  await using pool = newPool({ engine, certificate: () => Promise.resolve(client) })
  const outbound = await listen((socket) => {
    const request = {
      source: CLIENT,
      sourceIp: ip('127.0.0.1'),
      to: hbone.address,
      expected: [SERVER],
      authority: 'a:1',
    }
    void pool.open(request).then((tunnel) => splice(socket, tunnel.stream))
  }, true)
  const clients: Socket[] = []
  const open = async (): Promise<Socket> => {
    const socket = connect({ host: outbound.address.ip, port: outbound.address.port })
    clients.push(socket)
    socket.on('error', () => undefined)
    socket.write('x')
    await once(socket, 'data')
    return socket
  }
  const openMany = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await open()
  }
  const socket = await open()
  const roundTrips = async (count: number): Promise<void> => {
    const done = Promise.withResolvers<void>()
    let left = count
    let missing = REQUEST.length
    const hear = (bytes: Buffer): void => {
      missing -= bytes.length
      if (missing > 0) return
      missing = REQUEST.length
      if (--left > 0) socket.write(REQUEST)
      else done.resolve()
    }
    socket.on('data', hear)
    socket.write(REQUEST)
    await done.promise
    socket.off('data', hear)
  }
  const roundTrip = await costsOfEach(ROUND_TRIPS, roundTrips)
  const connection = await costsOfEach(WARM, openMany)
  const before = (await settledMemory()).held
  await openMany(IDLE)
  const idleBytes = ((await settledMemory()).held - before) / IDLE
  for (const each of clients) each.destroy()
  outbound.server.close()
  app.server.close()
  return { roundTrip, connection, idleBytes }
}
