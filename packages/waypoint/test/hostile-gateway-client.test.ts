import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { closed, GatewayWorld, HTTP, HTTPS, keyPair, listener } from './support/gateway.ts'

const tls = { credentials: ['default/c'] }

async function start(): Promise<GatewayWorld> {
  const gateway = await GatewayWorld.start([listener(), listener({ name: 'https', port: HTTPS, tls })], {
    overrides: { tlsHandshakeTimeoutMs: 2000, headersTimeoutMs: 200 },
  })
  gateway.world.credential('default/c', keyPair(gateway.world.certificates, 'a.test'))
  await gateway.world.log.find(/listener has a certificate/)
  return gateway
}

/** Says it, and goes without a word of farewell. */
async function say(socket: Socket, bytes: Uint8Array): Promise<void> {
  socket.resume()
  await new Promise<void>((resolve) => void socket.write(bytes, () => resolve()))
  socket.resetAndDestroy()
}

test('whatever clients say, and however they leave, others are served and nothing stays open', async (t) => {
  await using gateway = await start()
  const beginning = fc.constantFrom(
    '',
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\u0016\u0003\u0001\u0000\u0020\u0001',
    '\u0016\u0003\u0001\u00ff\u00ff',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(HTTP, HTTPS),
      beginning,
      fc.uint8Array({ maxLength: 200 }),
      async (port, text, bytes) => {
        await say(await gateway.connect(port), Buffer.concat([Buffer.from(text, 'latin1'), bytes]))
      },
    ),
    { numRuns: 150 },
  )
  t.is((await gateway.get('/')).status, 200)
  t.is((await gateway.overTls('a.test')).status, 200)
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 0))
})

test('a first flight of TLS that never ends is not kept', async (t) => {
  await using gateway = await start()
  const socket = await gateway.connect(HTTPS)
  socket.resume()
  const isClosed = closed(socket)
  socket.write(Buffer.from([0x16, 3, 1, 0x3f, 0xff]))
  for (let sent = 0; sent < 64 && !socket.destroyed; sent++) socket.write(randomBytes(1024))
  await isClosed
  t.is((await gateway.overTls('a.test')).status, 200)
})

test('clients that leave in the middle of a handshake, or right after, leave nothing', async (t) => {
  await using gateway = await start()
  for (let round = 0; round < 20; round++) {
    const socket = await gateway.tls('a.test', { ALPNProtocols: [round % 2 === 0 ? 'h2' : 'http/1.1'] })
    if (round % 3 === 0) socket.write('GET / HTTP/1.1\r\n')
    socket.destroy()
  }
  t.is((await gateway.overTls('a.test')).status, 200)
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 0))
})

test('HTTP/2 without its ALPN and HTTP/1.1 with that of HTTP/2', async (t) => {
  await using gateway = await start()
  const odd = await gateway.tls('a.test', { ALPNProtocols: ['h2'] })
  odd.resume()
  const isClosed = closed(odd)
  odd.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await isClosed
  const unknown = gateway.tls('a.test', { ALPNProtocols: ['spdy/3'] })
  await t.throwsAsync(unknown)
  const none = await gateway.tls('a.test')
  none.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
  const chunks: Buffer[] = []
  for await (const chunk of none) chunks.push(chunk as Buffer)
  t.regex(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 200/)
})
