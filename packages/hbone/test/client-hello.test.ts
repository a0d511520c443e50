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

/** The same message in records of other sizes. */
function inRecords(hello: Buffer, sizes: readonly number[]): Buffer {
  const header = hello.subarray(0, 3)
  let rest = hello.subarray(5)
  const records: Buffer[] = []
  for (const size of [...sizes, rest.length]) {
    const part = rest.subarray(0, size)
    rest = rest.subarray(size)
    if (part.length > 0) records.push(header, Buffer.of(part.length >> 8, part.length & 0xff), part)
  }
  return Buffer.concat(records)
}

test('in however many records it comes, it says the same; in too many, nothing', async (t) => {
  const bytes = await recordHello({ servername: 'example.com' })
  const whole = readClientHello(bytes)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 15 }), (sizes) => {
      const split = inRecords(bytes, sizes)
      t.deepEqual(readClientHello(split), whole)
      t.is(readClientHello(split.subarray(0, -1)).kind, 'incomplete')
    }),
    { numRuns: 50 },
  )
  t.is(readClientHello(inRecords(bytes, Array(16).fill(1) as number[])).kind, 'unreadable')
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
