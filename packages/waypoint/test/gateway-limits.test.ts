import { once } from 'node:events'
import test from 'ava'
import { GatewayWorld, HTTPS, keyPair, listener } from './support/gateway.ts'

test('connections beyond the limit are closed, and there is room again when one ends', async (t) => {
  await using gateway = await GatewayWorld.start([listener()], { overrides: { maxConnections: 2 } })
  const first = await gateway.connect()
  await gateway.connect()
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 2))
  const third = await gateway.connect()
  third.resume()
  await once(third, 'close')
  await gateway.world.log.find(/connection refused.*2 are open already/)
  first.destroy()
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 1))
  t.is((await gateway.get('/')).status, 200)
})

test('a client that does not finish its handshake is let go', async (t) => {
  const tls = { credentials: ['default/c'] }
  await using gateway = await GatewayWorld.start([listener({ port: HTTPS, tls })], {
    overrides: { tlsHandshakeTimeoutMs: 50 },
  })
  gateway.world.credential('default/c', keyPair(gateway.world.certificates, 'a.test'))
  for (const said of ['', '\u0016\u0003\u0001']) {
    const silent = await gateway.connect(HTTPS)
    silent.resume()
    silent.write(said)
    await once(silent, 'close')
  }
  const plain = await gateway.connect(HTTPS)
  plain.resume()
  plain.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await once(plain, 'close')
  await gateway.world.log.find(/the handshake did not complete within 50 ms/)
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 0))
  t.is((await gateway.overTls('a.test')).status, 200)
})
