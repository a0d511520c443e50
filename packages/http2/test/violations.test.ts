// What RFC 9113 forbids, byte by byte, and what it earns.
import test from 'ava'
import fc from 'fast-check'
import { ERROR_CODE } from '../src/errors.ts'
import { FLAG, FRAME, PREFACE } from '../src/frame-type.ts'
import { HpackEncoder } from '../src/hpack/encoder.ts'
import { Peer } from './peer.ts'

function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload
  const header = Buffer.alloc(9)
  header.writeUIntBE(body.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, body])
}

const block = (...headers: readonly string[]): Buffer => Buffer.from(new HpackEncoder().encode(headers))
const GET = block(':method', 'GET', ':scheme', 'https', ':authority', 'a', ':path', '/')
const SETTINGS = frame(FRAME.settings, 0, 0)
const END = FLAG.endStream | FLAG.endHeaders
const open = (id: number, flags: number = FLAG.endHeaders): Buffer => frame(FRAME.headers, flags, id, GET)

function serverAfter(...frames: readonly Buffer[]): Peer {
  const server = new Peer({ role: 'server', settings: { initialWindowBytes: 1000, maxHeaderListBytes: 1000 } })
  server.connection.receive(Buffer.concat([PREFACE, SETTINGS, ...frames]))
  return server
}

const E = ERROR_CODE
const OF_CONNECTION: Readonly<Record<string, readonly [code: number, frames: readonly Buffer[]]>> = {
  'DATA on stream 0': [E.protocolError, [frame(FRAME.data, 0, 0, '00')]],
  'DATA on an idle stream': [E.protocolError, [frame(FRAME.data, 0, 1, '00')]],
  'padding longer than its DATA': [E.protocolError, [open(1), frame(FRAME.data, FLAG.padded, 1, '0500')]],
  'padded DATA without padding length': [E.frameSizeError, [open(1), frame(FRAME.data, FLAG.padded, 1)]],
  'HEADERS on stream 0': [E.protocolError, [frame(FRAME.headers, END, 0, GET)]],
  'HEADERS on an even stream': [E.protocolError, [open(2)]],
  'HEADERS with broken compression': [E.compressionError, [frame(FRAME.headers, END, 1, '80')]],
  'HEADERS shorter than their priority': [E.frameSizeError, [frame(FRAME.headers, END | FLAG.priority, 1, '0000')]],
  'padding longer than its HEADERS': [E.protocolError, [frame(FRAME.headers, END | FLAG.padded, 1, 'ff82')]],
  'a frame larger than allowed': [E.frameSizeError, [frame(FRAME.headers, END, 1, Buffer.alloc(16_385))]],
  'another frame within a header block': [
    E.protocolError,
    [frame(FRAME.headers, 0, 1, GET), frame(FRAME.ping, 0, 0, '0000000000000000')],
  ],
  'a header block continued on another stream': [
    E.protocolError,
    [frame(FRAME.headers, 0, 1, GET), frame(FRAME.continuation, 4, 3)],
  ],
  'CONTINUATION without a block': [E.protocolError, [open(1), frame(FRAME.continuation, 4, 1)]],
  'a header block in endless CONTINUATIONs': [
    E.enhanceYourCalm,
    [frame(FRAME.headers, 0, 1, GET), ...Array.from({ length: 70 }, () => frame(FRAME.continuation, 0, 1))],
  ],
  'RST_STREAM on an idle stream': [E.protocolError, [frame(FRAME.rstStream, 0, 1, '00000008')]],
  'RST_STREAM of three bytes': [E.frameSizeError, [open(1), frame(FRAME.rstStream, 0, 1, '000008')]],
  'SETTINGS on a stream': [E.protocolError, [frame(FRAME.settings, 0, 1)]],
  'SETTINGS of five bytes': [E.frameSizeError, [frame(FRAME.settings, 0, 0, '0000000000')]],
  'an acknowledgement with a payload': [E.frameSizeError, [frame(FRAME.settings, FLAG.ack, 0, '000000000000')]],
  'ENABLE_PUSH 2': [E.protocolError, [frame(FRAME.settings, 0, 0, '000200000002')]],
  'INITIAL_WINDOW_SIZE of 2^31': [E.flowControlError, [frame(FRAME.settings, 0, 0, '000480000000')]],
  'MAX_FRAME_SIZE of 16383': [E.protocolError, [frame(FRAME.settings, 0, 0, '000500003fff')]],
  'MAX_FRAME_SIZE of 2^24': [E.protocolError, [frame(FRAME.settings, 0, 0, '000501000000')]],
  'ENABLE_CONNECT_PROTOCOL taken back': [
    E.protocolError,
    [frame(FRAME.settings, 0, 0, '000800000001'), frame(FRAME.settings, 0, 0, '000800000000')],
  ],
  PUSH_PROMISE: [E.protocolError, [open(1), frame(FRAME.pushPromise, 4, 1, '0000000282')]],
  'PING on a stream': [E.protocolError, [frame(FRAME.ping, 0, 1, '0000000000000000')]],
  'PING of seven bytes': [E.frameSizeError, [frame(FRAME.ping, 0, 0, '00000000000000')]],
  'GOAWAY on a stream': [E.protocolError, [frame(FRAME.goaway, 0, 1, '0000000000000000')]],
  'a second GOAWAY that promises more': [
    E.protocolError,
    [frame(FRAME.goaway, 0, 0, '0000000100000000'), frame(FRAME.goaway, 0, 0, '0000000300000000')],
  ],
  'WINDOW_UPDATE by nothing on the connection': [E.protocolError, [frame(FRAME.windowUpdate, 0, 0, '00000000')]],
  'WINDOW_UPDATE on an idle stream': [E.protocolError, [frame(FRAME.windowUpdate, 0, 1, '00000001')]],
  'the window of the connection grown too large': [E.flowControlError, [frame(FRAME.windowUpdate, 0, 0, '7fffffff')]],
  'a flood of PINGs': [
    E.enhanceYourCalm,
    Array.from({ length: 5000 }, () => frame(FRAME.ping, 0, 0, '0000000000000000')),
  ],
  'a flood of empty DATA': [
    E.enhanceYourCalm,
    [open(1), ...Array.from({ length: 10_001 }, () => frame(FRAME.data, 0, 1))],
  ],
  'a flood of PRIORITY': [
    E.enhanceYourCalm,
    Array.from({ length: 10_001 }, () => frame(FRAME.priority, 0, 1, '0000000010')),
  ],
  'a flood of unknown frames': [E.enhanceYourCalm, Array.from({ length: 10_001 }, () => frame(200, 0, 1))],
  'too many settings': [E.enhanceYourCalm, [frame(FRAME.settings, 0, 0, 'f00000000000'.repeat(33))]],
}
for (const [name, [code, frames]] of Object.entries(OF_CONNECTION)) {
  test(`ends the connection: ${name}`, (t) => {
    const server = serverAfter(...frames)
    t.is(server.failure?.errorCode, code, server.failure?.message)
    const goaway = server.take().subarray(-17)
    t.is(goaway[3], FRAME.goaway)
    t.is(goaway.readUInt32BE(13), code)
  })
}

const request = (...headers: readonly string[]): Buffer => frame(FRAME.headers, END, 1, block(...headers))
const WHOLE = [':method', 'GET', ':scheme', 'https', ':authority', 'a', ':path', '/']
const OF_STREAM: Readonly<Record<string, readonly [code: number, frames: readonly Buffer[]]>> = {
  'DATA beyond its window': [E.flowControlError, [open(1), frame(FRAME.data, 0, 1, Buffer.alloc(1001))]],
  'DATA after its end': [E.streamClosed, [open(1, END), frame(FRAME.data, 0, 1, '00')]],
  'HEADERS after its end': [E.streamClosed, [open(1, END), open(1, END)]],
  'trailers that do not end it': [
    E.protocolError,
    [open(1), frame(FRAME.headers, FLAG.endHeaders, 1, block('x-a', 'b'))],
  ],
  'trailers with a pseudo-header': [E.protocolError, [open(1), frame(FRAME.headers, END, 1, block(':status', '200'))]],
  'WINDOW_UPDATE by nothing': [E.protocolError, [open(1), frame(FRAME.windowUpdate, 0, 1, '00000000')]],
  'a window grown too large': [E.flowControlError, [open(1), frame(FRAME.windowUpdate, 0, 1, '7fffffff')]],
  'PRIORITY of four bytes': [E.frameSizeError, [open(1), frame(FRAME.priority, 0, 1, '00000000')]],
  'no :method': [E.protocolError, [request(':scheme', 'https', ':path', '/')]],
  'no :path': [E.protocolError, [request(':method', 'GET', ':scheme', 'https')]],
  'an empty :path': [E.protocolError, [request(':method', 'GET', ':scheme', 'https', ':path', '')]],
  'CONNECT without :authority': [E.protocolError, [request(':method', 'CONNECT')]],
  ':protocol without CONNECT': [E.protocolError, [request(...WHOLE, ':protocol', 'websocket')]],
  'a pseudo-header twice': [E.protocolError, [request(...WHOLE, ':path', '/b')]],
  'an unknown pseudo-header': [E.protocolError, [request(...WHOLE, ':what', 'b')]],
  'a status in a request': [E.protocolError, [request(...WHOLE, ':status', '200')]],
  'a pseudo-header after others': [
    E.protocolError,
    [request(':method', 'GET', 'x-a', 'b', ':scheme', 'https', ':path', '/')],
  ],
  'capitals in a name': [E.protocolError, [request(...WHOLE, 'X-A', 'b')]],
  'an empty name': [E.protocolError, [request(...WHOLE, '', 'b')]],
  'a line end in a value': [E.protocolError, [request(...WHOLE, 'x-a', 'b\r\nx-c: d')]],
  'NUL in a value': [E.protocolError, [request(...WHOLE, 'x-a', 'b\0')]],
  'a space at the end of a value': [E.protocolError, [request(...WHOLE, 'x-a', 'b ')]],
  connection: [E.protocolError, [request(...WHOLE, 'connection', 'close')]],
  'transfer-encoding': [E.protocolError, [request(...WHOLE, 'transfer-encoding', 'chunked')]],
  'te: gzip': [E.protocolError, [request(...WHOLE, 'te', 'gzip')]],
  'more headers than allowed': [E.enhanceYourCalm, [request(...WHOLE, 'x-a', 'b'.repeat(1000))]],
}
for (const [name, [code, frames]] of Object.entries(OF_STREAM)) {
  test(`resets the stream, and the connection goes on: ${name}`, (t) => {
    const server = serverAfter(...frames)
    t.is(server.failure, undefined)
    const written = server.take()
    const at = written.indexOf(Buffer.from([0, 0, 4, FRAME.rstStream, 0, 0, 0, 0, 1]))
    t.not(at, -1, 'RST_STREAM')
    t.is(written.readUInt32BE(at + 9), code)
    t.is(server.connection.streamCount, 0)
    server.connection.receive(open(3, END))
    t.true(server.streams.has(3))
  })
}

test('DATA beyond the window of the connection ends it, whatever the stream allows', (t) => {
  const server = new Peer({ role: 'server', settings: { initialWindowBytes: 1_000_000 }, consumes: false })
  const data = Array.from({ length: 5 }, () => frame(FRAME.data, 0, 1, Buffer.alloc(16_384)))
  server.connection.receive(Buffer.concat([PREFACE, SETTINGS, open(1), ...data]))
  t.is(server.failure?.errorCode, E.flowControlError)
})

test('not even HTTP/2', (t) => {
  const server = new Peer({ role: 'server' })
  server.connection.receive(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  t.is(server.failure?.errorCode, E.protocolError)
})

test('the first frame must be SETTINGS, and no acknowledgement', (t) => {
  for (const first of [open(1), frame(FRAME.settings, FLAG.ack, 0)]) {
    const server = new Peer({ role: 'server' })
    server.connection.receive(Buffer.concat([PREFACE, first]))
    t.is(server.failure?.errorCode, E.protocolError)
  }
})

test('a client is not opened streams to, nor answered without status, nor with a status twice', (t) => {
  const answers: readonly (readonly [Buffer, 'connection' | 'stream'])[] = [
    [frame(FRAME.headers, END, 2, block(':status', '200')), 'connection'],
    [frame(FRAME.headers, END, 1, block('x-a', 'b')), 'stream'],
    [frame(FRAME.headers, END, 1, block(':status', '2000')), 'stream'],
    [frame(FRAME.headers, END, 1, block(':status', '103')), 'stream'],
    [frame(FRAME.headers, END, 1, block(':status', '200', ':status', '200')), 'stream'],
    [frame(FRAME.data, 0, 1, '00'), 'stream'],
  ]
  for (const [answer, scope] of answers) {
    const client = new Peer({ role: 'client' })
    client.connection.receive(SETTINGS)
    client.connection.request(WHOLE, true, undefined)
    client.connection.receive(answer)
    if (scope === 'connection') t.is(client.failure?.errorCode, E.protocolError)
    else t.is(client.reset.get(1), E.protocolError)
  }
})

test('frames that were on their way when a stream was reset are no fault, and their bytes are given back', (t) => {
  const server = serverAfter(open(1))
  const stream = server.streams.get(1)
  if (stream === undefined) throw new Error('no stream')
  server.connection.reset(stream, E.cancel)
  for (let i = 0; i < 40; i++) server.connection.receive(frame(FRAME.data, 0, 1, Buffer.alloc(900)))
  server.connection.receive(frame(FRAME.headers, END, 1, block('x-trailer', 'b')))
  t.is(server.failure, undefined)
  t.true(server.take().includes(Buffer.from([0, 0, 4, FRAME.windowUpdate, 0, 0, 0, 0, 0])))
})

test('a rapid reset is stopped', (t) => {
  const server = serverAfter()
  for (let id = 1; id < 300_000 && server.failure === undefined; id += 2) {
    server.connection.receive(Buffer.concat([open(id), frame(FRAME.rstStream, 0, id, '00000008')]))
  }
  t.is(server.failure?.errorCode, E.enhanceYourCalm)
})

test('whatever comes, it is read or it ends the connection; nothing else is thrown', (t) => {
  const anyFrame = fc
    .record({
      type: fc.integer({ min: 0, max: 11 }),
      flags: fc.integer({ min: 0, max: 255 }),
      streamId: fc.integer({ min: 0, max: 9 }),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.constant(Uint8Array.from(GET)),
        fc.constant(new Uint8Array(4)),
      ),
    })
    .map(({ type, flags, streamId, payload }) => frame(type, flags, streamId, Buffer.from(payload)))
  const input = fc.array(
    fc.oneof({ weight: 6, arbitrary: anyFrame }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) }),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(input, fc.constantFrom('client', 'server'), fc.integer({ min: 1, max: 50 }), (parts, role, cut) => {
      const peer = new Peer({ role: role === 'client' ? 'client' : 'server' })
      peer.onStream = (stream) => peer.connection.respond(stream, [':status', '200'], false)
      if (role === 'client') peer.connection.request(WHOLE, false, undefined)
      const bytes = Buffer.concat([
        ...(role === 'server' ? [PREFACE] : []),
        SETTINGS,
        ...parts.map((part) => Buffer.from(part)),
      ])
      for (let at = 0; at < bytes.length; at += cut) peer.connection.receive(bytes.subarray(at, at + cut))
      peer.take()
      t.true(peer.connection.streamCount <= 10)
    }),
    { numRuns: 3000 },
  )
})
