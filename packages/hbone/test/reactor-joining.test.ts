import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type SocketAddress, silentLogger, systemClock } from '@ambit/core'
import { clientFd } from '@ambit/linux'
import test from 'ava'
import {
  HboneCutError,
  type OpenRequest,
  Reactor,
  type ReactorConnection,
  type ReactorHboneRequest,
  ReactorPool,
  ReactorServer,
} from '../src/index.ts'
import { CLIENT, dial, readAll, SERVER, TestCa, until } from './mesh.ts'
import { application, LOOPBACK, listenWith, portOf, unanswering, unserved } from './proxies.ts'

const TIMEOUT_MS = 60_000
const ca = new TestCa()
const [clientCertificate, serverCertificate] = [ca.certify(CLIENT), ca.certify(SERVER)]
const echo = (socket: Socket): void => void socket.pipe(socket)
const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve))

let reactor: Reactor
test.before(async () => {
  reactor = await Reactor.start({ logger: silentLogger, clock: systemClock })
})
test.after.always('nothing is left of all that', async (t) => {
  const facts = await reactor.stop()
  t.deepEqual(facts, { handles: 0, descriptors: 0, timers: 0, contexts: 0, sessions: 0, parsed: 0, outputBuffers: 0 })
})

/** A server of HBONE and a pool towards it. */
async function mesh(onRequest: (request: ReactorHboneRequest) => void | Promise<void>, by = reactor) {
  const hbone = new ReactorServer({
    reactor: by,
    certificate: () => serverCertificate,
    onRequest,
    onTlsError: () => undefined,
    clock: systemClock,
    logger: silentLogger,
  })
  const { fd, listening } = listenWith(by, (connection) => hbone.accept(connection))
  const pool = new ReactorPool({
    reactor: by,
    certificate: () => Promise.resolve(clientCertificate),
    clock: systemClock,
    logger: silentLogger,
  })
  const request: OpenRequest = {
    source: CLIENT,
    sourceIp: LOOPBACK.ip,
    to: await portOf(fd),
    expected: [SERVER],
    authority: '10.0.0.1:80',
  }
  return {
    hbone,
    pool,
    request,
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      await pool.close()
      await hbone.close()
    },
  }
}

/** A user whose connection the reactor has accepted. */
async function accepted(by = reactor): Promise<{ user: Socket; connection: ReactorConnection }> {
  const taken = Promise.withResolvers<ReactorConnection>()
  const { fd, listening } = listenWith(by, taken.resolve)
  const user = await dial(await portOf(fd), true)
  user.on('error', () => undefined)
  const connection = await taken.promise
  listening[Symbol.dispose]()
  return { user, connection }
}

const towards = (to: SocketAddress): [number, { to: SocketAddress; timeoutMs: number }] => [
  clientFd(undefined, to.ip, {}),
  { to, timeoutMs: TIMEOUT_MS },
]

test('a connection is joined to another one that is made for it: prefix first, bytes counted without it', async (t) => {
  await using app = await application(echo)
  const { user, connection } = await accepted()
  const [fd, options] = towards(app.address)
  user.write('before')
  const { copy, local } = await reactor.connectAndCopy(connection, fd, { ...options, prefix: Buffer.from('PROXY ') })
  t.is(local?.ip, LOOPBACK.ip)
  user.end(' after')
  t.is((await readAll(user)).toString(), 'PROXY before after')
  t.deepEqual(await copy.over, { aToB: 12, bToA: 18 })
  t.deepEqual({ aToB: copy.counters.aToB, bToA: copy.counters.bToA }, { aToB: 12, bToA: 18 })
})

test('when nobody is there the connection is left as it is, and may be joined to somebody else', async (t) => {
  using nobody = await unserved()
  await using app = await application(echo)
  const { user, connection } = await accepted()
  user.write('x')
  for (let round = 0; round < 3; round++) {
    const error = await t.throwsAsync(reactor.connectAndCopy(connection, ...towards(nobody.address)))
    t.regex(error?.message ?? '', /ECONNREFUSED/)
    t.like(error?.cause, { code: 'ECONNREFUSED' })
  }
  t.false(connection.isClosed)
  await reactor.connectAndCopy(connection, ...towards(app.address))
  user.end('y')
  t.is((await readAll(user)).toString(), 'xy')
})

test('a tunnel is opened and copied at once; another answer leaves the connection as it is', async (t) => {
  await using app = await application(echo)
  let status: number | undefined = 401
  await using m = await mesh(async (request) => {
    if (status !== undefined) request.reject(status)
    else await request.acceptAndConnect(...towards(app.address))
  })
  const { user, connection } = await accepted()
  for (status of [401, 503]) {
    const error = await t.throwsAsync(m.pool.openAndCopy(m.request, connection), { code: 'ERR_HBONE_STATUS' })
    t.regex(error?.message ?? '', new RegExp(`http status: ${status}`))
  }
  status = undefined
  const { copy, peer } = await m.pool.openAndCopy(m.request, connection, { prefix: Buffer.from('1') })
  t.deepEqual(peer, SERVER)
  user.end('23')
  t.is((await readAll(user)).toString(), '123')
  t.deepEqual(await copy.over, { aToB: 2, bToA: 3 })
  t.is(m.pool.connectionCount, 1)
})

test('a request whose application is not there is still to be answered, or tried elsewhere', async (t) => {
  using nobody = await unserved()
  const failures: Error[] = []
  await using m = await mesh(async (request) => {
    for (let attempt = 0; attempt < 2; attempt++)
      await request.acceptAndConnect(...towards(nobody.address)).catch((error: Error) => failures.push(error))
    request.reject(502)
    request.reject(503)
  })
  const { user, connection } = await accepted()
  await t.throwsAsync(m.pool.openAndCopy(m.request, connection), { message: /http status: 502/ })
  t.is(failures.length, 2)
  for (const { message } of failures) t.regex(message, /ECONNREFUSED/)
  connection.cut()
  await closed(user)
})

test('cut while it connects, a request is not answered yet, and its stream can be rejected as the policy says', async (t) => {
  using silence = await unanswering()
  const cutting = new AbortController()
  const reason = new Error('the policy says no')
  await using m = await mesh(async (request) => {
    const [fd, options] = towards(silence.address)
    const joining = request.acceptAndConnect(fd, { ...options, signal: cutting.signal })
    cutting.abort(reason)
    t.is(await joining.catch((error: unknown) => error), reason)
    request.reject(401)
  })
  const { user, connection } = await accepted()
  await t.throwsAsync(m.pool.openAndCopy(m.request, connection), { message: /http status: 401/ })
  connection.cut()
  await closed(user)
})

test('cut while it connects, a connection is left as it is', async (t) => {
  using silence = await unanswering()
  await using app = await application(echo)
  const { user, connection } = await accepted()
  for (const when of ['before', 'after'] as const) {
    const cutting = new AbortController()
    if (when === 'before') cutting.abort()
    const [fd, options] = towards(silence.address)
    const joining = reactor.connectAndCopy(connection, fd, { ...options, signal: cutting.signal })
    if (when === 'after') setImmediate(() => cutting.abort())
    await t.throwsAsync(joining)
  }
  await reactor.connectAndCopy(connection, ...towards(app.address))
  user.end('x')
  t.is((await readAll(user)).toString(), 'x')
})

test('cut while the tunnel is not answered, the stream is reset and the connection is left as it is', async (t) => {
  await using app = await application(echo)
  const gone = Promise.withResolvers<void>()
  let isFirst = true
  const asked = Promise.withResolvers<void>()
  await using m = await mesh(async (request) => {
    if (!isFirst) return void (await request.acceptAndConnect(...towards(app.address)))
    isFirst = false
    request.onGone(gone.resolve)
    asked.resolve()
  })
  const { user, connection } = await accepted()
  const cutting = new AbortController()
  const joining = m.pool.openAndCopy({ ...m.request, signal: cutting.signal }, connection)
  await asked.promise
  cutting.abort(new HboneCutError('no more'))
  await t.throwsAsync(joining, { code: 'ERR_HBONE_CUT' })
  await gone.promise
  await m.pool.openAndCopy(m.request, connection)
  user.end('x')
  t.is((await readAll(user)).toString(), 'x')
})

test('cut while bytes flow, both sides are reset and the counters stay', async (t) => {
  await using app = await application(echo)
  const cutting = new AbortController()
  const tunnels: Error[] = []
  await using m = await mesh(async (request) => {
    const { copy } = await request.acceptAndConnect(...towards(app.address))
    const { error } = await copy.over
    if (error !== undefined) tunnels.push(error)
  })
  const { user, connection } = await accepted()
  const { copy } = await m.pool.openAndCopy({ ...m.request, signal: cutting.signal }, connection)
  user.write('x')
  await once(user, 'data')
  const over = closed(user)
  cutting.abort(new HboneCutError('the policy changed'))
  t.is((await copy.over).error, cutting.signal.reason)
  t.is(copy.counters.aToB, 1)
  await over
})

test('a user that leaves while the tunnel is not answered takes its stream along', async (t) => {
  const gone = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  await using m = await mesh((request) => {
    request.onGone(gone.resolve)
    asked.resolve()
  })
  const { user, connection } = await accepted()
  const joining = m.pool.openAndCopy(m.request, connection)
  await asked.promise
  user.resetAndDestroy()
  await t.throwsAsync(joining, { message: /ended before it was joined/ })
  await gone.promise
  t.true(connection.isClosed)
})

test('a stream that is reset while its application is being connected takes that connection along', async (t) => {
  using silence = await unanswering()
  const asked = Promise.withResolvers<void>()
  const joined = Promise.withResolvers<unknown>()
  await using m = await mesh((request) => {
    request.acceptAndConnect(...towards(silence.address)).then(joined.resolve, joined.resolve)
    asked.resolve()
  })
  const { user, connection } = await accepted()
  const cutting = new AbortController()
  const joining = m.pool.openAndCopy({ ...m.request, signal: cutting.signal }, connection)
  await asked.promise
  cutting.abort()
  await t.throwsAsync(joining)
  t.regex(String(await joined.promise), /ended before it was joined/)
  connection.cut()
  await closed(user)
})

test('an answer and the end of the tunnel in one turn lose nothing', async (t) => {
  await using app = await application((socket) => socket.end('short'))
  await using m = await mesh(async (request) => void (await request.acceptAndConnect(...towards(app.address))))
  for (let round = 0; round < 50; round++) {
    const { user, connection } = await accepted()
    const opening = m.pool.openAndCopy(m.request, connection)
    user.end()
    t.is((await readAll(user)).toString(), 'short')
    t.deepEqual(await (await opening).copy.over, { aToB: 0, bToA: 5 })
  }
  await until(() => m.pool.connectionCount === 1)
})

test('a crash ends what waits to be joined, and who asks a worker that stays down is told', async (t) => {
  using silence = await unanswering()
  const lasts: boolean[] = []
  const onCrash = (_: Error, isLast: boolean): void => void lasts.push(isLast)
  await using doomed = await Reactor.start({ logger: silentLogger, clock: systemClock, onCrash })
  const { user, connection } = await accepted(doomed)
  const over = closed(user)
  const joining = doomed.connectAndCopy(connection, ...towards(silence.address))
  doomed.crash()
  await t.throwsAsync(joining, { code: 'ERR_REACTOR_CRASH' })
  await over
  await until(() => lasts.length > 0)
  if (lasts[0] === true) await t.throwsAsync(doomed.connect(...towards(silence.address)))
  await t.throwsAsync(doomed.connectAndCopy(connection, ...towards(silence.address)))
})
