import test from 'ava'
import { MAX_CHUNK_EXTENSION_BYTES, MAX_EMPTY_LINES } from '../src/limits.ts'
import { LIMITS, readAll, requestReader, responseReader } from './reading.ts'

const HOST = 'Host: a\r\n'
const CHUNKED = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`

function requests(text: string): ReturnType<typeof readAll> {
  return readAll(requestReader(), Buffer.from(text, 'latin1'))
}

test('requests one behind the other, with every kind of body', (t) => {
  const { messages, problem } = readAll(
    requestReader(),
    Buffer.from(
      `GET /a?b HTTP/1.1\r\n${HOST}X-Odd:\t a b \t\r\nx-odd:\r\n\r\n` +
        `POST /c HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello` +
        `\r\nPUT /d HTTP/1.1\r\n${HOST}Transfer-Encoding: Chunked\r\nTrailer: x\r\n\r\n5;a=b;c="d\\"e"\r\nhello\r\nA\r\n0123456789\r\n0;last\r\nX: 1\r\n\r\n` +
        `POST /e HTTP/1.1\r\n${HOST}Content-Length: 0\r\nConnection: x, Close\r\n\r\n`,
    ),
  )
  t.is(problem, undefined)
  t.deepEqual(
    messages.map(({ head, body, trailers }) => [
      head.method,
      head.target,
      body,
      [...trailers],
      head.keepsAlive,
      head.isBodiless,
    ]),
    [
      ['GET', '/a?b', '', [], true, true],
      ['POST', '/c', 'hello', [], true, false],
      ['PUT', '/d', 'hello0123456789', ['x', '1'], true, false],
      ['POST', '/e', '', [], false, true],
    ],
  )
  t.deepEqual(messages[0]?.head.headers, ['host', 'a', 'x-odd', 'a b', 'x-odd', ''])
})

test('answers: counted, in chunks, to the end of the connection, without a reason', (t) => {
  const read = (text: string) => readAll(responseReader(), Buffer.from(text, 'latin1'))
  t.like(read('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404\r\nContent-Length: 0\r\n\r\n'), {
    messages: [
      { body: 'ok', head: { status: 200 } },
      { body: '', head: { status: 404 } },
    ],
    problem: undefined,
  })
  t.like(read('HTTP/1.0 200 \r\n\r\nall of it'), { messages: [{ body: 'all of it' }], problem: undefined })
  t.like(read('HTTP/1.1 200 O\xc4K\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n'), {
    messages: [{ body: 'a' }],
  })
  t.is(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell').problem, 'ended-early')
  t.is(read('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n').problem, 'ended-early')
  t.is(read('HTTP/1.1 200 OK\r\n').problem, 'ended-early')
  for (const line of [
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1 200OK',
    'http/1.1 200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/2 200 OK',
    'HTTP/1.2 200 OK',
    'HTTP/1.1 200 O\0K',
  ])
    t.not(read(`${line}\r\n\r\n`).problem, undefined, line)
  const reader = responseReader()
  const bytes = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 X\r\n\r\n')
  t.is(reader.read(bytes, 0, bytes.length), 'head')
  reader.withoutBody()
  t.is(reader.read(bytes, reader.at, bytes.length), 'end')
  t.is(reader.read(bytes, reader.at, bytes.length), 'head')
  t.is(reader.head.status, 304)
})

const REFUSED: Readonly<Record<string, string>> = {
  'both lengths': `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'both lengths, the other way': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`,
  'two lengths': `POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n`,
  'two equal lengths': `POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n`,
  'a list of lengths': `POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n`,
  'no length': `POST / HTTP/1.1\r\nContent-Length:\r\n\r\n`,
  'a length with a sign': `POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n`,
  'a negative length': `POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n`,
  'a hexadecimal length': `POST / HTTP/1.1\r\nContent-Length: 0x5\r\n\r\n`,
  'a length with a fraction': `POST / HTTP/1.1\r\nContent-Length: 5.0\r\n\r\n`,
  'a length beyond all': `POST / HTTP/1.1\r\nContent-Length: 9999999999999999\r\n\r\n`,
  'codings in a list': `POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n`,
  'a coding twice': `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'no coding': `POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n`,
  'another coding': `POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n`,
  'a quoted coding': `POST / HTTP/1.1\r\nTransfer-Encoding: "chunked"\r\n\r\n`,
  'a coding behind a vertical tab': `POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n`,
  'a coding in HTTP/1.0': `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'a folded line': `GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n`,
  'a line folded by a tab': `GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n`,
  'a blank before the first line': `GET / HTTP/1.1\r\n ${HOST}\r\n`,
  'a blank before a colon': `GET / HTTP/1.1\r\nHost : a\r\n\r\n`,
  'a line without colon': `GET / HTTP/1.1\r\nHost\r\n\r\n`,
  'a line without name': `GET / HTTP/1.1\r\n: a\r\n\r\n`,
  'a name with a bracket': `GET / HTTP/1.1\r\nX(: a\r\n\r\n`,
  'a name beyond ASCII': `GET / HTTP/1.1\r\nX\xe4: a\r\n\r\n`,
  'a bare LF between lines': `GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n`,
  'a bare LF behind the request line': `GET / HTTP/1.1\nX: a\r\n\r\n`,
  'bare LFs only': 'GET / HTTP/1.1\nX: a\n\n',
  'a bare CR in a value': `GET / HTTP/1.1\r\nX: a\rb\r\n\r\n`,
  'CR CR LF': `GET / HTTP/1.1\r\nX: a\r\r\n\r\n`,
  'a NUL in a value': `GET / HTTP/1.1\r\nX: a\0b\r\n\r\n`,
  'a DEL in a value': `GET / HTTP/1.1\r\nX: a\x7fb\r\n\r\n`,
  'two blanks in the request line': 'GET  / HTTP/1.1\r\n\r\n',
  'a tab in the request line': 'GET\t/ HTTP/1.1\r\n\r\n',
  'a blank in the target': 'GET /a b HTTP/1.1\r\n\r\n',
  'a blank behind the version': 'GET / HTTP/1.1 \r\n\r\n',
  'a blank before the method': ' GET / HTTP/1.1\r\n\r\n',
  'no version': 'GET /\r\n\r\n',
  'a version in lower case': 'GET / http/1.1\r\n\r\n',
  'HTTP/1.2': 'GET / HTTP/1.2\r\n\r\n',
  'HTTP/1.10': 'GET / HTTP/1.10\r\n\r\n',
  'HTTP/2.0': 'GET / HTTP/2.0\r\n\r\n',
  'a method with a bracket': 'GE(T / HTTP/1.1\r\n\r\n',
  'a NUL in the target': 'GET /\0 HTTP/1.1\r\n\r\n',
  'a target beyond ASCII': 'GET /\xe4 HTTP/1.1\r\n\r\n',
  'a chunk without size': `${CHUNKED}\r\n`,
  'a chunk of another size': `${CHUNKED}5\r\nhelloX\r\n`,
  'a chunk without its CR': `${CHUNKED}5\r\nhello\n0\r\n\r\n`,
  'a chunk whose line ends in LF': `${CHUNKED}5\nhello\r\n0\r\n\r\n`,
  'a negative chunk': `${CHUNKED}-5\r\nhello\r\n`,
  'a chunk with 0x': `${CHUNKED}0x5\r\nhello\r\n`,
  'a chunk with a blank before its size': `${CHUNKED} 5\r\nhello\r\n`,
  'a chunk with a blank behind its size': `${CHUNKED}5 \r\nhello\r\n`,
  'a chunk beyond all': `${CHUNKED}FFFFFFFFFFFFFF\r\n`,
  'zeros without end': `${CHUNKED}${'0'.repeat(20)}5\r\nhello\r\n`,
  'an extension without name': `${CHUNKED}5;\r\nhello\r\n`,
  'an extension with a blank': `${CHUNKED}5;a b\r\nhello\r\n`,
  'an extension with a bare LF': `${CHUNKED}5;a\nb\r\nhello\r\n`,
  'an extension with an open quote': `${CHUNKED}5;a="b\r\nhello\r\n`,
  'a trailer without name': `${CHUNKED}0\r\n: a\r\n\r\n`,
  'a trailer with a bare LF': `${CHUNKED}0\r\nX: a\nY: b\r\n\r\n`,
  'a folded trailer': `${CHUNKED}0\r\nX: a\r\n b\r\n\r\n`,
  'a trailer that is a length': `${CHUNKED}0\r\nContent-Length: 5\r\n\r\n`,
  'a trailer that is a coding': `${CHUNKED}0\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'a bare CR for the end': `${CHUNKED}0\r\n\rX`,
}

test('whatever two readers could take differently is refused, however it is cut', (t) => {
  for (const [what, text] of Object.entries(REFUSED)) {
    const bytes = Buffer.from(`${text}GET /smuggled HTTP/1.1\r\n\r\n`, 'latin1')
    for (const cuts of [[], bytes.toJSON().data.map(() => 1)]) {
      const { messages, problem } = readAll(requestReader(), bytes, cuts)
      t.not(problem, undefined, what)
      t.not(problem, 'ended-early', what)
      t.is(messages.length, 0, what)
    }
  }
})

test('what can become no line is not waited for', (t) => {
  for (const text of ['GET / HTTP/1.1\n', 'GET /\0', 'GET / HTTP/1.1\r\nX: a\rb', `${CHUNKED}0\r\nX: a\nb`, '\rX']) {
    const { problem } = requests(text)
    t.true(problem === 'invalid-header' || problem === 'invalid-start-line', `${JSON.stringify(text)}: ${problem}`)
  }
})

test('everything has a limit', (t) => {
  const long = (bytes: number): string => `GET / HTTP/1.1\r\nX: ${'a'.repeat(bytes - 23)}\r\n\r\n`
  t.is(long(LIMITS.maxHeadBytes).length, LIMITS.maxHeadBytes)
  t.is(requests(long(LIMITS.maxHeadBytes)).problem, undefined)
  t.is(requests(long(LIMITS.maxHeadBytes + 1)).problem, 'head-too-large')
  for (const step of [1, 7, 1000]) {
    const bytes = Buffer.from(long(LIMITS.maxHeadBytes))
    const cuts = Array.from({ length: Math.ceil(bytes.length / step) }, () => step)
    t.is(readAll(requestReader(), bytes, cuts).problem, undefined)
    const more = Buffer.from(`${long(LIMITS.maxHeadBytes + 1).slice(0, -4)}${'a'.repeat(100_000)}`)
    t.is(readAll(requestReader(), more, cuts).problem, 'head-too-large')
  }
  t.is(requests(`GET / HTTP/1.1\r\n${'X: a\r\n'.repeat(LIMITS.maxLines)}\r\n`).problem, undefined)
  t.is(requests(`GET / HTTP/1.1\r\n${'X: a\r\n'.repeat(LIMITS.maxLines + 1)}\r\n`).problem, 'too-many-lines')
  t.is(requests(`${CHUNKED}0\r\n${'X: a\r\n'.repeat(LIMITS.maxLines + 1)}\r\n`).problem, 'too-many-lines')
  t.is(requests(`${CHUNKED}0\r\nX: ${'a'.repeat(LIMITS.maxHeadBytes)}\r\n\r\n`).problem, 'head-too-large')
  t.is(requests(`${'\r\n'.repeat(MAX_EMPTY_LINES)}GET / HTTP/1.1\r\n\r\n`).problem, undefined)
  t.is(requests(`${'\r\n'.repeat(MAX_EMPTY_LINES + 1)}GET / HTTP/1.1\r\n\r\n`).problem, 'invalid-start-line')
  t.is(requests(`${CHUNKED}1;${'a'.repeat(MAX_CHUNK_EXTENSION_BYTES - 1)}\r\na\r\n0\r\n\r\n`).problem, undefined)
  // All extensions of a body together.
  const some = `1;${'a'.repeat(999)}\r\na\r\n`
  t.is(requests(`${CHUNKED}${some.repeat(17)}0\r\n\r\n`).problem, 'chunk-extensions-too-long')
  t.is(requests(`POST / HTTP/1.1\r\nContent-Length: ${'9'.repeat(15)}\r\n\r\n`).problem, 'ended-early')
})

test('behind an error nothing is read', (t) => {
  const reader = requestReader()
  const bad = Buffer.from('GET / HTTP/1.1\nX: a\r\n\r\n')
  t.throws(() => reader.read(bad, 0, bad.length))
  const good = Buffer.from('GET / HTTP/1.1\r\n\r\n')
  t.throws(() => reader.read(good, 0, good.length))
  t.throws(() => reader.finish())
})
