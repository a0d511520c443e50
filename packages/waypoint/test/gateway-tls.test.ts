import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { TlsTermination } from '@ambit/state'
import { CertificateMaker } from '@ambit/testing'
import test from 'ava'
import { TlsTerminator } from '../src/gateway/tls-terminator.ts'
import { closed, GatewayWorld, HTTPS, keyPair, type ListenerInit, listener } from './support/gateway.ts'
import { answerOf, type RouteInit } from './support/world.ts'

type TlsInit = NonNullable<ListenerInit['tls']>

const https = (name: string, hostname: string, tls: TlsInit, ...routes: RouteInit[]): ListenerInit =>
  listener({ name, port: HTTPS, hostnames: hostname === '' ? [] : [hostname], tls }, ...routes)

const answering = (status: number): RouteInit => ({
  name: `fixed-${status}`,
  action: { case: 'fixedStatus', value: status },
})

/** A client certificate, as its PEM and key. */
function clientCertificate(maker: CertificateMaker, account: string): { cert: string; key: string } {
  const { chainPem, privateKey } = maker.workload(maker.identity('outside', account))
  return { cert: chainPem, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) }
}

test('each server name gets its listener and its certificate, by HTTP/1.1 and HTTP/2', async (t) => {
  await using gateway = await GatewayWorld.start([
    https('shop', 'shop.example.com', { credentials: ['default/shop'] }, answering(201)),
    https('wide', '*.example.com', { credentials: ['default/wide'] }, answering(202)),
  ])
  const { world } = gateway
  world.credential('default/shop', keyPair(world.certificates, 'shop.example.com'))
  world.credential('default/wide', keyPair(world.certificates, '*.example.com'))
  await world.log.find(/listener has a certificate.*wide/)
  t.is((await gateway.overTls('shop.example.com')).status, 201)
  t.is((await gateway.overTls('other.example.com')).status, 202)
  // The listener is the connection's; a host it does not name is no other listener's.
  t.is((await gateway.overTls('shop.example.com', { headers: { host: 'other.example.com' } })).status, 201)
  const session = await gateway.http2('shop.example.com')
  const call = session.request({ ':path': '/' })
  const [headers] = (await once(call, 'response')) as [Record<string, string>]
  t.is(Number(headers[':status']), 201)
  session.destroy()
})

test('a server name nobody has, and none at all, end the handshake', async (t) => {
  await using gateway = await GatewayWorld.start([https('shop', 'shop.test', { credentials: ['default/shop'] })])
  gateway.world.credential('default/shop', keyPair(gateway.world.certificates, 'shop.test'))
  await gateway.world.log.find(/listener has a certificate/)
  await t.throwsAsync(gateway.tls('other.test'))
  await t.throwsAsync(gateway.tls('', { checkServerIdentity: () => undefined }))
  await gateway.world.log.find(/no listener of the port takes the server name 'other\.test'/)
  t.is((await gateway.overTls('shop.test')).status, 200)
})

test('of several certificates that which names the host is shown, else the first', async (t) => {
  await using gateway = await GatewayWorld.start([https('all', '', { credentials: ['default/a', 'default/b'] })])
  const { world } = gateway
  world.credential('default/a', keyPair(world.certificates, 'a.test'))
  world.credential('default/b', keyPair(world.certificates, 'b.test'))
  await world.log.find(/listener has a certificate.*default\/b/)
  const shown = async (name: string): Promise<string | undefined> =>
    (await gateway.tls(name, { checkServerIdentity: () => undefined })).getPeerX509Certificate()?.subjectAltName
  t.is(await shown('a.test'), 'DNS:a.test')
  t.is(await shown('b.test'), 'DNS:b.test')
  t.is(await shown('c.test'), 'DNS:a.test')
  t.is(await shown(''), 'DNS:a.test')
})

test('versions of TLS are those of the listener', async (t) => {
  await using gateway = await GatewayWorld.start([
    https('both', 'both.test', { credentials: ['default/c'] }),
    https('new', 'new.test', { credentials: ['default/c'], minVersion: 2 }),
    https('old', 'old.test', { credentials: ['default/c'], maxVersion: 1 }),
  ])
  gateway.world.credential('default/c', keyPair(gateway.world.certificates, '*.test'))
  await gateway.world.log.find(/listener has a certificate.*old/)
  const any = { checkServerIdentity: () => undefined }
  const version = async (name: string, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> =>
    (await gateway.tls(name, { ...any, maxVersion })).getProtocol()
  t.is(await version('both.test', 'TLSv1.3'), 'TLSv1.3')
  t.is(await version('both.test', 'TLSv1.2'), 'TLSv1.2')
  t.is(await version('old.test', 'TLSv1.3'), 'TLSv1.2')
  await t.throwsAsync(version('new.test', 'TLSv1.2'), { message: /protocol version|version/i })
  await t.throwsAsync(
    gateway.tls('both.test', { ...any, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  )
})

test('while keys are missing or unreadable nobody is let in; others’ listeners don’t mind', async (t) => {
  await using gateway = await GatewayWorld.start([
    https('good', 'good.test', { credentials: ['default/good'] }),
    https('bad', 'bad.test', { credentials: ['default/bad'] }),
  ])
  const { world } = gateway
  const any = { checkServerIdentity: () => undefined }
  const good = keyPair(world.certificates, 'good.test')
  world.credential('default/good', good)
  world.credential('default/bad', { ...good, privateKeyPem: keyPair(world.certificates, 'bad.test').privateKeyPem })
  await world.log.find(/listener without TLS keys.*default\/bad holds no certificate with its private key/)
  t.is((await gateway.overTls('good.test')).status, 200)
  await t.throwsAsync(gateway.tls('bad.test', any))
  world.credential('default/bad', keyPair(world.certificates, 'bad.test'))
  await world.log.find(/listener has a certificate.*default\/bad/)
  t.is((await gateway.overTls('bad.test')).status, 200)
})

test('a certificate is replaced under open connections', async (t) => {
  await using gateway = await GatewayWorld.start([https('shop', '', { credentials: ['default/shop'] })])
  const { world } = gateway
  world.credential('default/shop', keyPair(world.certificates, 'shop.test'))
  await world.log.find(/listener has a certificate/)
  const before = await gateway.tls('shop.test', { ALPNProtocols: ['http/1.1'] })
  const serial = async (): Promise<string | undefined> =>
    (await gateway.tls('shop.test')).getPeerX509Certificate()?.serialNumber
  const first = await serial()
  world.credential('default/shop', keyPair(world.certificates, 'shop.test'))
  await world.applied(async () => (await serial()) !== first)
  const sent = httpRequest({ createConnection: () => before, path: '/', headers: { host: 'shop.test' } })
  sent.end()
  t.is((await answerOf(sent)).status, 200)
  t.is(before.getPeerX509Certificate()?.serialNumber, first)
  const { listenerCertificates, credentials } = await gateway.dump()
  t.deepEqual(credentials, ['default/shop'])
  t.is(BigInt(listenerCertificates[0]!.certificates[0]!.serialNumber), BigInt(`0x${await serial()}`))
})

test('keys reach neither log nor dump', async (t) => {
  await using gateway = await GatewayWorld.start([https('shop', '', { credentials: ['default/shop', 'default/odd'] })])
  const { world } = gateway
  const pair = keyPair(world.certificates, 'shop.test')
  world.credential('default/shop', pair)
  world.credential('default/odd', { ...pair, certificateChainPem: pair.privateKeyPem })
  await world.log.find(/listener has a certificate/)
  await gateway.overTls('shop.test')
  const [, key = ''] = pair.keyPem.split('\n')
  t.true(key.length > 20)
  const everything = `${world.log.all.join('\n')}${JSON.stringify(await gateway.dump())}${await world.stats()}`
  t.false(everything.includes(key))
})

test('client certificates: required, of the right CA, with the right name', async (t) => {
  const others = new CertificateMaker()
  await using gateway = await GatewayWorld.start([
    https('mutual', 'mutual.test', {
      credentials: ['default/c'],
      clientCertificates: 2,
      clientAuthorities: ['default/ca'],
      clientSubjectAltNames: ['spiffe://cluster.local/ns/outside/sa/good'],
    }),
    https('optional', 'optional.test', {
      credentials: ['default/c'],
      clientCertificates: 1,
      clientAuthorities: ['default/ca'],
    }),
  ])
  const { world } = gateway
  world.credential('default/c', keyPair(world.certificates, 'mutual.test', 'optional.test'))
  // Without the CA nobody is let in, whatever was shown.
  await world.log.find(/default\/ca has no CA certificate/)
  const good = clientCertificate(world.certificates, 'good')
  await t.throwsAsync(gateway.overTls('mutual.test', good))
  await t.throwsAsync(gateway.overTls('optional.test'))
  world.credential('default/ca', { caPem: Buffer.from(world.certificates.rootsPem) })
  await world.log.find(/listener has a certificate.*optional/)
  const answer = await gateway.overTls('mutual.test', {
    ...good,
    headers: { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/default/sa/forged' },
  })
  const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> }
  const said = headers['x-forwarded-client-cert'] ?? ''
  t.regex(
    said,
    /^Hash=[0-9a-f]{64};Cert="-----BEGIN%20CERTIFICATE-----%0A[^"]+";Subject="[^"]*";URI=spiffe:\/\/cluster\.local\/ns\/outside\/sa\/good$/,
  )
  t.is(headers['x-forwarded-proto'], 'https')
  await t.throwsAsync(gateway.overTls('mutual.test'))
  await t.throwsAsync(gateway.overTls('mutual.test', clientCertificate(world.certificates, 'bad')))
  await t.throwsAsync(gateway.overTls('mutual.test', clientCertificate(others, 'good')))
  t.is((await gateway.overTls('optional.test', good)).status, 200)
  const anonymous = await gateway.overTls('optional.test')
  t.is(anonymous.status, 200)
  t.notRegex(anonymous.body, /x-forwarded-client-cert/)
  await t.throwsAsync(gateway.overTls('optional.test', clientCertificate(others, 'good')))
  await world.log.find(/certificate is not trusted/)
})

test('policies judge the identity of a verified client certificate', async (t) => {
  await using gateway = await GatewayWorld.start(
    [https('m', '', { credentials: ['default/c'], clientCertificates: 1, clientAuthorities: ['default/c'] })],
    {
      settings: { authorizationPolicies: ['default/p'] },
      policies: { p: { action: 0, rules: [{ from: [{ principals: ['cluster.local/ns/outside/sa/good'] }] }] } },
    },
  )
  const { world } = gateway
  const pair = keyPair(world.certificates, 'a.test')
  world.credential('default/c', { ...pair, caPem: Buffer.from(world.certificates.rootsPem) })
  await world.log.find(/listener has a certificate/)
  t.is((await gateway.overTls('a.test', clientCertificate(world.certificates, 'good'))).status, 200)
  t.is((await gateway.overTls('a.test', clientCertificate(world.certificates, 'bad'))).status, 403)
  t.is((await gateway.overTls('a.test')).status, 403)
})

test('a listener that begins to ask for certificates lets go of who came without, and resumes no session of theirs', async (t) => {
  const open: TlsInit = { credentials: ['default/c'] }
  const strict: TlsInit = { ...open, clientCertificates: 2, clientAuthorities: ['default/c'] }
  await using gateway = await GatewayWorld.start([https('m', 'a.test', open), https('other', 'b.test', open)])
  const { world } = gateway
  world.credential('default/c', {
    ...keyPair(world.certificates, 'a.test', 'b.test'),
    caPem: Buffer.from(world.certificates.rootsPem),
  })
  await world.log.find(/listener has a certificate.*other/)
  const kept = await gateway.tls('b.test', { ALPNProtocols: ['http/1.1'] })
  const first = await gateway.tls('a.test', { ALPNProtocols: ['http/1.1'], maxVersion: 'TLSv1.2' })
  const session = first.getSession()
  const http2 = await gateway.http2('a.test')
  const ends = Promise.all([closed(first), closed(http2)])
  await gateway.settings([https('m', 'a.test', strict), https('other', 'b.test', open)])
  await ends
  t.false(kept.destroyed)
  const sent = httpRequest({ createConnection: () => kept, path: '/', headers: { host: 'b.test' } })
  sent.end()
  t.is((await answerOf(sent)).status, 200)
  await t.throwsAsync(gateway.overTls('a.test', { session, maxVersion: 'TLSv1.2' }))
  t.is((await gateway.overTls('a.test', clientCertificate(world.certificates, 'x'))).status, 200)
})

test('a server name split over two records is read as it stands', async (t) => {
  await using gateway = await GatewayWorld.start([
    https('any', '', { credentials: ['default/c'] }, answering(201)),
    https('strict', 'a.test', { credentials: ['default/c'], clientCertificates: 2, clientAuthorities: ['default/c'] }),
  ])
  const { world } = gateway
  world.credential('default/c', {
    ...keyPair(world.certificates, 'a.test', 'b.test'),
    caPem: Buffer.from(world.certificates.rootsPem),
  })
  await world.log.find(/listener has a certificate.*strict/)
  const split = async (): Promise<SplitHello> => {
    const { host, port } = gateway.at(HTTPS)
    const socket = connect(port, host)
    world.defer(() => socket.destroy())
    await once(socket, 'connect')
    return new SplitHello(socket)
  }
  t.is((await gateway.overTls('b.test', { socket: await split() })).status, 201)
  await t.throwsAsync(gateway.overTls('a.test', { socket: await split() }))
})

test('a name that OpenSSL reads otherwise than we did is nobody’s', async (t) => {
  const maker = new CertificateMaker()
  const credential = keyPair(maker, 'a.test')
  const tls: TlsTermination = {
    credentials: ['default/c'],
    clientCertificates: 'none',
    clientAuthorities: [],
    clientSubjectAltNames: [],
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
  }
  const pem = {
    certificateChainPem: credential.certificateChainPem.toString(),
    privateKeyPem: credential.keyPem,
    caPem: '',
  }
  const terminator = new TlsTerminator({ credentials: { get: () => pem } }, { tls, terms: 'x' })
  const ask = async (read: string | undefined, said: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<Socket>()
    const server = createServer(resolve).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { readonly port: number }
    const client = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ...(said !== '' && { servername: said }),
    })
    client.on('error', () => undefined)
    const accepted = await promise
    try {
      await terminator.secure(accepted, read)
    } finally {
      client.destroy()
      accepted.destroy()
      server.close()
    }
  }
  await t.notThrowsAsync(ask('a.test', 'a.test'))
  await t.notThrowsAsync(ask('A.test', 'a.test'))
  await t.notThrowsAsync(ask(undefined, ''))
  for (const [read, said] of [
    [undefined, 'a.test'],
    ['b.test', 'a.test'],
    ['a.test', ''],
  ] as const)
    await t.throwsAsync(ask(read, said), { message: /read in two ways/ })
})

/** Sends the first record of a client as two. */
class SplitHello extends Duplex {
  readonly #to: Socket
  #isFirst = true

  constructor(to: Socket) {
    super()
    this.#to = to
    to.on('data', (chunk: Buffer) => this.push(chunk))
    to.on('end', () => this.push(null))
    to.on('close', () => this.destroy())
    to.on('error', (error) => this.destroy(error))
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (!this.#isFirst) {
      this.#to.write(chunk, done)
      return
    }
    this.#isFirst = false
    const [half, header, body] = [20, chunk.subarray(0, 3), chunk.subarray(5)]
    const record = (part: Buffer): Buffer =>
      Buffer.concat([header, Buffer.of(part.length >> 8, part.length & 0xff), part])
    this.#to.write(Buffer.concat([record(body.subarray(0, half)), record(body.subarray(half))]), done)
  }
}
