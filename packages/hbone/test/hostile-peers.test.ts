import { once } from 'node:events'
import { type ClientHttp2Session, constants, connect as h2connect, type ServerHttp2Stream } from 'node:http2'
import { createServer, connect as tlsConnect } from 'node:tls'
import { ip, type SocketAddress } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import type { HboneRequest } from '../src/index.ts'
import { MAX_CLIENT_HEADER_LIST_BYTES } from '../src/limits.ts'
import { secureContextOptions } from '../src/secure-context.ts'
import type { HboneServerComponents } from '../src/server.ts'
import { ManualClock } from './manual-clock.ts'
import { CLIENT, dial, echo, newPool, readAll, SERVER, startServer, TestCa, until } from './mesh.ts'
import { foreignServer, frame, PREFACE, rawTlsClient } from './raw-peers.ts'

const ca = new TestCa()
const clientCertificate = ca.certify(CLIENT)
const serverCertificate = ca.certify(SERVER)

/** A server of ours with one steady tunnel of a well-behaved client, which must survive whatever another one does. */
async function underAttack(onRequest: HboneServerComponents['onRequest'] = echo) {
  const server = await startServer({ certificate: () => serverCertificate, onRequest })
  const pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
  const tunnel = await pool.open({
    source: CLIENT,
    sourceIp: ip('127.0.0.1'),
    to: server.address,
    expected: [SERVER],
    authority: '10.0.0.1:80',
  })
  return {
    ...server,
    async steady(): Promise<string> {
      tunnel.stream.end('steady')
      return (await readAll(tunnel.stream)).toString()
    },
    async [Symbol.asyncDispose]() {
      await pool.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

async function attacker(to: SocketAddress, options: object = {}): Promise<ClientHttp2Session> {
  const tls = await rawTlsClient(to, clientCertificate)
  const session = h2connect('https://x', { createConnection: () => tls, ...options })
  session.on('error', () => undefined)
  await once(session, 'remoteSettings')
  return session
}

test('random bytes after the handshake end that connection only', async (t) => {
  await using s = await underAttack()
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.uint8Array({ minLength: 1, maxLength: 2000 }), async (preface, bytes) => {
      const tls = await rawTlsClient(s.address, clientCertificate)
      const closed = new Promise((resolve) => tls.once('close', resolve))
      tls.resume()
      tls.end(preface ? Buffer.concat([PREFACE, frame(4, 0, 0), bytes]) : bytes)
      await closed
    }),
    { numRuns: 60 },
  )
  await until(() => s.hbone.connectionCount === 1)
  t.is(await s.steady(), 'steady')
})

test('random frames end that connection only', async (t) => {
  await using s = await underAttack()
  const anyFrame = fc
    .tuple(fc.nat(12), fc.nat(255), fc.nat(9), fc.uint8Array({ maxLength: 64 }))
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload))
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { maxLength: 20 }), async (frames) => {
      const tls = await rawTlsClient(s.address, clientCertificate)
      const closed = new Promise((resolve) => tls.once('close', resolve))
      tls.resume()
      tls.end(Buffer.concat([PREFACE, frame(4, 0, 0), ...frames]))
      await closed
    }),
    { numRuns: 60 },
  )
  await until(() => s.hbone.connectionCount === 1)
  t.is(await s.steady(), 'steady')
})

test('random bytes from a server fail the request, never the process', async (t) => {
  let bytes: Uint8Array = Buffer.alloc(0)
  const server = createServer(
    { ...secureContextOptions(serverCertificate), requestCert: true, ALPNProtocols: ['h2'] },
    (socket) => {
      socket.on('error', () => undefined).resume()
      socket.end(bytes)
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.uint8Array({ maxLength: 500 }), async (settings, random) => {
      bytes = settings ? Buffer.concat([frame(4, 0, 0), random]) : random
      await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
      const request = {
        source: CLIENT,
        sourceIp: ip('127.0.0.1'),
        to: { ip: ip('127.0.0.1'), port },
        expected: [SERVER],
        authority: 'a:1',
      }
      await t.throwsAsync(pool.open(request))
    }),
    { numRuns: 40 },
  )
  server.close()
  t.pass()
})

test('a method other than CONNECT arrives as such', async (t) => {
  const { promise, resolve } = Promise.withResolvers<HboneRequest>()
  await using s = await startServer({
    certificate: () => serverCertificate,
    onRequest: (request) => {
      resolve(request)
      request.reject(400)
    },
  })
  const session = await attacker(s.address)
  const stream = session.request({ ':method': 'GET', ':path': '/', ':scheme': 'https', ':authority': 'x' })
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  t.is(headers[':status'], 400)
  t.is((await promise).method, 'GET')
  t.false((await promise).isPlainConnect)
  session.destroy()
})

for (const [name, headers] of [
  [
    'extended CONNECT',
    { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':path': '/', ':authority': 'x:1' },
  ],
  ['CONNECT with a path', { ':method': 'CONNECT', ':path': '/', ':scheme': 'https', ':authority': 'x:1' }],
] as const) {
  test(`${name} is never taken for plain CONNECT`, async (t) => {
    const plain: boolean[] = []
    await using s = await startServer({
      certificate: () => serverCertificate,
      onRequest: (request) => {
        plain.push(request.isPlainConnect)
        request.reject(400)
      },
    })
    const tls = await rawTlsClient(s.address, clientCertificate)
    tls.resume()
    // Node's client refuses to send this, so the header block is written by hand: literals without indexing (RFC 7541 §6.2.2).
    const literal = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
    const block = Object.entries(headers).map(([key, value]) =>
      Buffer.concat([Buffer.from([0]), literal(key), literal(value)]),
    )
    tls.write(Buffer.concat([PREFACE, frame(4, 0, 0), frame(1, 0x4, 1, Buffer.concat(block))]))
    // The answer to a PING says that what came before it was handled.
    tls.end(frame(6, 0, 0, Buffer.alloc(8)))
    await new Promise((resolve) => tls.once('close', resolve))
    t.false(plain.includes(true))
  })
}

test('oversized headers are refused, and the server goes on', async (t) => {
  const requests: HboneRequest[] = []
  await using s = await underAttack((request) => {
    requests.push(request)
    echo(request)
  })
  const session = await attacker(s.address, { maxSendHeaderBlockLength: 1 << 20 })
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'x:1', big: 'x'.repeat(100_000) })
  stream.on('error', () => undefined)
  await new Promise((resolve) => stream.once('close', resolve))
  session.destroy()
  t.is(requests.length, 1)
  t.is(await s.steady(), 'steady')
})

test('an answer with oversized headers fails the request, and the client goes on', async (t) => {
  let big = false
  using server = await foreignServer(serverCertificate, { maxSendHeaderBlockLength: 1 << 20 }, (h2) => {
    h2.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined)
      stream.respond({ ':status': 200, ...(big ? { big: 'x'.repeat(MAX_CLIENT_HEADER_LIST_BYTES) } : {}) })
    })
  })
  await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
  const request = {
    source: CLIENT,
    sourceIp: ip('127.0.0.1'),
    to: server.address,
    expected: [SERVER],
    authority: 'a:1',
  }
  // The limit holds once the server has acknowledged it, which it has before its first answer.
  await using _before = await pool.open(request)
  big = true
  await t.throwsAsync(pool.open(request))
  big = false
  await using after = await pool.open(request)
  t.is(pool.connectionCount, 1)
  t.is(after.peer.serviceAccount, SERVER.serviceAccount)
})

test('streams beyond 200 at once are refused, the others stay', async (t) => {
  await using s = await underAttack((request) => void request.accept())
  const session = await attacker(s.address, { peerMaxConcurrentStreams: 1000 })
  t.is(session.remoteSettings.maxConcurrentStreams, 200)
  session.destroy()
})

test('20,000 resets in a row cost bounded memory and leave other connections alone', async (t) => {
  let open = 0
  await using s = await underAttack((request) => {
    open++
    request.signal.addEventListener('abort', () => open--)
    echo(request)
  })
  const session = await attacker(s.address)
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  for (let round = 0; round < 200 && !session.destroyed; round++) {
    const streams = Array.from({ length: 100 }, () => session.request({ ':method': 'CONNECT', ':authority': 'x:1' }))
    await Promise.all(
      streams.map((stream) => {
        stream.on('error', () => undefined)
        const closed = new Promise((resolve) => stream.once('close', resolve))
        stream.close(8)
        return closed
      }),
    )
  }
  t.true(process.memoryUsage().rss - before < 200 << 20)
  session.destroy()
  await until(() => open <= 1)
  t.is(await s.steady(), 'steady')
})

for (const [name, flood] of [
  ['PING', frame(6, 0, 0, Buffer.alloc(8))],
  ['SETTINGS', frame(4, 0, 0)],
  ['empty DATA', frame(0, 0, 1)],
  ['PRIORITY', frame(2, 0, 3, Buffer.from([0, 0, 0, 0, 1]))],
  ['WINDOW_UPDATE', frame(8, 0, 0, Buffer.from([0, 0, 0, 1]))],
] as const) {
  test(`a flood of ${name} frames from a client that never reads costs bounded memory`, async (t) => {
    await using s = await underAttack()
    const tls = await rawTlsClient(s.address, clientCertificate)
    tls.pause()
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    tls.write(Buffer.concat([PREFACE, frame(4, 0, 0)]))
    const block = Buffer.concat(Array.from({ length: 5000 }, () => flood))
    for (let i = 0; i < 20 && !tls.destroyed; i++) {
      tls.write(block)
      await new Promise((resolve) => setImmediate(resolve))
    }
    t.is(await s.steady(), 'steady')
    t.true(process.memoryUsage().rss - before < 200 << 20)
    tls.destroy()
  })
}

test('a client that answers no PING is dropped', async (t) => {
  const clock = new ManualClock()
  await using s = await startServer({ certificate: () => serverCertificate, onRequest: echo, clock })
  const tls = await rawTlsClient(s.address, clientCertificate)
  const closed = new Promise((resolve) => tls.once('close', resolve))
  tls.resume()
  tls.write(Buffer.concat([PREFACE, frame(4, 0, 0)]))
  await until(() => s.hbone.connectionCount === 1)
  await clock.advance(30_000)
  await closed
  await until(() => s.hbone.connectionCount === 0)
  t.pass()
})

test('a server that answers CONNECT with garbage status fails the request', async (t) => {
  using server = await foreignServer(serverCertificate, {}, (h2) => {
    h2.on('stream', (stream: ServerHttp2Stream) => stream.respond({ ':status': 204 }, { endStream: true }))
  })
  await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
  const request = {
    source: CLIENT,
    sourceIp: ip('127.0.0.1'),
    to: server.address,
    expected: [SERVER],
    authority: 'a:1',
  }
  await t.throwsAsync(pool.open(request), { code: 'ERR_HBONE_STATUS' })
})

test('peers that leave at any moment of the handshake leave nothing behind', async (t) => {
  await using s = await underAttack()
  await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const socket = await dial(s.address)
      const tls = tlsConnect({
        ...secureContextOptions(clientCertificate),
        socket,
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
      })
      tls.on('error', () => undefined)
      const leave = (): void => {
        socket.resetAndDestroy()
      }
      if (index % 4 === 0) setImmediate(leave)
      else if (index % 4 === 1) tls.once('secureConnect', leave)
      else if (index % 4 === 2) tls.once('secureConnect', () => tls.write(PREFACE.subarray(0, index), leave))
      else tls.once('data', leave)
      await new Promise((resolve) => socket.once('close', resolve))
    }),
  )
  await until(() => s.hbone.connectionCount === 1)
  t.is(await s.steady(), 'steady')
})

test('a handler that throws answers 503 and harms nobody else', async (t) => {
  let broken = false
  await using s = await underAttack((request) => {
    if (broken) throw new Error('bug')
    echo(request)
  })
  broken = true
  const session = await attacker(s.address)
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'x:1' })
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  t.is(headers[':status'], 503)
  session.destroy()
  t.is(await s.steady(), 'steady')
})

test('a handler that fails later answers 503 and harms nobody else', async (t) => {
  let broken = false
  await using s = await underAttack(async (request) => {
    await Promise.resolve()
    if (broken) throw new Error('bug')
    echo(request)
  })
  broken = true
  const session = await attacker(s.address)
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'x:1' })
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  t.is(headers[':status'], 503)
  session.destroy()
  t.is(await s.steady(), 'steady')
})

test('a handler that fails after it accepted has its tunnel reset', async (t) => {
  let broken = false
  await using s = await underAttack((request) => {
    if (!broken) echo(request)
    else {
      request.accept()
      throw new Error('bug')
    }
  })
  broken = true
  const session = await attacker(s.address)
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'x:1' })
  stream.on('error', () => undefined)
  await once(stream, 'close')
  t.is(stream.rstCode, constants.NGHTTP2_CANCEL)
  session.destroy()
  t.is(await s.steady(), 'steady')
})

test('what is told of failed handshakes may fail itself', async (t) => {
  let told = 0
  await using s = await startServer(
    {
      certificate: () => serverCertificate,
      onRequest: echo,
      onTlsError: () => {
        told++
        throw new Error('bug')
      },
    },
    { maxPendingHandshakes: 1 },
  )
  // The first is in its handshake, the second is one too many: one callback at accept, one after it.
  const first = await dial(s.address)
  const second = await dial(s.address)
  await once(second, 'close')
  first.end('not TLS')
  first.on('error', () => undefined)
  await once(first, 'close')
  await until(() => told === 2)
  t.is(told, 2)
})

test('draining sends GOAWAY with the highest id, then with the last id served', async (t) => {
  await using s = await startServer({ certificate: () => serverCertificate, onRequest: echo })
  const tls = await rawTlsClient(s.address, clientCertificate)
  const goaways: number[] = []
  let bytes = Buffer.alloc(0)
  tls.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const length = bytes.readUIntBE(0, 3)
      const [type, flags] = [bytes.readUInt8(3), bytes.readUInt8(4)]
      const payload = bytes.subarray(9, 9 + length)
      if (type === 7) goaways.push(payload.readUInt32BE(0))
      // Node ends no session whose SETTINGS are unanswered.
      if (type === 4 && flags === 0) tls.write(frame(4, 1, 0))
      if (type === 6 && flags === 0) tls.write(frame(6, 1, 0, payload))
      bytes = bytes.subarray(9 + length)
    }
  })
  tls.write(Buffer.concat([PREFACE, frame(4, 0, 0)]))
  await until(() => s.hbone.connectionCount === 1)
  await s.hbone.drain(60_000)
  t.deepEqual(goaways.slice(0, 2), [0x7fffffff, 0])
})

test('a drain is over at its deadline, whatever peers do', async (t) => {
  const clock = new ManualClock()
  await using s = await startServer({ certificate: () => serverCertificate, onRequest: echo, clock })
  await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
  const request = { source: CLIENT, sourceIp: ip('127.0.0.1'), to: s.address, expected: [SERVER], authority: 'a:1' }
  const tunnel = await pool.open(request)
  const closed = new Promise((resolve) => tunnel.stream.once('close', resolve))
  const drained = s.hbone.drain(5000)
  await clock.advance(4999)
  t.is(s.hbone.connectionCount, 1)
  await clock.advance(1)
  await Promise.all([drained, closed])
  t.is(s.hbone.connectionCount, 0)
})
