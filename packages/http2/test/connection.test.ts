import test from 'ava'
import fc from 'fast-check'
import { ERROR_CODE } from '../src/errors.ts'
import { Peer, settle } from './peer.ts'

const REQUEST = [':method', 'POST', ':scheme', 'https', ':authority', 'a', ':path', '/']
const TUNNEL = [':method', 'CONNECT', ':authority', '10.0.0.1:80']
const OK = [':status', '200']

function pair(server: Partial<ConstructorParameters<typeof Peer>[0]> = {}, client: typeof server = {}): [Peer, Peer] {
  const [a, b] = [new Peer({ role: 'client', ...client }), new Peer({ role: 'server', ...server })]
  settle(a, b)
  return [a, b]
}

/** Sends bytes as windows allow; what is left goes when `onWritable` comes. */
function sendAll(peer: Peer, id: number, bytes: Buffer, isEnd: boolean): void {
  const stream = [...peer.connection.streams].find((one) => one.id === id)
  if (stream === undefined) return
  let at = 0
  const more = (): void => {
    at += peer.connection.write(stream, bytes, at, bytes.length, isEnd)
  }
  const before = peer.whenWritable
  peer.whenWritable = (one) => (one === stream ? more() : before(one))
  more()
}

test('a request and its answer, with bodies and trailers', (t) => {
  const [client, server] = pair()
  server.onStream = (stream) => server.connection.respond(stream, OK, false)
  const stream = client.connection.request(REQUEST, false, undefined)
  sendAll(client, 1, Buffer.from('ask'), true)
  settle(client, server)
  t.is(server.body(1).toString(), 'ask')
  const served = server.streams.get(1)
  if (served === undefined || stream === undefined) throw new Error('no stream')
  sendAll(server, 1, Buffer.from('answer'), false)
  server.connection.respond(served, ['x-trailer', 'yes'], true)
  settle(client, server)
  t.is(client.body(1).toString(), 'answer')
  t.deepEqual(client.headers.get(1), [OK, ['x-trailer', 'yes']])
  t.true(client.ended.has(1) && server.ended.has(1) && stream.closed && served.closed)
  t.is(client.connection.streamCount + server.connection.streamCount, 0)
})

test('whatever the windows and however the bytes are cut, each stream carries what was sent, in order', (t) => {
  const shape = fc.record({
    bodies: fc.array(fc.integer({ min: 0, max: 200_000 }), { minLength: 1, maxLength: 5 }),
    window: fc.integer({ min: 1_000, max: 200_000 }),
    connectionWindow: fc.integer({ min: 65_535, max: 300_000 }),
    frame: fc.integer({ min: 16_384, max: 100_000 }),
    cuts: fc.array(fc.integer({ min: 7, max: 40_000 }), { minLength: 1, maxLength: 6 }),
  })
  fc.assert(
    fc.property(shape, ({ bodies, window, connectionWindow, frame, cuts }) => {
      const options = { windowBytes: connectionWindow, settings: { initialWindowBytes: window, maxFrameBytes: frame } }
      const [client, server] = pair(options, options)
      server.onStream = (stream) => server.connection.respond(stream, OK, false)
      const contents = bodies.map((length, i) => Buffer.alloc(length, `${i}-abcdefgh`))
      contents.forEach((content, i) => {
        client.connection.request(TUNNEL, false, undefined)
        sendAll(client, i * 2 + 1, content, true)
      })
      let turn = 0
      const cut = (bytes: Buffer): Buffer[] => {
        const parts: Buffer[] = []
        for (let at = 0; at < bytes.length; ) {
          const end = at + (cuts[turn++ % cuts.length] ?? 1)
          parts.push(bytes.subarray(at, end))
          at = end
        }
        return parts
      }
      settle(client, server, cut)
      contents.forEach((content, i) => sendAll(server, i * 2 + 1, content, true))
      settle(client, server, cut)
      t.is(client.failure ?? server.failure, undefined)
      contents.forEach((content, i) => {
        t.true(server.body(i * 2 + 1).equals(content))
        t.true(client.body(i * 2 + 1).equals(content))
      })
      t.is(client.connection.streamCount + server.connection.streamCount, 0)
    }),
    { numRuns: 40 },
  )
})

test('a stream that nobody reads holds up neither the connection nor its memory', (t) => {
  const [client, server] = pair({ consumes: false, windowBytes: 200_000 })
  client.connection.request(TUNNEL, false, undefined)
  sendAll(client, 1, Buffer.alloc(1_000_000), true)
  client.connection.request(TUNNEL, false, undefined)
  sendAll(client, 3, Buffer.alloc(1_000_000), true)
  settle(client, server)
  t.is(server.body(1).length, 65_535, 'its window, no more')
  t.is(server.body(3).length, 65_535)
  const first = server.streams.get(1)
  if (first === undefined) throw new Error('no stream')
  server.connection.reset(first, ERROR_CODE.cancel)
  settle(client, server)
  t.is(client.reset.get(1), ERROR_CODE.cancel)
  // The bytes of the reset stream went back to the window of the connection.
  client.connection.request(TUNNEL, false, undefined)
  sendAll(client, 5, Buffer.alloc(60_000), true)
  settle(client, server)
  t.is(server.body(5).length, 60_000)
})

test('a drain in two steps: what is on its way is served, later ones are told they were not begun', (t) => {
  const [client, server] = pair()
  client.connection.request(TUNNEL, false, undefined)
  settle(client, server)
  server.connection.goaway(ERROR_CODE.noError)
  client.connection.request(TUNNEL, false, undefined)
  settle(client, server)
  t.true(server.streams.has(3))
  t.false(client.connection.canOpen)
  t.is(client.connection.request(TUNNEL, false, undefined), undefined)
  server.connection.goaway(ERROR_CODE.noError, 1)
  settle(client, server)
  t.is(client.reset.get(3), ERROR_CODE.refusedStream)
  t.is(client.reset.get(1), undefined)
})

test('a PING comes back with its number', (t) => {
  const [client, server] = pair()
  client.connection.ping(4_000_000_000)
  settle(client, server)
  t.true(client.log.includes('pong 4000000000'))
})

test('more streams than allowed are refused, and their place comes back', (t) => {
  const [client, server] = pair({ settings: { maxConcurrentStreams: 1 } })
  client.connection.request(TUNNEL, false, undefined)
  client.connection.request(TUNNEL, false, undefined)
  settle(client, server)
  t.is(client.reset.get(3), ERROR_CODE.refusedStream)
  const [first] = [...client.connection.streams]
  if (first === undefined) throw new Error('no stream')
  client.connection.reset(first, ERROR_CODE.cancel)
  client.connection.request(TUNNEL, false, undefined)
  settle(client, server)
  t.true(server.streams.has(5))
  t.is(client.reset.get(5), undefined)
})

test('unread streams that hold most of the connection’s window do not stop the others for good', (t) => {
  const [client, server] = pair({ consumes: false, windowBytes: 262_144 })
  for (const id of [1, 3, 5]) {
    client.connection.request(TUNNEL, false, undefined)
    sendAll(client, id, Buffer.alloc(100_000), true)
  }
  client.connection.request(TUNNEL, false, undefined)
  sendAll(client, 7, Buffer.alloc(500_000), true)
  // Only the last is read, a little at a time.
  for (let turn = 0; turn < 200 && !server.ended.has(7); turn++) {
    settle(client, server)
    const stream = server.streams.get(7)
    if (stream !== undefined) server.connection.consume(stream, 10_000)
  }
  t.is(server.body(7).length, 500_000)
})
