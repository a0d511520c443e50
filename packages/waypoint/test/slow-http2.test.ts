import { once } from 'node:events'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import { FakeClock } from '@ambit/testing'
import test from 'ava'
import { Http2Front } from '../src/http/http2-front.ts'
import { HEADERS_CHECK_MS, IDLE_TIMEOUT_MS, REQUEST_HEADERS_TIMEOUT_MS } from '../src/limits.ts'
import { World } from './support/world.ts'

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const [DATA, HEADERS, SETTINGS, CONTINUATION] = [0, 1, 4, 9]
const [END_STREAM, END_HEADERS] = [1, 4]

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const BEGINNING = Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)])
/** `GET / http web` in HPACK. */
const GET = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 0x03]), Buffer.from('web')])
const WHOLE = frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)
const POST = frame(HEADERS, END_HEADERS, 1, Buffer.concat([Buffer.from([0x83]), GET.subarray(1)]))

async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A client of a front whose time moves in the steps of its checks. */
class Client {
  readonly clock = new FakeClock()
  readonly front = new Http2Front({ clock: this.clock })
  readonly errors: string[] = []
  readonly stream: Duplex = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  })
  requests = 0
  isOver = false

  constructor() {
    this.stream.on('error', () => undefined)
    void this.front
      .serve(this.stream, {
        request: () => this.requests++,
        protocolError: ({ reason }) => this.errors.push(reason),
      })
      .then(() => {
        this.isOver = true
      })
  }

  async say(bytes: Buffer): Promise<void> {
    this.stream.push(bytes)
    await turns()
  }

  async wait(ms: number, meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    for (let waited = 0; waited < ms && !this.isOver; waited += HEADERS_CHECK_MS) {
      await this.clock.advance(HEADERS_CHECK_MS)
      await turns()
      await meanwhile()
    }
  }
}

const STALLS: Readonly<Record<string, readonly Buffer[]>> = {
  'nothing at all': [],
  'half of the preface': [PREFACE.subarray(0, 10)],
  'nothing behind the preface': [PREFACE],
  'half of SETTINGS': [PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(12)).subarray(0, 15)],
  'a header block without its end': [BEGINNING, frame(HEADERS, END_STREAM, 1, GET)],
  'a header block without its end behind a request': [BEGINNING, POST, frame(HEADERS, END_STREAM, 3, GET)],
  'half of HEADERS': [BEGINNING, WHOLE.subarray(0, 12)],
  'half of CONTINUATION': [
    BEGINNING,
    frame(HEADERS, 0, 1, GET),
    frame(CONTINUATION, END_HEADERS, 1, GET).subarray(0, 12),
  ],
  'trailers without their end': [BEGINNING, POST, frame(HEADERS, END_STREAM, 1, GET)],
}

for (const [name, said] of Object.entries(STALLS))
  test(`a client of HTTP/2 that stops there is not waited for: ${name}`, async (t) => {
    const client = new Client()
    for (const bytes of said) await client.say(bytes)
    await client.wait(REQUEST_HEADERS_TIMEOUT_MS - HEADERS_CHECK_MS)
    t.false(client.isOver)
    await client.wait(2 * HEADERS_CHECK_MS)
    t.true(client.isOver)
    t.regex(client.errors.join(), /in time/)
    t.true(client.stream.destroyed)
    client.front.close()
  })

test('a head that trickles has no more time than one that stops', async (t) => {
  const client = new Client()
  await client.say(BEGINNING)
  await client.say(frame(HEADERS, END_STREAM, 1, GET))
  await client.wait(REQUEST_HEADERS_TIMEOUT_MS + HEADERS_CHECK_MS, async () => {
    await client.say(frame(CONTINUATION, 0, 1, Buffer.from([0x00, 0x01, 0x61, 0x01, 0x62])))
  })
  t.true(client.isOver)
})

test('heads that come to their ends, however they are cut, and bodies and silence between them have their time', async (t) => {
  const client = new Client()
  await client.say(BEGINNING)
  await client.wait(6 * REQUEST_HEADERS_TIMEOUT_MS)
  let id = 1
  // Each time the clock is looked at, another head is under way.
  await client.say(frame(HEADERS, 0, id, GET).subarray(0, 12))
  await client.wait(3 * REQUEST_HEADERS_TIMEOUT_MS, async () => {
    const rest = frame(HEADERS, 0, id, GET).subarray(12)
    const end = frame(CONTINUATION, END_HEADERS, id)
    id += 2
    await client.say(Buffer.concat([rest, end, frame(HEADERS, 0, id, GET).subarray(0, 12)]))
  })
  t.false(client.isOver)
  t.is(client.requests, (3 * REQUEST_HEADERS_TIMEOUT_MS) / HEADERS_CHECK_MS)
  await client.say(Buffer.concat([frame(HEADERS, 0, id, GET).subarray(12), frame(CONTINUATION, END_HEADERS, id)]))
  await client.say(frame(DATA, 0, id, Buffer.alloc(10)).subarray(0, 12))
  await client.wait(IDLE_TIMEOUT_MS / 60)
  t.false(client.isOver)
  t.deepEqual(client.errors, [])
  client.front.close()
})

test('a waypoint ends a connection of HTTP/2 whose client goes silent in a head, and serves others', async (t) => {
  await using world = await World.start({ overrides: { headersTimeoutMs: 200 } })
  await world.serve(createServer((_request, response) => response.end('ok')))
  const stream = await world.client().connect()
  stream.write(Buffer.concat([BEGINNING, frame(HEADERS, END_STREAM, 1, GET)]))
  stream.resume()
  await once(stream, 'close')
  t.is((await world.client().request()).status, 200)
})
