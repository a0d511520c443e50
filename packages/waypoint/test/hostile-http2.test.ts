import { once } from 'node:events'
import { createServer } from 'node:http'
import { constants, type IncomingHttpHeaders } from 'node:http2'
import { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '@ambit/core'
import test, { type ExecutionContext } from 'ava'
import type { Exchange } from '../src/http/exchange.types.ts'
import { Http2Front } from '../src/http/http2-front.ts'
import { RequestBody } from '../src/http/request-body.ts'
import { World } from './support/world.ts'

setFlagsFromString('--expose-gc')

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const CONTINUATION = 9
const DATA = 0
const END_HEADERS = 4
const END_STREAM = 1

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** `GET / http web` in HPACK: static table, and a literal authority. */
const GET = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 0x03]), Buffer.from('web')])
const POST = Buffer.concat([Buffer.from([0x83, 0x86, 0x84, 0x41, 0x03]), Buffer.from('web')])

const FLOODS: Readonly<Record<string, (write: (bytes: Buffer) => boolean) => Iterable<Buffer>>> = {
  'rapid reset': function* () {
    const cancel = Buffer.from([0, 0, 0, 8])
    for (let id = 1; id < 40_000; id += 2)
      yield Buffer.concat([frame(HEADERS, END_HEADERS | END_STREAM, id, GET), frame(RST_STREAM, 0, id, cancel)])
  },
  settings: function* () {
    for (let i = 0; i < 200_000; i++) yield frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]))
  },
  ping: function* () {
    for (let i = 0; i < 200_000; i++) yield frame(PING, 0, 0, Buffer.alloc(8))
  },
  continuation: function* () {
    yield frame(HEADERS, 0, 1, GET)
    for (let i = 0; i < 100_000; i++) yield frame(CONTINUATION, 0, 1, Buffer.from([0x00, 0x01, 0x61, 0x01, 0x62]))
  },
  'empty data': function* () {
    yield frame(HEADERS, END_HEADERS, 1, POST)
    for (let i = 0; i < 100_000; i++) yield frame(DATA, 0, 1)
  },
  'more streams than allowed': function* () {
    for (let id = 1; id < 20_000; id += 2) yield frame(HEADERS, END_HEADERS, id, POST)
  },
  'a header that expands': function* () {
    // One large entry into the table, then ten thousand references to it.
    const value = 'v'.repeat(4000)
    const length = Buffer.from([0x7f, 0xa1, 0x1e])
    const literal = Buffer.concat([Buffer.from([0x40, 0x01, 0x61]), length, Buffer.from(value)])
    yield frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([GET, literal, Buffer.alloc(10_000, 0xbe)]))
  },
}

/** Writes as fast as it is taken until the other side ends it, or all is written. */
async function flood(stream: Duplex, frames: Iterable<Buffer>): Promise<'ended' | 'survived'> {
  let over = false
  const closed = once(stream, 'close').then(() => {
    over = true
  })
  stream.resume()
  let batch: Buffer[] = []
  for (const each of frames) {
    if (over) break
    batch.push(each)
    if (batch.length < 500) continue
    const taken = stream.write(Buffer.concat(batch))
    batch = []
    if (!taken) await Promise.race([once(stream, 'drain'), closed])
    else await new Promise((resolve) => setImmediate(resolve))
  }
  if (!over) stream.write(Buffer.concat(batch))
  return over ? 'ended' : 'survived'
}

async function tryFlood(t: ExecutionContext, name: string): Promise<void> {
  await using world = await World.start()
  let requests = 0
  await world.serve(
    createServer((_request, response) => {
      requests++
      response.end('ok')
    }),
  )
  const stream = await world.client('hostile').connect()
  stream.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]))
  const before = process.memoryUsage.rss()
  const frames = FLOODS[name]
  if (frames === undefined) throw new TypeError(name)
  const end = await flood(
    stream,
    frames(() => true),
  )
  const grown = (process.memoryUsage.rss() - before) / 1024 / 1024
  t.log(`${name}: ${end}, ${requests} requests, ${Math.round(grown)} MiB`)
  // Others are served while, and after.
  t.is((await world.client().request()).status, 200)
  t.true(grown < 150, `${Math.round(grown)} MiB`)
  t.true(requests < 5000)
  stream.destroy()
}

for (const name of Object.keys(FLOODS))
  test.serial(`a flood harms nobody else: ${name}`, async (t) => await tryFlood(t, name))

test.serial('the frames of these floods are right: one request of them is answered', async (t) => {
  await using world = await World.start()
  await world.serve(createServer((_request, response) => response.end('served')))
  const stream = await world.client().connect()
  let said = ''
  stream.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1')
  })
  stream.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)]))
  await world.applied(() => Promise.resolve(said.includes('served')))
  stream.destroy()
  t.pass()
})

test.serial('a body that is not as long as it says is no request, nor two, of HTTP/1.1', async (t) => {
  await using world = await World.start()
  const seen: string[] = []
  await world.serve(
    createServer((request, response) => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`)
      request.on('error', () => undefined)
      request.resume()
      request.on('end', () => response.end('ok'))
    }),
  )
  const session = await world.client().http2()
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: web\r\n\r\n'
  for (const [length, body] of [
    ['5', `hello${smuggled}`],
    ['0', smuggled],
    ['50', 'hello'],
  ] as const) {
    const call = session.request({ ':method': 'POST', ':path': '/', 'content-length': length })
    call.on('error', () => undefined)
    const closed = new Promise<void>((resolve) => void call.once('close', resolve))
    call.resume()
    call.end(body)
    await closed
    t.is(call.rstCode, constants.NGHTTP2_PROTOCOL_ERROR, length)
  }
  for (const length of ['5, 5', '+5', 'five', '']) {
    const call = session.request({ ':method': 'POST', ':path': '/', 'content-length': length })
    call.on('error', () => undefined)
    const [headers] = (await once(call, 'response')) as [IncomingHttpHeaders]
    t.is(Number(headers[':status']), 400, length)
    call.close()
  }
  session.destroy()
  t.false(seen.includes('GET /smuggled'))
  t.is((await world.client().request({ path: '/next' })).status, 200)
  t.true(seen.includes('GET /next'))
})

/** A client that says what it is told to and reads nothing. */
async function unread(frames: (id: number) => Buffer): Promise<{ served: number; ended: number; waiting: number }> {
  const front = new Http2Front({ clock: systemClock })
  let isOver = false
  let waiting = 0
  const stream = new Duplex({
    read: () => undefined,
    write: () => undefined,
    destroy: (error, done) => done(error),
  })
  stream.on('error', () => undefined)
  const counts = { served: 0, ended: 0 }
  const served = front.serve(stream, {
    request: (exchange) => {
      counts.served++
      exchange.onGone(() => counts.ended++)
      if (exchange.head.isBodiless) exchange.respond({ status: 403, headers: [] }, { bodiless: true })
    },
    protocolError: () => undefined,
  })
  void served.then(() => {
    isOver = true
  })
  stream.push(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]))
  for (let id = 1; id < 60_000 && !isOver; id += 2) {
    stream.push(frames(id))
    // One turn each: what is said in one leaves together.
    await new Promise((resolve) => setImmediate(resolve))
    waiting = Math.max(waiting, stream.writableLength)
  }
  front.close()
  return { ...counts, waiting }
}

test.serial('a client that asks and never reads the answers is not served without end', async (t) => {
  const before = process.memoryUsage().arrayBuffers
  let peak = 0
  const { served } = await unread((id) => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
    return frame(HEADERS, END_HEADERS | END_STREAM, id, GET)
  })
  t.true(served < 10_000, `${served} requests`)
  t.true(peak < 16 * 1024 * 1024, `${Math.round(peak / 1024 / 1024)} MiB`)
})

test.serial('a client that makes us reset its streams is held to what it may reset itself', async (t) => {
  const length = Buffer.from([0x0f, 0x0d, 0x01, 0x31])
  const { served } = await unread((id) =>
    Buffer.concat([
      frame(HEADERS, END_HEADERS, id, Buffer.concat([POST, length])),
      frame(DATA, 0, id, Buffer.from('more than one')),
    ]),
  )
  t.true(served < 2000, `${served} requests`)
})

const collect = runInNewContext('gc') as () => void

/** Memory that bodies of one byte a frame hold, each in a read of 16 KiB, when they are kept as told. */
async function heldBy(keep: (exchange: Exchange) => void): Promise<number> {
  const front = new Http2Front({ clock: systemClock })
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  stream.on('error', () => undefined)
  void front.serve(stream, {
    request: (exchange) => {
      if (exchange.head.method === 'POST' && exchange.head.target === '/') keep(exchange)
    },
    protocolError: () => undefined,
  })
  const post = (id: number): Buffer => frame(HEADERS, END_HEADERS, id, POST)
  stream.push(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), post(1)]))
  const before = process.memoryUsage().arrayBuffers
  const padding = frame(9 + 0x20, 0, 0, Buffer.alloc(16_000))
  for (let i = 0; i < 900; i++) {
    stream.push(Buffer.concat([frame(DATA, 0, 1, Buffer.from('x')), padding]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  collect()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  const held = process.memoryUsage().arrayBuffers - before
  front.close()
  return held / 1024 / 1024
}

test.serial('bytes of a body that wait, or may be sent again, do not keep all that came with them', async (t) => {
  const unread = await heldBy(() => undefined)
  t.true(unread < 4, `${Math.round(unread)} MiB unread`)
  let wasRepeatable = 0
  const sink = {
    write: () => {
      if (body?.isRepeatable === true) wasRepeatable++
      return true
    },
    backlog: 0,
    onDrain: () => undefined,
  }
  let body: RequestBody | undefined
  const kept = await heldBy((exchange) => {
    body = new RequestBody(exchange, () => undefined)
    body.sendTo({ body: sink, endBody: () => undefined })
  })
  t.true(kept < 4, `${Math.round(kept)} MiB kept`)
  t.is(wasRepeatable, 900)
})
