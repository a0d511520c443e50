import { once } from 'node:events'
import { connect as tlsConnect } from 'node:tls'
import test from 'ava'
import fc from 'fast-check'
import { readClientHello } from '../src/client-hello.ts'
import { listen } from './mesh.ts'

async function recordHello(options: object): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const { server, address } = await listen((socket) => socket.once('data', resolve), false)
  const client = tlsConnect({ host: address.ip, port: address.port, minVersion: 'TLSv1.3', ...options })
  client.on('error', () => undefined)
  const hello = await promise
  client.destroy()
  server.close()
  await once(server, 'close')
  return hello
}

test('groups, key shares and the server name are read from what OpenSSL sends', async (t) => {
  const bytes = await recordHello({ ecdhCurve: 'X25519MLKEM768:X25519:P-256', servername: 'example.com' })
  const reading = readClientHello(bytes)
  t.is(reading.kind, 'complete')
  const hello = reading.kind === 'complete' ? reading.hello : undefined
  t.is(hello?.serverName, 'example.com')
  t.deepEqual(hello?.groups, [4588, 29, 23])
  t.true(hello?.keyShares.includes(4588))
})

test('every shorter part of it is incomplete', async (t) => {
  const bytes = await recordHello({ ecdhCurve: 'X25519' })
  for (let length = 0; length < bytes.length; length++)
    t.is(readClientHello(bytes.subarray(0, length)).kind, 'incomplete')
})

test('what is not a handshake record is unreadable from its first byte', (t) => {
  t.is(readClientHello(Buffer.from('GET / HTTP/1.1\r\n')).kind, 'unreadable')
  t.is(readClientHello(Buffer.from([22, 3, 1, 0xff, 0xff])).kind, 'unreadable')
})

test('damaged and arbitrary bytes never throw', async (t) => {
  const bytes = await recordHello({})
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const changed = Buffer.from(bytes)
      changed[at] = value
      readClientHello(changed)
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(
      fc.uint8Array(),
      (random) => void readClientHello(Buffer.concat([Buffer.from([22, 3, 1, 0, random.length]), random])),
    ),
  )
  t.pass()
})
