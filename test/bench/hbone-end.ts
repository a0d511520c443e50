// One end of HBONE without the rest of a ztunnel: `node hbone-end.ts out|in ENGINE CA_ADDRESS ROOTS_FILE HOST PORT TARGET_HOST TARGET_PORT`.
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import {
  ip,
  type Logger,
  parseSpiffeId,
  type SocketAddress,
  type SpiffeId,
  systemClock,
} from '../../packages/core/src/index.ts'
import {
  framedEngine,
  HbonePool,
  HboneServer,
  nodeHttp2Engine,
  Reactor,
  type ReactorConnection,
  ReactorPool,
  ReactorServer,
  ReadSlabs,
  splice,
} from '../../packages/hbone/src/index.ts'
import { GrpcCaClient, SecretManager } from '../../packages/identity/src/index.ts'
import { clientFd, listenerFd } from '../../packages/linux/src/index.ts'

const [
  role = '',
  engineName = '',
  caAddress = '',
  rootsFile = '',
  host = '',
  port = '',
  targetHost = '',
  targetPort = '',
] = process.argv.slice(2)
/** Clients take turns among as many identities. */
const identities = Number(process.env['IDENTITIES'] ?? 1)
const READ_BUFFER_BYTES = 256 * 1024
const TIMEOUT_MS = 10_000
const engine = [nodeHttp2Engine, framedEngine].find(({ name }) => name === engineName)
if (engine === undefined && engineName !== 'reactor') throw new Error(`no engine ${engineName}`)

const logger: Logger = {
  error: (message) => console.error(message),
  warn: (message) => console.error(message),
  info: () => undefined,
  debug: () => undefined,
  trace: () => undefined,
  enabled: () => false,
  scope: () => logger,
}

function identity(account: string): SpiffeId {
  const id = parseSpiffeId(`spiffe://cluster.local/ns/bench/sa/${account}`)
  if (id === undefined) throw new Error(account)
  return id
}
const clients = Array.from({ length: identities }, (_, i) => identity(i === 0 ? 'client' : `client-${i}`))
let turn = 0
const nextClient = (): SpiffeId => clients[turn++ % clients.length] ?? identity('client')
const server = identity('server')

const ca = new GrpcCaClient(
  { logger },
  {
    address: caAddress,
    root: { pem: readFileSync(rootsFile, 'utf8') },
    token: { token: 'bench' },
    clusterId: 'Kubernetes',
    impersonate: false,
  },
)
const slabs = new ReadSlabs()
const secrets = new SecretManager({ ca, clock: systemClock, logger })

function outbound(): (socket: Socket) => void {
  const pool = new HbonePool({
    dial: (to) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: to.ip, port: to.port, noDelay: true }, () => resolve(socket))
        socket.on('error', reject)
      }),
    certificate: (id, signal) => secrets.get(id, signal),
    clock: systemClock,
    logger,
    engine,
  })
  return (socket) => {
    const open = pool.open({
      source: nextClient(),
      sourceIp: ip(host),
      to: { ip: ip(targetHost), port: Number(targetPort) },
      expected: [server],
      authority: `${targetHost}:9000`,
    })
    open.then(
      (tunnel) => splice(socket, tunnel.stream, { slabs }),
      (error: unknown) => {
        console.error(error)
        socket.destroy()
      },
    )
  }
}

function inbound(): (socket: Socket) => void {
  const hbone = new HboneServer({
    certificate: () => secrets.get(server),
    onRequest: (request) => {
      const upstream = connect({ host: targetHost, port: Number(targetPort), noDelay: true, allowHalfOpen: true })
      upstream.once('connect', () => void splice(upstream, request.accept(), { slabs }))
      upstream.once('error', () => request.reject(503))
    },
    onTlsError: (error) => console.error(error),
    clock: systemClock,
    logger,
    engine,
  })
  return (socket) => hbone.accept(socket)
}

function outboundBy(reactor: Reactor): (connection: ReactorConnection) => void {
  const pool = new ReactorPool({
    reactor,
    certificate: (id, signal) => secrets.get(id, signal),
    clock: systemClock,
    logger,
  })
  const to: SocketAddress = { ip: ip(targetHost), port: Number(targetPort) }
  return (connection) => {
    const authority = `${targetHost}:9000`
    const request = { source: nextClient(), sourceIp: ip(host), to, expected: [server], authority }
    pool.openAndCopy(request, connection).catch((error: unknown) => {
      console.error(error)
      connection.cut()
    })
  }
}

function inboundBy(reactor: Reactor): (connection: ReactorConnection) => void {
  const to: SocketAddress = { ip: ip(targetHost), port: Number(targetPort) }
  const hbone = new ReactorServer({
    reactor,
    certificate: () => secrets.get(server),
    onRequest: (request) => {
      request
        .acceptAndConnect(clientFd(undefined, to.ip, {}), { to, timeoutMs: TIMEOUT_MS })
        .catch((error: unknown) => console.error(error))
    },
    onTlsError: (error) => console.error(error),
    clock: systemClock,
    logger,
  })
  return (connection) => hbone.accept(connection)
}

async function listenBy(reactor: Reactor): Promise<void> {
  const take = role === 'out' ? outboundBy(reactor) : inboundBy(reactor)
  reactor.listen(listenerFd(undefined, { ip: ip(host), port: Number(port) }, {}), take)
  await reactor.facts()
  console.log('READY')
}

for (const needed of role === 'out' ? clients : [server]) await secrets.get(needed)
if (engineName === 'reactor') await listenBy(await Reactor.start({ logger, clock: systemClock }))
else listen(role === 'out' ? outbound() : inbound())

function listen(take: (socket: Socket) => void): void {
  const listener = createServer(
    { allowHalfOpen: role === 'out', noDelay: true, highWaterMark: READ_BUFFER_BYTES },
    (socket) => {
      socket.on('error', () => undefined)
      take(socket)
    },
  )
  listener.listen({ host, port: Number(port), backlog: 4096 }, () => console.log('READY'))
}
