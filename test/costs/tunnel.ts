import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type SocketAddress, silentLogger, systemClock } from '../../packages/core/src/index.ts'
import {
  type Engine,
  type OpenRequest,
  type Reactor,
  ReactorPool,
  ReactorServer,
  splice,
} from '../../packages/hbone/src/index.ts'
import { CLIENT, listen, newPool, SERVER, startServer, TestCa } from '../../packages/hbone/test/mesh.ts'
import { LOOPBACK, listenWith, portOf } from '../../packages/hbone/test/proxies.ts'
import { clientFd } from '../../packages/linux/src/index.ts'
import { settledMemory } from '../bench/scale/memory.ts'
import { type Costs, costsOfEach } from './counters.ts'

const REQUEST = Buffer.alloc(1024)
const WARM = 100
const IDLE = 300
const ROUND_TRIPS = 2000
const TIMEOUT_MS = 10_000

/** In the end all are cut, in no order. */
const deaf = (): undefined => undefined

/** Both proxies' tunnel, the application and its client in this one process. */
export interface TunnelCosts {
  /** Of one round trip of 1 KiB. */
  readonly roundTrip: Costs
  /** Of one new connection with its first byte there and back. */
  readonly connection: Costs
  /** Heap and buffers of one open, quiet connection, on this thread. */
  readonly idleBytes: number
}

/** Both proxies of one way of doing it, in front of an application. */
interface Proxies {
  /** Where the client's proxy takes connections. */
  readonly address: SocketAddress
  close(): Promise<void>
}

const ca = new TestCa()
const [client, server] = [ca.certify(CLIENT), ca.certify(SERVER)]

function requestTo(to: SocketAddress): OpenRequest {
  return { source: CLIENT, sourceIp: LOOPBACK.ip, to, expected: [SERVER], authority: 'a:1' }
}

export function byEngine(engine: Engine): (app: SocketAddress) => Promise<Proxies> {
  return async (app) => {
    const hbone = await startServer({
      engine,
      certificate: () => server,
      onRequest: (request) => {
        const upstream = connect({ host: app.ip, port: app.port, allowHalfOpen: true })
        upstream.on('error', deaf)
        upstream.once('connect', () => void splice(request.accept(), upstream))
      },
    })
    const pool = newPool({ engine, certificate: () => Promise.resolve(client) })
    const outbound = await listen((socket) => {
      socket.on('error', deaf)
      void pool.open(requestTo(hbone.address)).then((tunnel) => splice(socket, tunnel.stream))
    }, true)
    return {
      address: outbound.address,
      async close() {
        outbound.server.close()
        await pool.close()
        await hbone[Symbol.asyncDispose]()
      },
    }
  }
}

export function byReactor(reactor: Reactor): (app: SocketAddress) => Promise<Proxies> {
  return async (app) => {
    const common = { reactor, clock: systemClock, logger: silentLogger }
    const hbone = new ReactorServer({
      ...common,
      certificate: () => server,
      onRequest: async (request) => {
        await request.acceptAndConnect(clientFd(undefined, app.ip, {}), { to: app, timeoutMs: TIMEOUT_MS })
      },
      onTlsError: (error) => console.error(error),
    })
    const inbound = listenWith(reactor, (connection) => hbone.accept(connection))
    const to = await portOf(inbound.fd)
    const pool = new ReactorPool({ ...common, certificate: () => Promise.resolve(client) })
    const outbound = listenWith(reactor, (connection) => void pool.openAndCopy(requestTo(to), connection))
    return {
      address: await portOf(outbound.fd),
      async close() {
        outbound.listening[Symbol.dispose]()
        inbound.listening[Symbol.dispose]()
        await pool.close()
        await hbone.close()
      },
    }
  }
}

export async function measureTunnel(way: (app: SocketAddress) => Promise<Proxies>): Promise<TunnelCosts> {
  const app = await listen((socket) => void socket.on('error', deaf).pipe(socket), true)
  const proxies = await way(app.address)
  const clients: Socket[] = []
  const open = async (): Promise<Socket> => {
    const socket = connect({ host: proxies.address.ip, port: proxies.address.port })
    clients.push(socket)
    socket.on('error', deaf)
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
  await proxies.close()
  app.server.close()
  return { roundTrip, connection, idleBytes }
}
