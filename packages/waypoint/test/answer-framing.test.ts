import { createServer as createTcp, type Server } from 'node:net'
import test from 'ava'
import { Protocol, World } from './support/world.ts'

const [DATA, HEADERS, SETTINGS] = [0, 1, 4]
const END_STREAM = 1
const END_HEADERS = 4
const PREFACE_BYTES = 24
const FORGED = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'
const NEXT = 'GET /next HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n'

/** Heads in HPACK's static table; of Content-Length the value is a literal. */
const STATUS = { 200: 0x88, 204: 0x89, 304: 0x8b } as const
function lengthLine(length: string): Buffer {
  return Buffer.concat([Buffer.from([0x0f, 0x0d, length.length]), Buffer.from(length)])
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

interface Said {
  readonly status: keyof typeof STATUS
  readonly length?: string
  /** Absent: the head ends the stream. */
  readonly body?: string
}

function framesOf(stream: number, { status, length, body }: Said): Buffer {
  const block = Buffer.concat([
    Buffer.from([STATUS[status]]),
    length === undefined ? Buffer.alloc(0) : lengthLine(length),
  ])
  const head = frame(HEADERS, END_HEADERS | (body === undefined ? END_STREAM : 0), stream, block)
  return body === undefined ? head : Buffer.concat([head, frame(DATA, END_STREAM, stream, Buffer.from(body))])
}

/** Says of HTTP/2 what no library would: these answers, in turn. */
function endpoint(answers: readonly Said[]): Server {
  let next = 0
  return createTcp((socket) => {
    let held: Buffer = Buffer.alloc(0)
    let isBegun = false
    socket.on('error', () => undefined)
    socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)))
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      if (!isBegun) {
        if (held.length < PREFACE_BYTES) return
        isBegun = true
        held = held.subarray(PREFACE_BYTES)
      }
      while (held.length >= 9 && held.length >= 9 + held.readUIntBE(0, 3)) {
        const said = held[3] === HEADERS ? answers[next++] : undefined
        if (said !== undefined) socket.write(framesOf(held.readUInt32BE(5), said))
        held = held.subarray(9 + held.readUIntBE(0, 3))
      }
    })
  })
}

const GOOD: Said = { status: 200, length: '4', body: 'good' }

async function answered(said: Said, request = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n'): Promise<string> {
  await using world = await World.start()
  await world.serve(endpoint([said, GOOD]), { protocol: Protocol.HTTP2 })
  return await world.client().raw(request + NEXT)
}

const BODY_OF_NONE: Readonly<Record<string, Said>> = {
  '204 with a length': { status: 204, length: String(FORGED.length), body: FORGED },
  '204 without': { status: 204, body: FORGED },
  '304 with a length': { status: 304, length: String(FORGED.length), body: FORGED },
  '304 without': { status: 304, body: FORGED },
}

for (const [what, said] of Object.entries(BODY_OF_NONE))
  test.serial(`a body behind an answer that has none is no second answer: ${what}`, async (t) => {
    const text = await answered(said)
    t.notRegex(text, /forged/)
    t.notRegex(text, /transfer-encoding/)
    t.regex(text, new RegExp(`^HTTP/1\\.1 ${said.status} [^]*\\r\\n\\r\\nHTTP/1\\.1 200 [^]*\\r\\n\\r\\ngood$`))
    if (said.status === 204) t.notRegex(text.slice(0, text.indexOf('\r\n\r\n')), /content-length/)
  })

test.serial('an answer without body says so to a client of HTTP/1.1, which would wait for the end', async (t) => {
  const text = await answered({ status: 200 })
  t.regex(text.slice(0, text.indexOf('\r\n\r\n')), /\r\ncontent-length: 0(\r\n|$)/)
  t.regex(text, /\r\n\r\ngood$/)
})

test.serial('an answer that ends with its head and promises a body is no answer', async (t) => {
  const text = await answered({ status: 200, length: '40' })
  t.regex(text, /^HTTP\/1\.1 502 /)
  t.notRegex(text, /content-length: 40/)
  const head = await answered({ status: 200, length: '40' }, 'HEAD / HTTP/1.1\r\nHost: web\r\n\r\n')
  t.regex(head, /^HTTP\/1\.1 200 [^]*content-length: 40\r\n/)
  t.regex(head, /\r\n\r\ngood$/)
})

test.serial('of an answer 204 of HTTP/1.1 no length goes on, which an old client would wait for', async (t) => {
  await using world = await World.start()
  await world.serve(
    createTcp((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () =>
        socket.write(
          'HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n',
        ),
      )
    }),
  )
  const text = await world.client().raw('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n')
  t.regex(text, /^HTTP\/1\.1 103 [^]*HTTP\/1\.1 204 /)
  t.notRegex(text, /content-length/)
})

test.serial('an endpoint that announces a body behind 204 is not asked again on that connection', async (t) => {
  await using world = await World.start()
  let connections = 0
  let lines = ''
  await world.serve(
    createTcp((socket) => {
      connections++
      socket.on('error', () => undefined)
      socket.on('data', () => socket.write(`HTTP/1.1 204 No Content\r\n${lines}\r\n`))
    }),
  )
  const client = world.client()
  for (lines of ['Content-Length: 6\r\n', 'Transfer-Encoding: chunked\r\n', '', 'Content-Length: 0\r\n'])
    t.is((await client.request()).status, 204)
  // The third is kept for the fourth.
  t.is(connections, 3)
})
