// Against Node's own HTTP/2 (nghttp2), both ways round, over an in-memory pipe.
import { once } from 'node:events'
import http2 from 'node:http2'
import { type Duplex, duplexPair } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { ERROR_CODE } from '../src/errors.ts'
import { Peer, type Stream } from './peer.ts'

/** Joins an end under test to a pipe: it writes what is due after each turn of events. */
function attach(peer: Peer, pipe: Duplex): () => void {
  const pump = (): void => {
    const bytes = peer.take()
    if (bytes.length > 0) pipe.write(bytes)
  }
  pipe.on('data', (chunk: Buffer) => {
    peer.connection.receive(chunk)
    pump()
  })
  pump()
  return pump
}

/** Writes all of a body as windows allow. */
function sendBody(peer: Peer, stream: Stream, body: Buffer): void {
  let at = 0
  const before = peer.whenWritable
  const more = (): void => {
    at += peer.connection.write(stream, body, at, body.length, true)
  }
  peer.whenWritable = (one) => (one === stream ? more() : before(one))
  more()
}

const flat = (headers: Readonly<Record<string, string>>): string[] => Object.entries(headers).flat()
const name = fc.stringMatching(/^x-[a-z0-9-]{1,20}$/)
// Visible characters and obs-text; a space is not at the ends.
const value = fc
  .string({
    unit: fc
      .integer({ min: 0x21, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 300,
  })
  .map((text) => text.trim())
const exchange = fc.record({
  request: fc.dictionary(name, value, { maxKeys: 12 }),
  response: fc.dictionary(name, value, { maxKeys: 12 }),
  ask: fc.integer({ min: 0, max: 200_000 }),
  answer: fc.integer({ min: 0, max: 200_000 }),
})

test('our client, Node’s server: any headers and bodies, many streams on one connection', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(exchange, { minLength: 1, maxLength: 8 }), async (exchanges) => {
      const [ours, theirs] = duplexPair()
      const session = http2.performServerHandshake(theirs, { settings: { initialWindowSize: 70_000 } })
      const seen: { headers: http2.IncomingHttpHeaders; body: string }[] = []
      session.on('stream', (stream, headers) => {
        const parts: Buffer[] = []
        stream.on('data', (part: Buffer) => parts.push(part))
        stream.on('end', () => {
          seen.push({ headers, body: Buffer.concat(parts).toString('latin1') })
          const { response, answer } = exchanges[Number(headers['x-nr'])] ?? { response: {}, answer: 0 }
          stream.respond({ ':status': 200, ...response })
          stream.end(Buffer.alloc(answer, 'answer'))
        })
      })
      const client = new Peer({ role: 'client', settings: { initialWindowBytes: 100_000 }, windowBytes: 200_000 })
      const pump = attach(client, ours)
      exchanges.forEach(({ request, ask }, i) => {
        const headers = {
          ':method': 'POST',
          ':scheme': 'http',
          ':authority': 'a',
          ':path': '/',
          ...request,
          'x-nr': String(i),
        }
        const stream = client.connection.request(flat(headers), false, undefined)
        if (stream !== undefined) sendBody(client, stream, Buffer.alloc(ask, 'ask'))
      })
      pump()
      while (client.ended.size < exchanges.length && client.failure === undefined) await once(ours, 'data')
      t.is(client.failure, undefined)
      exchanges.forEach(({ request, response, ask, answer }, i) => {
        const id = i * 2 + 1
        t.is(client.body(id).toString('latin1'), Buffer.alloc(answer, 'answer').toString('latin1'))
        const got = seen.find(({ headers }) => headers['x-nr'] === String(i))
        t.is(got?.body, Buffer.alloc(ask, 'ask').toString('latin1'))
        for (const [key, expected] of Object.entries(request)) t.is(got?.headers[key], expected)
        const list = client.headers.get(id)?.[0] ?? []
        for (const [key, expected] of Object.entries(response)) t.is(list[list.indexOf(key) + 1], expected)
      })
      session.destroy()
    }),
    { numRuns: 25 },
  )
})

test('Node’s client, our server: any headers and bodies, many streams on one connection', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(exchange, { minLength: 1, maxLength: 8 }), async (exchanges) => {
      const [ours, theirs] = duplexPair()
      const server = new Peer({ role: 'server', settings: { initialWindowBytes: 70_000 }, windowBytes: 150_000 })
      const pump = attach(server, ours)
      const session = http2.connect('http://a', { createConnection: () => theirs })
      const answers = exchanges.map(async ({ request, ask }, i) => {
        const stream = session.request({ ':method': 'POST', ':path': '/', ...request, 'x-nr': String(i) })
        stream.end(Buffer.alloc(ask, 'ask'))
        const headers = once(stream, 'response') as Promise<[http2.IncomingHttpHeaders]>
        const parts: Buffer[] = []
        stream.on('data', (part: Buffer) => parts.push(part))
        const [[head]] = await Promise.all([headers, once(stream, 'end')])
        return { head, body: Buffer.concat(parts).toString('latin1') }
      })
      const answered = new Set<number>()
      const look = (): void => {
        for (const id of server.ended) {
          if (answered.has(id)) continue
          answered.add(id)
          const list = server.headers.get(id)?.[0] ?? []
          const { response, answer } = exchanges[Number(list[list.indexOf('x-nr') + 1])] ?? { response: {}, answer: 0 }
          const stream = server.streams.get(id)
          if (stream === undefined) continue
          server.connection.respond(stream, [':status', '200', ...flat(response)], false)
          sendBody(server, stream, Buffer.alloc(answer, 'answer'))
        }
        pump()
      }
      ours.on('data', look)
      const got = await Promise.all(answers)
      got.forEach(({ head, body }, i) => {
        const { response, answer } = exchanges[i] ?? { response: {}, answer: 0 }
        t.is(body, Buffer.alloc(answer, 'answer').toString('latin1'))
        for (const [key, expected] of Object.entries(response)) t.is(head[key], expected)
      })
      for (const [id, [list]] of server.headers) {
        const { request, ask } = exchanges[Number(list?.[list.indexOf('x-nr') + 1])] ?? { request: {}, ask: -1 }
        t.is(server.body(id).length, ask)
        for (const [key, expected] of Object.entries(request)) t.is(list?.[(list?.indexOf(key) ?? 0) + 1], expected)
      }
      session.destroy()
    }),
    { numRuns: 25 },
  )
})

test('Node’s client: resets, pings, settings that change, and a drain are understood both ways', async (t) => {
  const [ours, theirs] = duplexPair()
  const server = new Peer({ role: 'server' })
  const pump = attach(server, ours)
  const session = http2.connect('http://a', { createConnection: () => theirs })
  const first = session.request({ ':method': 'CONNECT', ':authority': '10.0.0.1:80' })
  first.on('error', () => undefined)
  while (!server.streams.has(1)) await once(ours, 'data')
  await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))))
  session.settings({ initialWindowSize: 10 })
  first.close(http2.constants.NGHTTP2_CANCEL)
  while (!server.reset.has(1)) await once(ours, 'data')
  t.is(server.reset.get(1), ERROR_CODE.cancel)
  t.is(server.connection.peerSettings.initialWindowBytes, 10)
  const second = session.request({ ':method': 'CONNECT', ':authority': '10.0.0.1:80' })
  second.on('error', () => undefined)
  while (!server.streams.has(3)) await once(ours, 'data')
  const stream = server.streams.get(3)
  if (stream === undefined) throw new Error('no stream')
  t.is(server.connection.writable(stream), 10)
  server.connection.reset(stream, ERROR_CODE.cancel)
  const closed = once(second, 'close')
  pump()
  await closed
  t.is(second.rstCode, http2.constants.NGHTTP2_CANCEL)
  const goaway = once(session, 'goaway')
  server.connection.goaway(ERROR_CODE.noError)
  pump()
  t.is((await goaway)[0], 0)
  session.destroy()
})
