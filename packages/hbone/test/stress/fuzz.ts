import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { type SocketAddress, silentLogger, systemClock } from '@ambit/core'
import { clientFd } from '@ambit/linux'
import { Reactor, type ReactorFacts, ReactorPool, ReactorServer } from '../../src/index.ts'
import { secureContextOptions } from '../../src/secure-context.ts'
import { CLIENT, dial, listen, SERVER, TestCa } from '../mesh.ts'
import { application, clientProxy, LOOPBACK, listenWith, portOf } from '../proxies.ts'
import { numbers } from './numbers.ts'

export interface FuzzOptions {
  readonly seed: number
  /** Whether another round is wanted. */
  readonly goesOn: (rounds: number) => boolean
}

export interface FuzzResult {
  readonly rounds: number
  readonly crashes: readonly Error[]
  /** What a connection said at the end that was open all the time. */
  readonly steady: string
  /** What the worker held when it was stopped. */
  readonly left: ReactorFacts | undefined
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')
const SETTINGS = Buffer.from('\0\0\0\x04\0\0\0\0\0', 'latin1')
/** As long as it takes for something to be answered on loopback, and not longer. */
const GIVE_UP_MS = 200

/** Peers at a time. */
const LANES = 16

const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve))
const quiet = <T extends Socket>(socket: T): T => socket.on('error', () => undefined)

/** Peers that are who they say and speak as they please, and peers that are nobody: all end their own connection and nothing else. */
export async function fuzz({ seed, goesOn }: FuzzOptions): Promise<FuzzResult> {
  const next = numbers(seed)
  const ca = new TestCa()
  const [clientCertificate, serverCertificate] = [ca.certify(CLIENT), ca.certify(SERVER)]
  const clientContext = createSecureContext(secureContextOptions(clientCertificate))
  const crashes: Error[] = []
  const onCrash = (error: Error): void => void crashes.push(error)
  const reactor = await Reactor.start({ logger: silentLogger, clock: systemClock, onCrash })
  await using app = await application((socket) => void socket.pipe(socket))
  const hbone = new ReactorServer({
    reactor,
    certificate: () => serverCertificate,
    onRequest: async (request) => {
      const to = app.address
      await request.acceptAndConnect(clientFd(undefined, to.ip, {}), { to, timeoutMs: 10_000 }).catch(() => undefined)
    },
    onTlsError: () => undefined,
    clock: systemClock,
    logger: silentLogger,
  })
  const server = listenWith(reactor, (connection) => hbone.accept(connection))
  const address = await portOf(server.fd)
  const client = await clientProxy({ reactor }, clientCertificate, address, SERVER)
  const steady = quiet(await dial(client.address, true))
  steady.write('x')
  await once(steady, 'data')

  const garbage = (most: number): Buffer => Buffer.from(Array.from({ length: 1 + next(most) }, () => next(256)))
  /** Mostly well formed: what is checked last is reached, too. */
  const frame = (): Buffer => {
    const kind = next(3) === 0 ? next(256) : next(10)
    const lengths: Readonly<Record<number, number>> = { 2: 5, 3: 4, 6: 8, 7: 8 + next(8), 8: 4 }
    const payload = next(8) === 0 ? garbage(64) : Buffer.from(garbage(lengths[kind] ?? 64 + next(400)))
    const told = next(16) === 0 ? next(1 << 20) : payload.length
    const stream = next(4) === 0 ? next(1 << 16) : next(6)
    const flags = next(3) === 0 ? next(256) : [0, 1, 4, 5][next(4)]
    const header = Buffer.from([
      told >> 16,
      (told >> 8) & 255,
      told & 255,
      kind,
      flags ?? 0,
      0,
      0,
      stream >> 8,
      stream & 255,
    ])
    return Buffer.concat([header, payload])
  }
  const speak = (tls: TLSSocket, preface: Buffer): void => {
    tls.resume()
    tls.write(next(6) === 0 ? garbage(200) : preface)
    for (let count = next(30); count > 0 && !tls.destroyed; count--) tls.write(frame())
    if (next(2) === 0) tls.end()
    else setTimeout(() => tls.destroy(), next(10))
  }

  /** Bytes that begin as TLS does, and go on as they please. */
  async function garbageToServer(): Promise<void> {
    const socket = quiet(await dial(address))
    const over = closed(socket)
    const record = garbage(600)
    const kind = 20 + next(5)
    const head = Buffer.from([kind, 3, next(5), record.length >> 8, record.length & 255])
    socket.end(next(2) === 0 ? record : Buffer.concat([head, record]))
    socket.resume()
    await over
  }

  async function framesToServer(): Promise<void> {
    const socket = quiet(await dial(address))
    const over = closed(socket)
    const tls = connectTls({ socket, secureContext: clientContext, ALPNProtocols: ['h2'], rejectUnauthorized: false })
    speak(quiet(tls), PREFACE)
    await over
  }

  /** The pool asks `to`, and gives up after a moment. */
  async function ask(to: SocketAddress): Promise<void> {
    await using pool = new ReactorPool({
      reactor,
      certificate: () => Promise.resolve(clientCertificate),
      clock: systemClock,
      logger: silentLogger,
    })
    const source = { source: CLIENT, sourceIp: LOOPBACK.ip, to, expected: [SERVER], authority: '10.0.0.1:80' }
    const signal = AbortSignal.timeout(GIVE_UP_MS)
    await pool.open({ ...source, signal }).then(
      ({ stream }) => stream.cut(),
      () => undefined,
    )
  }

  async function framesToClient(): Promise<void> {
    const listener = createTlsServer(
      {
        ...secureContextOptions(serverCertificate),
        ALPNProtocols: ['h2'],
        requestCert: true,
        rejectUnauthorized: false,
      },
      (tls) => speak(quiet(tls), SETTINGS),
    )
    listener.on('tlsClientError', () => undefined)
    listener.listen(0, LOOPBACK.ip)
    await once(listener, 'listening')
    const bound = listener.address()
    if (bound !== null && typeof bound === 'object') await ask({ ip: LOOPBACK.ip, port: bound.port })
    listener.close()
  }

  /** Somebody on the way changes, drops, repeats or cuts bytes, of either side. */
  async function changedOnTheWay(): Promise<void> {
    const sockets: Socket[] = []
    const change = (bytes: Buffer, to: Socket): void => {
      const fate = next(6)
      if (fate === 0) {
        const changed = Buffer.from(bytes)
        for (let count = 1 + next(4); count > 0; count--) changed[next(changed.length)] = next(256)
        to.write(changed)
      } else if (fate === 1) to.write(bytes.subarray(0, next(bytes.length)))
      else if (fate === 2) to.write(Buffer.concat([bytes, bytes]))
      else if (fate === 3) to.end(bytes.subarray(0, next(bytes.length)))
      else to.write(bytes)
    }
    const { server: middle, address: at } = await listen((near) => {
      const far = quiet(dialNow(address))
      sockets.push(quiet(near), far)
      near.on('data', (bytes: Buffer) => change(bytes, far))
      far.on('data', (bytes: Buffer) => change(bytes, near))
      near.on('close', () => far.destroy())
      far.on('close', () => near.destroy())
    }, false)
    await ask(at)
    for (const socket of sockets) socket.destroy()
    middle.close()
  }

  const kinds = [garbageToServer, framesToServer, framesToClient, changedOnTheWay]
  let rounds = 0
  const lane = async (): Promise<void> => {
    while (goesOn(rounds)) {
      rounds++
      await (kinds[next(kinds.length)] ?? garbageToServer)()
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  steady.end('still here')
  let said = ''
  for await (const bytes of steady) said += String(bytes)
  await client[Symbol.asyncDispose]()
  server.listening[Symbol.dispose]()
  await hbone.close()
  return { rounds, crashes, steady: said, left: await reactor.stop() }
}

function dialNow(to: SocketAddress): Socket {
  return connect({ host: to.ip, port: to.port })
}
