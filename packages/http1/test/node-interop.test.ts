import { createServer, METHODS } from 'node:http'
import { Duplex } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { headText } from '../src/index.ts'
import { lowerNames, readAll, readByNode, requestReader, responseReader } from './reading.ts'

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/)
const value = fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,40}$/).map((text) => text.replace(/^[\t ]+|[\t ]+$/g, ''))
const FRAMES = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'expect',
  'host',
  'trailer',
  'date',
  'keep-alive',
  'proxy-connection',
  'cookie',
  'set-cookie',
])
const headers = fc
  .array(fc.tuple(token, value), { maxLength: 8 })
  .map((pairs) => pairs.filter(([name]) => !FRAMES.has(name.toLowerCase())).flat())
const body = fc.array(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).map((text) => latin1(text)),
  { maxLength: 4 },
)
const method = fc.constantFrom(...METHODS.filter((name) => name !== 'CONNECT'))
const target = fc.stringMatching(/^\/[!-~]{0,30}$/)
const cuts = fc.array(fc.nat({ max: 40 }), { maxLength: 12 })

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

interface Sent {
  readonly method: string
  readonly target: string
  readonly headers: readonly string[]
  readonly body: readonly string[]
  readonly trailers: readonly string[]
  readonly isChunked: boolean
}

const request: fc.Arbitrary<Sent> = fc.record({
  method,
  target,
  headers,
  body,
  trailers: headers,
  isChunked: fc.boolean(),
})

function written(sent: Sent): string {
  const line = `${sent.method} ${sent.target} HTTP/1.1`
  const whole = sent.body.join('')
  if (!sent.isChunked) return headText(line, [...sent.headers, 'Content-Length', String(whole.length)]) + whole
  const chunks = sent.body.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')
  return `${headText(line, [...sent.headers, 'Transfer-Encoding', 'chunked'])}${chunks}0\r\n${headText('', sent.trailers).slice(2)}`
}

test('what is written is read the same by Node, and by us however it is cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 4 }), cuts, async (all, at) => {
      const bytes = Buffer.from(all.map(written).join(''), 'latin1')
      const ours = readAll(requestReader(), bytes, at)
      t.is(ours.problem, undefined)
      t.deepEqual(ours, readAll(requestReader(), bytes))
      t.deepEqual(
        ours.messages.map((each) => [each.head.method, each.head.target, each.body, [...each.trailers]]),
        all.map((sent) => [
          sent.method,
          sent.target,
          sent.body.join(''),
          sent.isChunked ? lowerNames(sent.trailers) : [],
        ]),
      )
      const node = await readByNode(bytes)
      t.deepEqual(
        node.messages.map(({ head, body: text, trailers }) => [
          head.method,
          head.url,
          lowerNames(head.rawHeaders),
          text,
          trailers,
        ]),
        ours.messages.map(({ head, body: text, trailers }) => [head.method, head.target, head.headers, text, trailers]),
      )
    }),
    { numRuns: 300 },
  )
})

test('what Node answers is read as it was meant', async (t) => {
  const answer = fc.record({
    status: fc.integer({ min: 200, max: 599 }).filter((code) => ![204, 205, 304].includes(code)),
    headers,
    body,
    trailers: headers,
    isChunked: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(answer, cuts, async (sent, at) => {
      const whole = sent.body.join('')
      const server = createServer((_request, response) => {
        response.sendDate = false
        response.writeHead(sent.status, [
          ...sent.headers,
          ...(sent.isChunked ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(whole.length)]),
        ])
        for (const chunk of sent.body) response.write(Buffer.from(chunk, 'latin1'))
        if (sent.isChunked)
          for (let index = 0; index < sent.trailers.length; index += 2)
            response.addTrailers([[sent.trailers[index] ?? '', sent.trailers[index + 1] ?? '']])
        response.end()
      })
      const parts: Buffer[] = []
      const over = Promise.withResolvers<void>()
      const connection = new Duplex({
        read: () => undefined,
        write: (chunk: Buffer, _encoding, done) => {
          parts.push(chunk)
          done()
        },
        final: (done) => {
          over.resolve()
          done()
        },
      })
      server.emit('connection', connection)
      connection.push('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      await over.promise
      const { messages, problem } = readAll(responseReader(), Buffer.concat(parts), at)
      t.is(problem, undefined)
      t.is(messages.length, 1)
      const [message] = messages
      t.is(message?.head.status, sent.status)
      t.is(message?.body, whole)
      t.deepEqual(message?.head.headers.slice(0, sent.headers.length), lowerNames(sent.headers))
    }),
    { numRuns: 200 },
  )
})

/** Bytes that mean something to some reader. */
const INTERESTING = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\n\n',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '\0',
  '\x0b',
  '\x7f',
  '\x80',
  '\xff',
  '"',
  '0',
  '1',
  'a',
  'G',
  '-',
  '+',
  '(',
  'chunked',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Connection: close\r\n',
  'Expect: 100-continue\r\n',
  'HTTP/1.0',
  ' HTTP/1.1',
]
const change = fc.record({
  at: fc.nat({ max: 400 }),
  removed: fc.integer({ min: 0, max: 3 }),
  put: fc.constantFrom('', ...INTERESTING),
})

function changed(text: string, changes: readonly { at: number; removed: number; put: string }[]): string {
  let out = text
  for (const { at, removed, put } of changes) {
    const from = at % (out.length + 1)
    out = out.slice(0, from) + put + out.slice(from + removed)
  }
  return out
}

test('whatever is accepted of broken requests, Node’s strict parser accepts as the same', async (t) => {
  let accepted = 0
  let refused = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 3 }),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      cuts,
      async (all, changes, at) => {
        const bytes = Buffer.from(changed(all.map(written).join(''), changes), 'latin1')
        const ours = readAll(requestReader(), bytes, at)
        const whole = readAll(requestReader(), bytes)
        // Where it is cut decides only how soon an error is seen.
        t.deepEqual(ours.messages, whole.messages)
        t.is(ours.problem === undefined, whole.problem === undefined)
        if (ours.problem === undefined) accepted++
        else refused++
        const known: (typeof ours.messages)[number][] = []
        for (const message of ours.messages) {
          const { method: name, target: asked } = message.head
          // Which methods there are, and what a target is, whoever serves requests decides.
          if (!METHODS.includes(name) || name === 'CONNECT' || !asked.startsWith('/')) break
          known.push(message)
          // Node takes what frames messages for that in trailers, too.
          if (message.trailers.some((text, index) => index % 2 === 0 && FRAMES.has(text))) break
        }
        const node = await readByNode(bytes)
        t.deepEqual(
          node.messages
            .slice(0, known.length)
            .map(({ head, body: text, trailers }) => [
              head.method,
              head.url,
              lowerNames(head.rawHeaders),
              text,
              trailers,
            ]),
          known.map(({ head, body: text, trailers }) => [head.method, head.target, head.headers, text, trailers]),
        )
      },
    ),
    { numRuns: 3000 },
  )
  t.log(`${accepted} accepted, ${refused} refused`)
  t.true(accepted > 100 && refused > 100)
})

test('no bytes whatever do anything but be read or refused', (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.constantFrom(...INTERESTING, 'GET / ', 'HTTP/1.1 200 OK', '5\r\nhello'),
          fc.string({ unit: 'binary', maxLength: 8 }),
        ),
        { maxLength: 30 },
      ),
      cuts,
      (parts, at) => {
        const bytes = Buffer.from(parts.join(''), 'latin1')
        for (const make of [requestReader, responseReader]) {
          const cut = readAll<never>(make() as never, bytes, at)
          const whole = readAll<never>(make() as never, bytes)
          t.deepEqual(cut.messages, whole.messages)
          t.is(cut.problem === undefined, whole.problem === undefined)
        }
      },
    ),
    { numRuns: 3000 },
  )
})
