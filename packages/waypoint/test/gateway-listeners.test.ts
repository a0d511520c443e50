import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { Socket } from 'node:net'
import test from 'ava'
import { closed, GatewayWorld, HTTP, HTTPS, keyPair, listener, toService } from './support/gateway.ts'

/** Asks on a connection that is kept. */
async function ask(gateway: GatewayWorld, socket: Socket): Promise<string> {
  let text = ''
  const onData = (chunk: Buffer): void => {
    text += chunk.toString()
  }
  socket.on('data', onData)
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await gateway.world.applied(() => Promise.resolve(/\r\n\r\n[\s\S]*\}$|content-length: 0[\s\S]*\r\n\r\n$/.test(text)))
  socket.off('data', onData)
  return text
}

test('ports open and close with the settings; connections of others go on, and so do theirs', async (t) => {
  const second = 8081
  await using gateway = await GatewayWorld.start([listener(), listener({ name: 'two', port: second })])
  const kept = await gateway.connect(HTTP)
  const other = await gateway.connect(second)
  t.regex(await ask(gateway, kept), /^HTTP\/1\.1 200/)
  t.regex(await ask(gateway, other), /^HTTP\/1\.1 200/)
  const gone = gateway.at(second)
  await gateway.settings([listener(), listener({ name: 'three', port: 8082 })])
  await gateway.world.log.find(/port closed.*8081/)
  await gateway.world.log.find(/port opened.*8082/)
  t.regex(await ask(gateway, kept), /^HTTP\/1\.1 200/)
  t.is((await gateway.get('/', {}, 8082)).status, 200)
  await t.throwsAsync(fetch(`http://${gone.host}:${gone.port}/`))
  // What was open at the port that is gone is ended, without having been cut under a request.
  await closed(other)
  t.pass()
})

test('a request under way is answered when its listener goes, as the last of its connection', async (t) => {
  const release = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  const app = createServer((_request, response) => {
    arrived.resolve()
    void release.promise.then(() => response.end('{}'))
  })
  await using gateway = await GatewayWorld.start([listener()], { app })
  const kept = await gateway.connect()
  const asked = ask(gateway, kept)
  await arrived.promise
  await gateway.settings([])
  release.resolve()
  t.regex(await asked, /^HTTP\/1\.1 200[\s\S]*connection: close/)
  await closed(kept)
})

test('what does not end by itself when its listener goes is cut', async (t) => {
  const app = createServer()
  app.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  })
  await using gateway = await GatewayWorld.start([listener()], { app, overrides: { listenerDrainMs: 50 } })
  const kept = await gateway.connect()
  kept.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  const [head] = (await once(kept, 'data')) as [Buffer]
  t.regex(head.toString(), /^HTTP\/1\.1 101/)
  await gateway.settings([])
  await closed(kept)
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 0))
})

test('routes change for connections that are open', async (t) => {
  await using gateway = await GatewayWorld.start([listener()])
  const kept = await gateway.connect()
  t.regex(await ask(gateway, kept), /^HTTP\/1\.1 200/)
  const gone = { name: 'gone', action: { case: 'fixedStatus', value: 410 } } as const
  await gateway.settings([listener({}, gone)])
  t.regex(await ask(gateway, kept), /^HTTP\/1\.1 410/)
  await gateway.settings([listener({ hostnames: ['b.test'] })])
  t.regex(await ask(gateway, kept), /^HTTP\/1\.1 404/)
  await gateway.settings([listener({ httpsRedirect: true })])
  t.regex(await ask(gateway, kept), /^HTTP\/1\.1 301/)
})

test('a port that turns to TLS lets go of plain connections', async (t) => {
  await using gateway = await GatewayWorld.start([listener({ port: HTTPS })])
  const { world } = gateway
  world.credential('default/c', keyPair(world.certificates, 'a.test'))
  const kept = await gateway.connect(HTTPS)
  t.regex(await ask(gateway, kept), /^HTTP\/1\.1 200/)
  await gateway.settings([listener({ port: HTTPS, tls: { credentials: ['default/c'] } })])
  await closed(kept)
  await world.applied(async () => (await gateway.dump()).credentials.length === 1)
  await world.log.find(/listener has a certificate/)
  t.is((await gateway.overTls('a.test')).status, 200)
})

test('a gateway that is told to end answers what is under way and who still comes, then leaves', async (t) => {
  const release = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  const app = createServer((request, response) => {
    if (request.url !== '/slow') {
      response.end('quick')
      return
    }
    arrived.resolve()
    void release.promise.then(() => response.end('slow'))
  })
  await using gateway = await GatewayWorld.start([listener({}, toService('web'))], { app, minDrainMs: 300 })
  const idle = await gateway.connect()
  idle.resume()
  const kept = await gateway.connect()
  kept.resume()
  kept.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await once(kept, 'data')
  const slow = gateway.get('/slow')
  await arrived.promise
  const startedMs = performance.now()
  const drained = gateway.world.app.drain()
  const ready = await fetch(`http://127.0.0.1:${gateway.world.app.bound.readiness.port}/healthz/ready`)
  t.is(ready.status, 500)
  const late = await gateway.get('/')
  t.is(late.body, 'quick')
  t.is(late.headers.connection, 'close')
  const socket = await gateway.connect()
  const session = connectHttp2('http://a.test', { createConnection: () => socket })
  const call = session.request({ ':path': '/' })
  const [headers] = (await once(call, 'response')) as [Record<string, string>]
  t.is(Number(headers[':status']), 200)
  call.resume()
  await closed(session)
  release.resolve()
  t.is((await slow).body, 'slow')
  await drained
  t.true(performance.now() - startedMs < 15_000, 'long before the deadline of 20 s')
  await Promise.all([closed(idle), closed(kept)])
  await t.throwsAsync(gateway.get('/'))
})
