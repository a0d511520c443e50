import { once } from 'node:events'
import { connect as h2connect } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { ip, type SocketAddress, type SpiffeId } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import test from 'ava'
import { readClientHello } from '../src/client-hello.ts'
import { type HboneRequest, POST_QUANTUM_GROUPS } from '../src/index.ts'
import { secureContextOptions } from '../src/secure-context.ts'
import { ManualClock, turn } from './manual-clock.ts'
import {
  CLIENT,
  dial,
  echo,
  identity,
  listen,
  newPool,
  readAll,
  SERVER,
  startServer,
  TestCa,
  type TestServer,
  until,
} from './mesh.ts'
import { foreignServer } from './raw-peers.ts'

const ca = new TestCa()
const clientCertificate = ca.certify(CLIENT)
const serverCertificate = ca.certify(SERVER)

async function server(onRequest: (request: HboneRequest) => void = echo, options = {}): Promise<TestServer> {
  return await startServer({ certificate: () => serverCertificate, onRequest }, options)
}

function request(to: TestServer, expected: readonly SpiffeId[] = [SERVER]) {
  return { source: CLIENT, sourceIp: ip('127.0.0.1'), to: to.address, expected, authority: '10.0.0.1:80' }
}

/** A TLS client of the test's own making; resolves when it is closed or the server speaks HTTP/2. */
async function rawClient(
  to: TestServer,
  options: ConnectionOptions,
): Promise<{ tls: TLSSocket; outcome: 'spoke' | 'closed' }> {
  const tls = tlsConnect({
    host: to.address.ip,
    port: to.address.port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...options,
  })
  tls.on('error', () => undefined)
  const spoke = new Promise<'spoke'>((resolve) => tls.once('data', () => resolve('spoke')))
  const closed = new Promise<'closed'>((resolve) => tls.once('close', () => resolve('closed')))
  return { tls, outcome: await Promise.race([spoke, closed]) }
}

const good = secureContextOptions(clientCertificate)

test('a client of the mesh gets through with TLS 1.3 and h2', async (t) => {
  await using s = await server()
  const { tls, outcome } = await rawClient(s, good)
  t.is(outcome, 'spoke')
  t.is(tls.getProtocol(), 'TLSv1.3')
  t.is(tls.alpnProtocol, 'h2')
  tls.destroy()
})

const stranger = new TestCa().certify(CLIENT)
const { key: _key, cert: _cert, ...withoutCertificate } = good
for (const [name, options, message] of [
  ['no certificate', withoutCertificate, /peer did not return a certificate|hang up/],
  [
    'a certificate of another CA',
    secureContextOptions(stranger),
    /not trusted: (SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)/,
  ],
  [
    'an expired certificate',
    secureContextOptions(ca.certify(CLIENT, { ttlSeconds: 60, issuedAt: Date.now() - 120_000 })),
    /CERT_HAS_EXPIRED/,
  ],
  [
    'a certificate not yet valid',
    secureContextOptions(ca.certify(CLIENT, { issuedAt: Date.now() + 600_000 })),
    /CERT_NOT_YET_VALID/,
  ],
  [
    'another trust domain',
    secureContextOptions(ca.certify(identity('client', 'other.domain'))),
    /trust domain other.domain, not cluster.local/,
  ],
  [
    'TLS 1.2 at most',
    { ...good, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    /protocol|version/i,
  ],
  ['ChaCha20 only', { ...good, ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }, /cipher/],
  ['http/1.1 only', { ...good, ALPNProtocols: ['http/1.1'] }, /alpn|application protocol|no application/i],
  ['no ALPN', { ...good, ALPNProtocols: undefined }, /does not speak HTTP\/2/],
] as const) {
  test(`a client with ${name} is refused during the handshake`, async (t) => {
    const requests: HboneRequest[] = []
    await using s = await server((one) => requests.push(one))
    const { outcome } = await rawClient(s, options)
    t.is(outcome, 'closed')
    await until(() => s.tlsErrors.length > 0)
    t.regex(s.tlsErrors[0]?.message ?? '', message)
    t.deepEqual(requests, [])
    t.is(s.hbone.connectionCount, 0)
  })
}

test('a server name is ignored by the server, and none is sent by the client', async (t) => {
  await using s = await server()
  const { tls, outcome } = await rawClient(s, { ...good, servername: 'whatever.example' })
  t.is(outcome, 'spoke')
  tls.destroy()
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const spy = await listen((socket) => socket.once('data', (bytes: Buffer) => resolve(bytes)), false)
  await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
  const opening = pool.open({ ...request(s), to: spy.address })
  const reading = readClientHello(await promise)
  t.is(reading.kind === 'complete' ? reading.hello.serverName : 'unread', undefined)
  await pool.close()
  await t.throwsAsync(opening)
  spy.server.close()
})

for (const [name, certificate, expected, message] of [
  [
    'another identity',
    serverCertificate,
    [identity('other')],
    /identity mismatch: the server is .*sa\/server, expected .*sa\/other/,
  ],
  [
    'the same account in another trust domain',
    serverCertificate,
    [identity('server', 'other.domain')],
    /identity mismatch/,
  ],
  ['nobody expected', serverCertificate, [], /identity mismatch/],
  ['another CA', new TestCa().certify(SERVER), [SERVER], /self.signed|unable to|issuer|verify/i],
  [
    'an expired certificate',
    ca.certify(SERVER, { ttlSeconds: 60, issuedAt: Date.now() - 120_000 }),
    [SERVER],
    /expired/,
  ],
] as const) {
  test(`a server with ${name} is refused by the client`, async (t) => {
    await using s = await startServer({ certificate: () => certificate, onRequest: echo })
    await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
    await t.throwsAsync(pool.open(request(s, expected)), { code: 'ERR_HBONE_TLS', message })
    t.is(pool.connectionCount, 0)
  })
}

test('one of several expected identities is enough', async (t) => {
  await using s = await server()
  await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
  const tunnel = await pool.open(request(s, [identity('other'), SERVER]))
  t.deepEqual(tunnel.peer, SERVER)
})

test("without roots nobody is trusted, not even the system's", async (t) => {
  const rootless: WorkloadCertificate = { ...clientCertificate, roots: [], rootsPem: '' }
  await using s = await server()
  await using pool = newPool({ certificate: () => Promise.resolve(rootless) })
  await t.throwsAsync(pool.open(request(s)), { code: 'ERR_HBONE_TLS', message: /no root certificates/ })
})

const GROUPS = [
  'X25519MLKEM768',
  'X25519',
  'P-256',
  'P-384',
  'X25519:P-256',
  'P-256:X25519',
  'P-384:P-256',
  '*P-256:*X25519',
  '*P-384:X25519MLKEM768',
  'P-521:P-384',
  'P-521:X25519MLKEM768',
]
for (const groups of GROUPS) {
  test(`the server reports the key exchange that a client with ${groups} negotiates`, async (t) => {
    const seen = Promise.withResolvers<string>()
    await using s = await server((one) => {
      seen.resolve(one.tls.keyExchange)
      one.reject(503)
    })
    const tls = tlsConnect({
      ...good,
      host: s.address.ip,
      port: s.address.port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      ecdhCurve: groups,
    })
    await once(tls, 'secureConnect')
    const info = tls.getEphemeralKeyInfo() as { name?: string } | null
    const session = h2connect('https://x', { createConnection: () => tls })
    session.on('error', () => undefined)
    session.request({ ':method': 'CONNECT', ':authority': '10.0.0.1:80' }).on('error', () => undefined)
    const names: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384' }
    t.is(await seen.promise, names[info?.name ?? ''] ?? info?.name ?? 'none')
    session.destroy()
  })
}

test('with post-quantum groups only, peers with classical ones are refused, both ways', async (t) => {
  const keyExchangeGroups = POST_QUANTUM_GROUPS
  const components = { certificate: () => serverCertificate, onRequest: echo }
  await using strict = await startServer(components, { keyExchangeGroups })
  await using usual = await startServer(components)
  await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) }, { keyExchangeGroups })
  for (const s of [strict, usual]) {
    await using tunnel = await pool.open(request(s))
    t.is(tunnel.tls.keyExchange, 'X25519MLKEM768')
  }
  const { ip: host, port } = strict.address
  const classical = tlsConnect({ ...good, host, port, rejectUnauthorized: false, ecdhCurve: 'X25519:P-256' })
  await t.throwsAsync(once(classical, 'secureConnect'))
  using old = await foreignServer(serverCertificate, { ecdhCurve: 'X25519:P-256' }, () => undefined)
  await t.throwsAsync(pool.open({ ...request(strict), to: old.address }), { code: 'ERR_HBONE_TLS' })
})

test('a session is never resumed', async (t) => {
  await using s = await server()
  const tickets: Buffer[] = []
  const first = tlsConnect({
    ...good,
    host: s.address.ip,
    port: s.address.port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  })
  first.on('session', (session: Buffer) => tickets.push(session))
  first.on('data', () => undefined)
  await once(first, 'data')
  await turn()
  first.destroy()
  const [session] = tickets
  const second = tlsConnect({
    ...good,
    host: s.address.ip,
    port: s.address.port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...(session && { session }),
  })
  await once(second, 'secureConnect')
  t.false(second.isSessionReused())
  second.destroy()
})

test('after rotation open tunnels go on, and new connections show the new certificate', async (t) => {
  let current = serverCertificate
  await using s = await startServer({ certificate: () => current, onRequest: echo })
  const certificate = () => Promise.resolve(clientCertificate)
  await using before = newPool({ certificate })
  await using after = newPool({ certificate })
  const old = await before.open(request(s))
  current = ca.certify(SERVER)
  const fresh = await after.open(request(s))
  t.is(old.peerCertificate?.serialNumber, serverCertificate.leaf.serialNumber)
  t.is(fresh.peerCertificate?.serialNumber, current.leaf.serialNumber)
  for (const tunnel of [old, fresh]) {
    tunnel.stream.end('x')
    t.is((await readAll(tunnel.stream)).toString(), 'x')
  }
})

for (const [name, speak] of [
  ['says nothing', () => undefined],
  ['sends a part of its first flight', (socket: Socket) => socket.write(Buffer.from([22, 3, 1, 0x02, 0x00, 1]))],
  ['sends one byte', (socket: Socket) => socket.write(Buffer.from([22]))],
] as const) {
  test(`a client that ${name} is closed when the time for the handshake is over`, async (t) => {
    const clock = new ManualClock()
    await using s = await startServer({ certificate: () => serverCertificate, onRequest: echo, clock })
    const socket = await dial(s.address)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined).resume()
    speak(socket)
    await until(() => clock.nextMs !== undefined)
    await clock.advance(10_000)
    await closed
    t.regex(s.tlsErrors[0]?.message ?? '', /did not complete within 10000 ms/)
  })
}

test('handshakes beyond the limit are refused at once', async (t) => {
  await using s = await server(echo, { maxPendingHandshakes: 2 })
  const sockets = [silent(s.address, '127.0.0.1'), silent(s.address, '127.0.0.2'), silent(s.address, '127.0.0.3')]
  await until(() => s.tlsErrors.length > 0)
  t.regex(s.tlsErrors[0]?.message ?? '', /2 handshakes are under way/)
  for (const socket of sockets) socket.destroy()
})

test('one host cannot take the handshakes of all', async (t) => {
  await using s = await server(echo, { maxPendingHandshakes: 4 })
  const sockets = [silent(s.address, '127.0.0.2'), silent(s.address, '127.0.0.2')]
  await until(() => s.tlsErrors.length > 0)
  t.regex(s.tlsErrors[0]?.message ?? '', /1 handshakes of 127\.0\.0\.2 are under way/)
  await using pool = newPool({ certificate: () => Promise.resolve(clientCertificate) })
  await t.notThrowsAsync(pool.open(request(s)))
  for (const socket of sockets) socket.destroy()
})

/** A connection that never says a word, from an address of its own. */
function silent(to: SocketAddress, from: string): Socket {
  const socket = connect({ host: to.ip, port: to.port, localAddress: from })
  return socket.on('error', () => undefined).resume()
}

test('connections beyond the limit are refused at once', async (t) => {
  await using s = await server(echo, { maxConnections: 1 })
  const certificate = () => Promise.resolve(clientCertificate)
  await using first = newPool({ certificate })
  await using second = newPool({ certificate })
  await first.open(request(s))
  await t.throwsAsync(second.open(request(s)))
  t.is(s.hbone.connectionCount, 1)
})

test('bytes that are not TLS are refused', async (t) => {
  await using s = await server()
  const socket = await dial(s.address)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => undefined).resume()
  socket.write('GET / HTTP/1.1\r\n\r\n')
  await closed
  await until(() => s.tlsErrors.length > 0)
  t.pass()
})

test('a peer that closes during the handshake is not counted for ever', async (t) => {
  await using s = await server(echo, { maxPendingHandshakes: 1 })
  for (let i = 0; i < 3; i++) {
    const socket = await dial(s.address)
    socket.on('error', () => undefined)
    socket.resetAndDestroy()
    await until(() => s.tlsErrors.length > i)
  }
  t.true(s.tlsErrors.every((error) => !/under way/.test(error.message)))
})
