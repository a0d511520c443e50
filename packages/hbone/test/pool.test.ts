import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { ip, type SocketAddress } from '@ambit/core'
import test from 'ava'
import type { HbonePoolOptions, OpenRequest } from '../src/index.ts'
import { ManualClock, turn } from './manual-clock.ts'
import { CLIENT, dial, echo, identity, listen, newPool, readAll, SERVER, startServer, TestCa, until } from './mesh.ts'
import { foreignServer, muteServer } from './raw-peers.ts'

const ca = new TestCa()
const certificates = new Map([CLIENT, identity('second')].map((id) => [id.serviceAccount, ca.certify(id)]))
const serverCertificate = ca.certify(SERVER)

async function mesh(options: HbonePoolOptions = {}) {
  const clock = new ManualClock()
  const server = await startServer({ certificate: () => serverCertificate, onRequest: echo })
  const dialled: Socket[] = []
  const pool = newPool(
    {
      clock,
      certificate: (id) => Promise.resolve(certificates.get(id.serviceAccount) ?? ca.certify(id)),
      dial: async (to) => {
        const socket = await dial(to)
        dialled.push(socket)
        return socket
      },
    },
    options,
  )
  const open = (overrides: Partial<OpenRequest> = {}) =>
    pool.open({
      source: CLIENT,
      sourceIp: ip('10.0.0.1'),
      to: server.address,
      expected: [SERVER],
      authority: '10.0.0.2:80',
      ...overrides,
    })
  return {
    clock,
    server,
    pool,
    dialled,
    open,
    async [Symbol.asyncDispose]() {
      await pool.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

const closed = (stream: NodeJS.EventEmitter) => new Promise((resolve) => stream.once('close', resolve))

test('concurrent first requests share one dial', async (t) => {
  await using m = await mesh()
  await Promise.all(Array.from({ length: 60 }, () => m.open()))
  t.is(m.dialled.length, 1)
})

for (const [name, other] of [
  ['source identity', { source: identity('second') }],
  ['source address', { sourceIp: ip('10.0.0.9') }],
  ['set of expected identities', { expected: [SERVER, identity('other')] }],
] as const) {
  test(`another ${name} never shares a connection`, async (t) => {
    await using m = await mesh()
    await m.open()
    await m.open(other)
    await m.open()
    await m.open(other)
    t.is(m.dialled.length, 2)
  })
}

test('the order of expected identities does not matter', async (t) => {
  await using m = await mesh()
  await m.open({ expected: [SERVER, identity('other')] })
  await m.open({ expected: [identity('other'), SERVER] })
  t.is(m.dialled.length, 1)
})

test('a connection that reached its stream limit is never used again, and closes with its last stream', async (t) => {
  await using m = await mesh({ maxStreamsPerConnection: 3 })
  const tunnels = [await m.open(), await m.open(), await m.open()]
  t.is(m.dialled.length, 1)
  t.is(m.pool.availableCount, 0)
  for (const tunnel of tunnels) {
    const done = closed(tunnel.stream)
    tunnel.stream.end()
    tunnel.stream.resume()
    await done
  }
  await until(() => m.pool.connectionCount === 0)
  await m.open()
  t.is(m.dialled.length, 2)
})

test("a peer's lower limit opens more connections instead of queueing", async (t) => {
  using server = await foreignServer(serverCertificate, { settings: { maxConcurrentStreams: 2 } }, (h2) => {
    h2.on('stream', (stream: ServerHttp2Stream) => stream.respond({ ':status': 200 }))
  })
  await using m = await mesh()
  const tunnels = await Promise.all(Array.from({ length: 7 }, () => m.open({ to: server.address })))
  t.is(tunnels.length, 7)
  t.is(m.dialled.length, 4)
})

test('a failed dial fails who waited for it, is not cached, and a timeout hints at a network policy', async (t) => {
  let attempts = 0
  const server = await startServer({ certificate: () => serverCertificate, onRequest: echo })
  await using pool = newPool({
    certificate: () => Promise.resolve(serverCertificate),
    dial: async (to) => {
      attempts++
      if (attempts > 1) return await dial(to)
      throw Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' })
    },
  })
  const request = {
    source: SERVER,
    sourceIp: ip('10.0.0.1'),
    to: server.address,
    expected: [SERVER],
    authority: '10.0.0.2:80',
  }
  const outcomes = await Promise.allSettled([pool.open(request), pool.open(request)])
  t.true(outcomes.every(({ status }) => status === 'rejected'))
  const [first] = outcomes
  t.regex(
    String(first?.status === 'rejected' && first.reason),
    /connection timed out, maybe a NetworkPolicy is blocking HBONE port \d+: 127/,
  )
  t.is(attempts, 1)
  const tunnel = await pool.open(request)
  t.is(attempts, 2)
  await tunnel[Symbol.asyncDispose]()
  await pool.close()
  await server[Symbol.asyncDispose]()
})

test('a certificate that cannot be had fails the request', async (t) => {
  await using pool = newPool({ certificate: () => Promise.reject(new Error('identity error: away')) })
  const request = {
    source: SERVER,
    sourceIp: ip('10.0.0.1'),
    to: { ip: ip('127.0.0.1'), port: 1 },
    expected: [SERVER],
    authority: '10.0.0.2:80',
  }
  await t.throwsAsync(pool.open(request), { message: 'identity error: away' })
})

test('a connection nobody used for five minutes is released', async (t) => {
  await using m = await mesh({ intervalMs: 3_600_000 })
  const tunnel = await m.open()
  const done = closed(tunnel.stream)
  tunnel.stream.end()
  tunnel.stream.resume()
  await done
  await m.clock.advance(299_000)
  t.is(m.pool.connectionCount, 1)
  await m.clock.advance(1000)
  await until(() => m.pool.connectionCount === 0)
  await m.open()
  t.is(m.dialled.length, 2)
})

test('a stream that lives longer than the idle time is not disturbed', async (t) => {
  await using m = await mesh()
  const tunnel = await m.open()
  await m.clock.advance(5000)
  t.is(m.pool.availableCount, 1)
  tunnel.stream.end('x')
  t.is((await readAll(tunnel.stream)).toString(), 'x')
})

test('at the connection limit the longest unused one makes room, and busy ones do not', async (t) => {
  await using m = await mesh({ maxConnections: 1 })
  const tunnel = await m.open()
  await t.throwsAsync(m.open({ sourceIp: ip('10.0.0.9') }), { code: 'ERR_HBONE_LIMIT' })
  const done = closed(tunnel.stream)
  tunnel.stream.end()
  tunnel.stream.resume()
  await done
  await m.open({ sourceIp: ip('10.0.0.9') })
  t.is(m.dialled.length, 2)
})

test('a waiter that gives up does not end the dial of others; when all give up, it ends', async (t) => {
  const released = Promise.withResolvers<void>()
  const aborts: AbortSignal[] = []
  await using server = await startServer({ certificate: () => serverCertificate, onRequest: echo })
  await using pool = newPool({
    certificate: () => Promise.resolve(serverCertificate),
    dial: async (to, signal) => {
      aborts.push(signal)
      await released.promise
      return await dial(to)
    },
  })
  const request = {
    source: SERVER,
    sourceIp: ip('10.0.0.1'),
    to: server.address,
    expected: [SERVER],
    authority: '10.0.0.2:80',
  }
  const impatient = new AbortController()
  const first = pool.open({ ...request, signal: impatient.signal })
  const second = pool.open(request)
  const alone = new AbortController()
  const third = pool.open({ ...request, sourceIp: ip('10.0.0.2'), signal: alone.signal })
  await turn()
  impatient.abort(new Error('gone'))
  alone.abort(new Error('gone too'))
  await t.throwsAsync(first, { message: 'gone' })
  await t.throwsAsync(third, { message: 'gone too' })
  t.deepEqual(
    aborts.map(({ aborted }) => aborted),
    [false, true],
  )
  released.resolve()
  await second
})

test('giving up while waiting for the answer resets the stream', async (t) => {
  const reset = Promise.withResolvers<number>()
  using server = await foreignServer(serverCertificate, {}, (h2) => {
    h2.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined)
      stream.on('close', () => reset.resolve(stream.rstCode))
    })
  })
  await using m = await mesh()
  const abort = new AbortController()
  const opening = m.open({ to: server.address, signal: abort.signal })
  await once(server.server, 'stream')
  abort.abort(new Error('enough'))
  await t.throwsAsync(opening, { message: 'enough' })
  t.is(await reset.promise, 8)
})

test('a refused stream is sent once more, on another connection', async (t) => {
  let seen = 0
  using server = await foreignServer(serverCertificate, {}, (h2) => {
    h2.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined)
      seen++
      if (seen === 1) stream.close(7)
      else stream.respond({ ':status': 200 })
    })
  })
  await using m = await mesh()
  const tunnel = await m.open({ to: server.address })
  t.is(tunnel.tls.version, 'TLSv1.3')
  t.is(m.dialled.length, 2)
})

test('a peer that answers no PING is dropped after 10 and 20 seconds', async (t) => {
  using server = await muteServer(serverCertificate)
  await using m = await mesh()
  const opening = t.throwsAsync(m.open({ to: server.address }), { code: 'ERR_HBONE_CONNECT' })
  await until(() => m.pool.connectionCount === 1)
  await m.clock.advance(29_999)
  t.is(m.pool.connectionCount, 1)
  await m.clock.advance(1)
  await opening
  await until(() => m.pool.connectionCount === 0)
})

test('a server that never completes the handshake is given up after ten seconds', async (t) => {
  const { server, address } = await listen((socket) => void socket.on('error', () => undefined).resume(), false)
  await using m = await mesh()
  const opening = m.open({ to: address })
  await until(() => m.clock.nextMs === 10_000)
  await m.clock.advance(10_000)
  await t.throwsAsync(opening, { code: 'ERR_HBONE_TLS', message: /did not complete within 10000 ms/ })
  server.close()
})

/** Passes bytes on and never an end: what a peer looks like whose host is gone without a word. */
async function vanishing(to: SocketAddress): Promise<{ address: SocketAddress; [Symbol.dispose](): void }> {
  const sockets: Socket[] = []
  const { server, address } = await listen((near) => {
    near.on('error', () => undefined)
    sockets.push(near)
    void dial(to).then((far) => {
      sockets.push(far)
      far.on('error', () => undefined)
      near.on('data', (bytes) => far.write(bytes))
      far.on('data', (bytes) => near.write(bytes))
    })
  }, true)
  return {
    address,
    [Symbol.dispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

test('the pool closes at once although a peer never ends its side', async (t) => {
  await using m = await mesh()
  using relay = await vanishing(m.server.address)
  const tunnel = await m.open({ to: relay.address })
  const done = closed(tunnel.stream)
  tunnel.stream.end()
  tunnel.stream.resume()
  await done
  await m.pool.close()
  t.is(m.pool.connectionCount, 0)
})

test('a connection that ends in order is destroyed when its peer never ends its side', async (t) => {
  await using m = await mesh({ idleReleaseMs: 1, intervalMs: 3_600_000 })
  using relay = await vanishing(m.server.address)
  const tunnel = await m.open({ to: relay.address })
  const done = closed(tunnel.stream)
  tunnel.stream.end()
  tunnel.stream.resume()
  await done
  await m.clock.advance(1)
  t.is(m.pool.availableCount, 0)
  const gone = closed(m.dialled[0] as Socket)
  await m.clock.advance(9_999)
  t.is(m.pool.connectionCount, 1)
  await m.clock.advance(1)
  await gone
  await until(() => m.pool.connectionCount === 0)
  t.pass()
})

test('after close nothing is opened', async (t) => {
  await using m = await mesh()
  const tunnel = await m.open()
  const done = closed(tunnel.stream)
  await m.pool.close()
  await done
  await t.throwsAsync(m.open(), { code: 'ERR_HBONE_CONNECT' })
})
