import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { silentLogger, systemClock } from '@ambit/core'
import { clientFd, listenerFd } from '@ambit/linux'
import test from 'ava'
import { Reactor, type ReactorConnection, type ReactorCrashError, type ReactorFacts } from '../src/index.ts'
import { REACTOR_CRASH_LOOP_MS } from '../src/limits.ts'
import { ManualClock } from './manual-clock.ts'
import { CLIENT, dial, readAll, SERVER, TestCa, until } from './mesh.ts'
import { application, clientProxy, LOOPBACK, listenWith, portOf, serverProxy } from './proxies.ts'
import { churn } from './stress/churn.ts'
import { fuzz } from './stress/fuzz.ts'

const NOTHING: ReactorFacts = {
  handles: 0,
  descriptors: 0,
  timers: 0,
  contexts: 0,
  sessions: 0,
  parsed: 0,
  outputBuffers: 0,
}
const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve))

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
  const { fd } = listenWith(reactor, () => undefined)
  const address = await portOf(fd)
  const waiting = await dial(address)
  const reset = closed(waiting.on('error', () => undefined).resume())
  reactor.crash()
  await until(() => lasts.length > 0)
  t.deepEqual(lasts, [true])
  await reset
  await t.throwsAsync(dial(address), { code: 'ECONNREFUSED' })
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
  const { crashes, steady, left } = await fuzz({ seed: 4711, goesOn: (rounds) => rounds < 300 })
  t.deepEqual(crashes, [])
  t.is(steady, 'still here')
  t.deepEqual(left, NOTHING)
})

test.serial(
  'connections that come and go in whatever state, beside cuts and crashes, leave nothing behind',
  async (t) => {
    const { before, after, left } = await churn({ connections: 1_500, seed: 17, round: 500 })
    t.true(after.opened >= 1_500 && after.copied > after.opened / 4, `${after.copied} of ${after.opened}`)
    t.is(after.descriptors, before.descriptors)
    t.deepEqual(left, [NOTHING, NOTHING])
  },
)

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
