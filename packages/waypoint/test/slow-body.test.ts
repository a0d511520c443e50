import { Duplex } from 'node:stream'
import { FakeClock } from '@ambit/testing'
import test from 'ava'
import type { Exchange } from '../src/http/exchange.types.ts'
import type { FrontHandler } from '../src/http/front.types.ts'
import { Http1Front } from '../src/http/http1-front.ts'
import { Http2Front } from '../src/http/http2-front.ts'
import { CLOSE_LINGER_MS, HEADERS_CHECK_MS, REQUEST_REST_TIMEOUT_MS } from '../src/limits.ts'

const [DATA, HEADERS, RST_STREAM, SETTINGS] = [0, 1, 3, 4]
const [END_STREAM, END_HEADERS] = [1, 4]

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
/** `POST / http web` in HPACK. */
const POST = Buffer.concat([Buffer.from([0x83, 0x86, 0x84, 0x41, 0x03]), Buffer.from('web')])

async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}

interface Version {
  readonly front: (clock: FakeClock) => Http1Front | Http2Front
  readonly request: (id: number) => Buffer
  readonly byte: Buffer
  readonly end: Buffer
}

const VERSIONS: Readonly<Record<string, Version>> = {
  'HTTP/1.1': {
    front: (clock) => new Http1Front({ clock }),
    request: () => Buffer.from('POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n'),
    byte: Buffer.from('1\r\nx\r\n'),
    end: Buffer.from('0\r\n\r\n'),
  },
  'HTTP/2': {
    front: (clock) => new Http2Front({ clock }),
    request: (id) =>
      Buffer.concat([
        ...(id === 1 ? [PREFACE, frame(SETTINGS, 0, 0)] : []),
        frame(HEADERS, END_HEADERS, id, POST),
        frame(DATA, 0, id, Buffer.from('x')),
      ]),
    byte: frame(DATA, 0, 1, Buffer.from('x')),
    end: frame(DATA, END_STREAM, 1),
  },
}

/** Begins a request on a connection of its own. */
async function begin({ front: newFront, request }: Version) {
  const clock = new FakeClock()
  const front = newFront(clock)
  const said: Buffer[] = []
  const exchanges: Exchange[] = []
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      // Its memory is used again.
      said.push(Buffer.from(chunk))
      done()
    },
  })
  stream.on('error', () => undefined)
  const handler: FrontHandler = {
    request: (exchange) => {
      exchanges.push(exchange)
      exchange.wantBody()
      exchange.body.read({ onData: () => undefined, onEnd: () => undefined, onFailure: () => undefined })
    },
    protocolError: () => undefined,
  }
  void front.serve(stream, handler)
  stream.push(request(1))
  await turns()
  return {
    clock,
    front,
    stream,
    exchanges,
    /** Whether the request is over, by what was said to its client. */
    isCut: () => {
      const reset = Buffer.from(frame(RST_STREAM, 0, 1, Buffer.alloc(4)))
      return stream.destroyed || Buffer.concat(said).includes(reset)
    },
    answer: async () => {
      const [exchange] = exchanges
      exchange?.respond({ status: 200, headers: [] }, { bodiless: false })
      exchange?.end([])
      exchange?.body.discard()
      await turns()
    },
    wait: async (ms: number, bytes?: Buffer) => {
      for (let waited = 0; waited < ms; waited += HEADERS_CHECK_MS) {
        await clock.advance(HEADERS_CHECK_MS)
        if (bytes !== undefined && !stream.destroyed) stream.push(bytes)
        await turns()
      }
    },
  }
}

for (const [name, version] of Object.entries(VERSIONS)) {
  test(`${name}: a body that goes on for long behind its answer is cut`, async (t) => {
    const { answer, wait, isCut, front } = await begin(version)
    await answer()
    await wait(REQUEST_REST_TIMEOUT_MS - HEADERS_CHECK_MS, version.byte)
    t.false(isCut())
    await wait(CLOSE_LINGER_MS + 2 * HEADERS_CHECK_MS)
    t.true(isCut())
    front.close()
  })

  test(`${name}: a body that is not answered yet has its time, and so has one that ends behind its answer`, async (t) => {
    const { answer, wait, isCut, front, stream, exchanges } = await begin(version)
    await wait(10 * REQUEST_REST_TIMEOUT_MS, version.byte)
    t.false(isCut())
    await answer()
    await wait(REQUEST_REST_TIMEOUT_MS / 2, version.byte)
    stream.push(version.end)
    await wait(2 * REQUEST_REST_TIMEOUT_MS)
    t.false(isCut())
    stream.push(version.request(3))
    await turns()
    t.is(exchanges.length, 2)
    front.close()
  })
}
