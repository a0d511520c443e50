import test from 'ava'
import { closed, GatewayWorld, HTTPS, keyPair, listener } from './support/gateway.ts'

test('connections beyond the limit are closed, and there is room again when one ends', async (t) => {
  await using gateway = await GatewayWorld.start([listener()], { overrides: { maxConnections: 2 } })
  const first = await gateway.connect()
  await gateway.connect()
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 2))
  const third = await gateway.connect()
  third.resume()
  await closed(third)
  await gateway.world.log.find(/connections are refused.*2 are open already/)
  first.destroy()
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 1))
  t.is((await gateway.get('/')).status, 200)
})

test('a client that does not finish its handshake is let go', async (t) => {
  const tls = { credentials: ['default/c'] }
  await using gateway = await GatewayWorld.start([listener({ port: HTTPS, tls })], {
    overrides: { tlsHandshakeTimeoutMs: 1000 },
  })
  gateway.world.credential('default/c', keyPair(gateway.world.certificates, 'a.test'))
  const refused = ['', '\u0016\u0003\u0001', 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'].map(async (said) => {
    const client = await gateway.connect(HTTPS)
    client.resume()
    client.write(said)
    await closed(client)
  })
  await Promise.all(refused)
  await gateway.world.log.find(/the handshake did not complete within 1000 ms/)
  await gateway.world.applied(() => Promise.resolve(gateway.world.app.openTunnels === 0))
  t.is((await gateway.overTls('a.test')).status, 200)
})
