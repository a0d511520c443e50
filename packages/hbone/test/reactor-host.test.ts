import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import { silentLogger, systemClock } from '@ambit/core'
import { clientFd, listenerFd } from '@ambit/linux'
import test from 'ava'
import { Reactor, type ReactorConnection, type ReactorCrashError, type ReactorFacts } from '../src/index.ts'
import { REACTOR_CRASH_LOOP_MS } from '../src/limits.ts'
import { secureContextOptions } from '../src/secure-context.ts'
import { ManualClock } from './manual-clock.ts'
import { CLIENT, dial, readAll, SERVER, TestCa, until } from './mesh.ts'
import { application, clientProxy, LOOPBACK, serverProxy } from './proxies.ts'

const NOTHING: ReactorFacts = {
  handles: 0,
  descriptors: 0,
  timers: 0,
  contexts: 0,
  sessions: 0,
  parsed: 0,
  outputBuffers: 0,
}
const descriptors = (): number => readdirSync('/proc/self/fd').length
const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve))

/** Numbers that look random and are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 0x1_0000_0000) * below)
  }
}

test.serial('connections that are opened, reset and killed in whatever state leave nothing behind', async (t) => {
  const ca = new TestCa()
  const reactor = await Reactor.start({ logger: silentLogger, clock: systemClock })
  const idle = await reactor.facts()
  await using app = await application((socket) => {
    socket.pipe(socket)
  })
  const before = descriptors()
  const next = numbers(17)
  let server = await serverProxy({ reactor }, ca.certify(SERVER), () => app.address)
  let client = await clientProxy({ reactor }, ca.certify(CLIENT), server.address, SERVER)
  const ROUNDS = Number(process.env['AMBIT_REACTOR_ROUNDS'] ?? 20)
  const USERS = 60
  for (let round = 0; round < ROUNDS; round++) {
    const over: Promise<unknown>[] = []
    for (let index = 0; index < USERS; index++) {
      const user = await dial(client.address, true)
      user.on('error', () => undefined)
      user.resume()
      over.push(closed(user))
      const fate = next(5)
      if (next(2) === 0) user.write(Buffer.alloc(1 + next(200_000)))
      if (fate === 0) user.resetAndDestroy()
      else if (fate === 1) user.end()
      else if (fate === 2) user.once('data', () => user.resetAndDestroy())
      else if (fate === 3) setImmediate(() => user.destroy())
    }
    // Those left over and the tunnels under them end with one of the two sides, in the middle of whatever they do.
    if (next(2) === 0) await server.close()
    await client[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
    server = await serverProxy({ reactor }, ca.certify(SERVER), () => app.address)
    client = await clientProxy({ reactor }, ca.certify(CLIENT), server.address, SERVER)
  }
  await client[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  let facts = await reactor.facts()
  while (facts.descriptors > 0) {
    facts = await reactor.facts()
  }
  t.is(facts.sessions, 0)
  t.is(facts.handles, facts.contexts)
  t.is(facts.timers, idle.timers)
  await until(() => descriptors() <= before)
  t.deepEqual(await reactor.stop(), NOTHING)
  // The loop's own two, and the channel of the worker.
  t.true(descriptors() < before)
})

test.serial(
  'a crash takes down its connections only, is reported, and the worker comes back with its listeners',
  async (t) => {
    const ca = new TestCa()
    const crashes: ReactorCrashError[] = []
    const onCrash = (error: ReactorCrashError, isLast: boolean): void => {
      t.false(isLast)
      crashes.push(error)
    }
    const clock = new ManualClock()
    await using crashing = await Reactor.start({ logger: silentLogger, clock, onCrash })
    await using steady = await Reactor.start({ logger: silentLogger, clock: systemClock })
    await using app = await application((socket) => {
      socket.pipe(socket)
    })
    await using server = await serverProxy({ reactor: steady }, ca.certify(SERVER), () => app.address)
    await using one = await clientProxy({ reactor: crashing }, ca.certify(CLIENT), server.address, SERVER)
    await using other = await clientProxy({ reactor: steady }, ca.certify(CLIENT), server.address, SERVER)
    const users = await Promise.all([one, other].map(({ address }) => dial(address, true)))
    const [doomed, survivor] = users as [Socket, Socket]
    for (const user of users) {
      user.on('error', () => undefined)
      user.write('x')
      await once(user, 'data')
    }
    // Younger than that, it would be a loop of crashes.
    await clock.advance(REACTOR_CRASH_LOOP_MS)
    const over = closed(doomed)
    crashing.crash()
    await over
    await until(() => crashes.length === 1)
    t.regex(crashes[0]?.message ?? '', /told to crash/)
    await until(() => one.results.length === 1)
    t.is(one.results[0]?.error, crashes[0])
    survivor.end('still here')
    t.is((await readAll(survivor)).toString(), 'still here')
    const again = await dial(one.address, true)
    again.end('back')
    t.is((await readAll(again)).toString(), 'back')
  },
)

test.serial('a worker that crashes as soon as it starts stays down', async (t) => {
  const lasts: boolean[] = []
  const onCrash = (_: ReactorCrashError, isLast: boolean): void => void lasts.push(isLast)
  await using reactor = await Reactor.start({ logger: silentLogger, clock: new ManualClock(), onCrash })
  reactor.crash()
  await until(() => lasts.length > 0)
  t.deepEqual(lasts, [true])
  t.is(await reactor.stop(), undefined)
})

test.serial('several workers share a port', async (t) => {
  await using one = await Reactor.start({ logger: silentLogger, clock: systemClock })
  await using two = await Reactor.start({ logger: silentLogger, clock: systemClock })
  const accepted = [0, 0]
  const first = await new Promise<number>((resolve) => {
    const fd = listenerFd(undefined, LOOPBACK, { reusePort: true })
    one.listen(fd, (connection) => {
      accepted[0] = (accepted[0] ?? 0) + 1
      resolve(connection.local?.port ?? 0)
      connection.cut()
    })
    void probe(fd).then((port) => knock(port))
  })
  two.listen(listenerFd(undefined, { ip: LOOPBACK.ip, port: first }, { reusePort: true }), (connection) => {
    accepted[1] = (accepted[1] ?? 0) + 1
    connection.cut()
  })
  await two.facts()
  while (accepted[1] === 0) await knock(first)
  t.true((accepted[0] ?? 0) > 0)
})

/** Connects and waits for the end; a reset may overtake the connection itself. */
async function knock(port: number): Promise<void> {
  const socket = await dial({ ip: LOOPBACK.ip, port }).catch(() => undefined)
  socket?.on('error', () => undefined)
  if (socket !== undefined) await closed(socket)
}

test.serial('a certificate whose key OpenSSL refuses secures nothing, and leaves nothing', async (t) => {
  const errors: string[] = []
  const logger = { ...silentLogger, scope: () => logger, error: (message: string) => void errors.push(message) }
  const ca = new TestCa()
  const reactor = await Reactor.start({ logger, clock: systemClock })
  const broken = { ...ca.certify(SERVER), privateKey: ca.certify(CLIENT).privateKey }
  await using server = await serverProxy({ reactor }, broken, () => 500)
  const socket = await dial(server.address)
  socket.on('error', () => undefined)
  await closed(socket)
  await until(() => server.refused.length > 0)
  t.deepEqual(errors, ['a certificate cannot be used'])
  await server[Symbol.asyncDispose]()
  t.deepEqual(await reactor.stop(), NOTHING)
})

test.serial('malformed TLS and HTTP/2 end their connection and nothing else', async (t) => {
  const ca = new TestCa()
  const crashes: Error[] = []
  const onCrash = (error: Error): void => void crashes.push(error)
  const reactor = await Reactor.start({ logger: silentLogger, clock: systemClock, onCrash })
  await using app = await application((socket) => {
    socket.pipe(socket)
  })
  const clientCertificate = ca.certify(CLIENT)
  await using server = await serverProxy({ reactor }, ca.certify(SERVER), () => app.address)
  await using client = await clientProxy({ reactor }, clientCertificate, server.address, SERVER)
  const steady = await dial(client.address, true)
  steady.write('x')
  await once(steady, 'data')
  const next = numbers(4711)
  const garbage = (most: number): Buffer => Buffer.from(Array.from({ length: 1 + next(most) }, () => next(256)))
  // Bytes that begin as TLS does and go on as it pleases.
  for (let round = 0; round < 100; round++) {
    const socket = await dial(server.address)
    socket.on('error', () => undefined)
    const over = closed(socket)
    const record = garbage(600)
    socket.end(
      next(2) === 0
        ? record
        : Buffer.concat([Buffer.from([22, 3, 1, record.length >> 8, record.length & 255]), record]),
    )
    socket.resume()
    await over
  }
  // A peer that is who it says, and speaks HTTP/2 as it pleases.
  const context = createSecureContext(secureContextOptions(clientCertificate))
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')
  for (let round = 0; round < 100; round++) {
    const socket = await dial(server.address)
    const tls = connectTls({ socket, secureContext: context, ALPNProtocols: ['h2'], rejectUnauthorized: false })
    tls.on('error', () => undefined)
    socket.on('error', () => undefined)
    const over = closed(socket)
    tls.resume()
    tls.write(round % 4 === 0 ? garbage(200) : preface)
    for (let frame = 0; frame < 20; frame++) {
      const payload = garbage(64)
      const header = Buffer.from([0, 0, payload.length, next(11), next(256), 0, 0, 0, next(4)])
      tls.write(Buffer.concat([header, payload]))
    }
    if (next(2) === 0) tls.end()
    else setImmediate(() => socket.destroy())
    await over
  }
  steady.end('still here')
  t.is((await readAll(steady)).toString(), 'still here')
  t.deepEqual(crashes, [])
  await client[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  let facts = await reactor.facts()
  while (facts.descriptors > 0) facts = await reactor.facts()
  t.is(facts.sessions, 0)
  t.is(facts.handles, facts.contexts)
  t.deepEqual(await reactor.stop(), NOTHING)
})

async function probe(fd: number): Promise<number> {
  const { EventLoop, ReactorSocket, duplicate } = await import('@ambit/linux')
  using loop = new EventLoop()
  const socket = new ReactorSocket(loop, duplicate.of(fd), { ready: () => undefined })
  const port = socket.local()?.port ?? 0
  socket.close()
  return port
}

test.serial('a connection that is refused is reset when its peer has said something, or after a moment', async (t) => {
  const HOLD_MS = 60_000
  await using reactor = await Reactor.start({ logger: silentLogger, clock: systemClock })
  await using server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  server.listen(0, LOOPBACK.ip)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const pair = async (): Promise<[peer: Socket, ours: ReactorConnection]> => {
    const fd = clientFd(undefined, LOOPBACK.ip, {})
    const connecting = reactor.connect(fd, { to: { ip: LOOPBACK.ip, port }, timeoutMs: HOLD_MS })
    const [peer] = (await once(server, 'connection')) as [Socket]
    return [peer, await connecting]
  }
  const resetOf = async (peer: Socket): Promise<unknown> => {
    peer.resume()
    const [error] = (await once(peer, 'error')) as [NodeJS.ErrnoException]
    return error.code
  }
  for (const says of ['after', 'before', 'nothing']) {
    const [peer, ours] = await pair()
    const reset = resetOf(peer)
    if (says === 'before') await new Promise((resolve) => peer.write('x', resolve))
    ours.refuse(says === 'nothing' ? 1 : HOLD_MS)
    if (says === 'after') peer.write('x')
    t.is(await reset, 'ECONNRESET', says)
    await until(() => ours.isClosed)
  }
  t.is((await reactor.facts()).timers, 0)
})

test.serial('the key of an identity that nobody has any more leaves the worker', async (t) => {
  const ca = new TestCa()
  await using reactor = await Reactor.start({ logger: silentLogger, clock: systemClock })
  const certificate = ca.certify(CLIENT)
  const first = reactor.context(certificate)
  t.is(reactor.context(certificate), first)
  reactor.context(ca.certify(SERVER))
  t.is((await reactor.facts()).contexts, 2)
  reactor.forget(CLIENT)
  reactor.forget(CLIENT)
  t.is((await reactor.facts()).contexts, 1)
  t.not(reactor.context(certificate), first, 'somebody of it came back')
  t.is((await reactor.facts()).contexts, 2)
})
