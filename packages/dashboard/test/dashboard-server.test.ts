import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { ip, silentLogger, systemClock } from '@ambit/core'
import { FakeClock } from '@ambit/testing'
import test from 'ava'
import { DashboardServer } from '../src/dashboard-server.ts'
import type { DashboardFeed } from '../src/feed.types.ts'
import {
  HEADERS_TIMEOUT_MS,
  LAUNCH_MS,
  MAX_CONNECTIONS,
  MAX_EVENT_STREAMS,
  MAX_EXPLAINED_AT_ONCE,
  SLOW_PAGE_MS,
  TICK_MS,
} from '../src/limits.ts'
import { readPageFiles } from '../src/page-files.ts'
import type { Topology } from '../src/topology.types.ts'

const EMPTY: Topology = {
  at: '2026-01-01T00:00:00.000Z',
  nodes: [],
  edges: [],
  servings: [],
  leftOut: 0,
  health: { proxies: 0, problems: [] },
}
const files = readPageFiles()

interface Running extends AsyncDisposable {
  readonly url: URL
  readonly server: DashboardServer
  readonly clock: FakeClock
}

async function start(feed: Partial<DashboardFeed> = {}): Promise<Running> {
  const clock = new FakeClock()
  const server = new DashboardServer({
    feed: {
      greeting: { version: '0', context: 'test' },
      topology: () => EMPTY,
      edge: () => undefined,
      explain: async () => await Promise.reject(new Error('nobody knows')),
      ...feed,
    },
    files,
    clock,
    logger: silentLogger,
  })
  const url = new URL(await server.listen({ ip: ip('127.0.0.1'), port: 0 }))
  return { url, server, clock, [Symbol.asyncDispose]: () => server.close() }
}

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

/** node:http and not fetch: it sends the Host that it is told. */
async function ask(
  url: URL | string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const outgoing = request(url, { agent: false, ...options }, (response) => {
    let body = ''
    response.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
  })
  outgoing.on('error', reject)
  outgoing.end()
  return await promise
}

/** A stream of events, read as far as the test wants. */
async function follow(
  url: URL,
): Promise<AsyncDisposable & { next(): Promise<string>; status: number; ended: Promise<void> }> {
  const gone = new AbortController()
  const response = await fetch(new URL('events', url), { signal: gone.signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const ended = Promise.withResolvers<void>()
  let text = ''
  return {
    status: response.status,
    ended: ended.promise,
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end >= 0) {
          const event = text.slice(0, end)
          text = text.slice(end + 2)
          return event
        }
        const read = await reader?.read()
        if (read?.value === undefined) return 'ended'
        text += read.value
      }
    },
    async [Symbol.asyncDispose]() {
      gone.abort()
      await Promise.resolve()
    },
  }
}

test('the page, with nothing from elsewhere allowed', async (t) => {
  await using running = await start()
  const { status, headers, body } = await ask(running.url)
  t.is(status, 200)
  t.is(headers['content-type'], 'text/html; charset=utf-8')
  t.regex(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self';/)
  t.notRegex(String(headers['content-security-policy']), /unsafe|\*|http/)
  t.is(headers['referrer-policy'], 'no-referrer')
  t.is(headers['cache-control'], 'no-store')
  t.is(headers['x-content-type-options'], 'nosniff')
  t.is(headers['access-control-allow-origin'], undefined)
  t.regex(body, /<title>Ambit dashboard/)
})

test('every file of the page', async (t) => {
  await using running = await start()
  for (const [name, { body }] of files) t.is((await ask(new URL(name, running.url))).body, body.toString('utf8'), name)
})

const refused = test.macro({
  async exec(t, status: number, path: (url: URL) => string, options: Parameters<typeof ask>[1] = {}) {
    await using running = await start()
    const answer = await ask(new URL(path(running.url), running.url), options)
    t.is(answer.status, status)
    t.notRegex(answer.body, /<title>/)
  },
  title: (name) => `refused: ${name}`,
})

test('another Host', refused, 403, (url) => url.pathname, { headers: { host: 'attacker.example' } })
test('no token', refused, 403, () => '/')
test('a wrong token', refused, 403, () => '/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/')
test('data without token', refused, 403, () => '/events')
test('POST', refused, 405, (url) => url.pathname, { method: 'POST' })
test('data for another site', refused, 403, (url) => `${url.pathname}events`, {
  headers: { 'sec-fetch-site': 'cross-site' },
})
test('a file that is none of the page', refused, 404, (url) => `${url.pathname}tsconfig.json`)
test('an edge that is not there', refused, 404, (url) => `${url.pathname}edge?id=x`)
test('headers beyond the limit', refused, 431, (url) => `${url.pathname}explain?question=${'x'.repeat(20_000)}`)

test('paths out of the folder lead nowhere, however they are written', async (t) => {
  await using running = await start()
  const { port } = running.url
  for (const path of ['../limits.ts', '%2e%2e/limits.ts', '..%2flimits.ts', './/etc/passwd', '%00', '..\\limits.ts']) {
    // Through a bare socket: every client tidies paths.
    const text = await raw(
      Number(port),
      `GET ${running.url.pathname}${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
    )
    t.regex(text, /^HTTP\/1\.1 40[034] /, path)
    t.notRegex(text, /MAX_CONNECTIONS|root:/)
  }
})

async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('utf8').on('data', (part: string) => {
    answer += part
  })
  socket.write(text)
  await new Promise((resolve) => socket.once('close', resolve))
  return answer
}

test('the address for a browser’s arguments works once', async (t) => {
  await using running = await start()
  const launch = running.server.launchUrl()
  t.notRegex(launch, new RegExp(running.url.pathname))
  const first = await ask(launch)
  t.is(first.status, 303)
  t.is(first.headers['location'], running.url.pathname)
  t.is((await ask(launch)).status, 403)
})

test('the address for a browser’s arguments is tried once, then it is no longer good, nor after a minute', async (t) => {
  await using running = await start()
  const launch = running.server.launchUrl()
  t.is((await ask(`${launch}x`)).status, 403)
  t.is((await ask(launch)).status, 403)
  const late = running.server.launchUrl()
  await running.clock.advance(LAUNCH_MS)
  t.is((await ask(late)).status, 403)
})

test('events: a greeting, the state, and news', async (t) => {
  let at = 0
  await using running = await start({ topology: () => ({ ...EMPTY, at: String(at++) }) })
  await using events = await follow(running.url)
  t.is(await events.next(), 'event: greeting\ndata: {"version":"0","context":"test"}')
  t.regex(await events.next(), /^event: topology\ndata: \{"at":"0"/)
  await running.clock.advance(TICK_MS)
  t.regex(await events.next(), /^event: topology\ndata: \{"at":"1"/)
})

test('a page that does not read is let go, and others are served', async (t) => {
  const big = 'x'.repeat(4_000_000)
  let at = 0
  await using running = await start({
    topology: () => ({ ...EMPTY, at: `${at++}`, health: { proxies: 0, problems: [big] } }),
  })
  const socket: Socket = connect(Number(running.url.port), '127.0.0.1')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.pause()
  socket.write(`GET ${running.url.pathname}events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  await new Promise((resolve) => socket.once('readable', resolve))
  for (let i = 0; i < SLOW_PAGE_MS / TICK_MS - 1; i++) await running.clock.advance(TICK_MS)
  t.true(at > 10)
  await running.clock.advance(2 * TICK_MS)
  socket.resume()
  socket.on('error', () => undefined)
  await closed
  await using next = await follow(running.url)
  t.is(next.status, 200)
})

test('pages beyond the limit are told', async (t) => {
  await using running = await start()
  const open = await Promise.all(Array.from({ length: MAX_EVENT_STREAMS }, () => follow(running.url)))
  t.true(open.every(({ status }) => status === 200))
  const further = await ask(new URL('events', running.url))
  t.is(further.status, 503)
  t.regex(further.body, /close one/)
  for (const one of open) await one[Symbol.asyncDispose]()
})

test('connections beyond the limit are closed', async (t) => {
  await using running = await start()
  const sockets = Array.from({ length: MAX_CONNECTIONS + 3 }, () => connect(Number(running.url.port), '127.0.0.1'))
  const closed = sockets.map(
    (socket) =>
      new Promise<Socket>((resolve) => socket.on('error', () => undefined).once('close', () => resolve(socket))),
  )
  await Promise.any(closed)
  t.true(sockets.filter((socket) => !socket.closed).length <= MAX_CONNECTIONS + 2)
  for (const socket of sockets) socket.destroy()
})

test('who never ends the headers is let go', async (t) => {
  await using running = await start()
  const started = performance.now()
  const answer = await raw(Number(running.url.port), 'GET / HTTP/1.1\r\nHost: 127')
  t.regex(answer, /^HTTP\/1\.1 408 /)
  t.true(performance.now() - started >= HEADERS_TIMEOUT_MS - 50)
})

const QUESTION = {
  from: { kind: 'account', namespace: 'books', serviceAccount: 'reviews' },
  to: { kind: 'service', namespace: 'books', name: 'ratings', port: 9080 },
  request: { method: 'GET', path: '/ratings/1', headers: [['X-User', 'jason']] },
}
const explainUrl = (url: URL, question: unknown): URL =>
  new URL(
    `explain?question=${encodeURIComponent(typeof question === 'string' ? question : JSON.stringify(question))}`,
    url,
  )

test('a question is passed on as it was asked', async (t) => {
  const asked: unknown[] = []
  await using running = await start({
    explain: async (question) => {
      asked.push(question)
      return await Promise.resolve({ outcome: 'allowed' } as never)
    },
  })
  t.deepEqual(JSON.parse((await ask(explainUrl(running.url, QUESTION))).body), { outcome: 'allowed' })
  t.deepEqual(asked, [{ ...QUESTION, request: { ...QUESTION.request, headers: [['x-user', 'jason']] } }])
})

const badQuestion = test.macro({
  async exec(t, question: unknown, message: RegExp) {
    await using running = await start()
    const { status, body } = await ask(explainUrl(running.url, question))
    t.is(status, 400)
    t.regex(body, message)
  },
  title: (name) => `no question: ${name}`,
})

test('no JSON', badQuestion, '{', /is no JSON/)
test('nothing', badQuestion, '', /is no JSON/)
test('a list', badQuestion, [], /the question is missing/)
test('no client', badQuestion, { to: QUESTION.to }, /from is missing/)
test('another kind of client', badQuestion, { ...QUESTION, from: { kind: 'ghost' } }, /pod, account/)
test('a port that is none', badQuestion, { ...QUESTION, to: { ...QUESTION.to, port: 70_000 } }, /70000 is no port/)
test('a method with a blank', badQuestion, { ...QUESTION, request: { method: 'G T', path: '/' } }, /is no method/)
test('a path without stroke', badQuestion, { ...QUESTION, request: { method: 'GET', path: 'x' } }, /begins with/)
test(
  'a header with a line break in its name',
  badQuestion,
  { ...QUESTION, request: { method: 'GET', path: '/', headers: [['a\nb', '']] } },
  /a header is/,
)
test(
  'too many headers',
  badQuestion,
  { ...QUESTION, request: { method: 'GET', path: '/', headers: Array.from({ length: 65 }, () => ['a', '']) } },
  /more than 64/,
)

test('why nothing can be explained is said', async (t) => {
  await using running = await start()
  const { status, body } = await ask(explainUrl(running.url, QUESTION))
  t.is(status, 502)
  t.deepEqual(JSON.parse(body), { error: 'nobody knows' })
})

test('questions beyond the limit are told to wait', async (t) => {
  const begun = Array.from({ length: MAX_EXPLAINED_AT_ONCE }, () => Promise.withResolvers<void>())
  const held = Promise.withResolvers<never>()
  let count = 0
  await using running = await start({
    explain: async () => {
      begun[count++]?.resolve()
      return await held.promise
    },
  })
  const first = begun.map(() => ask(explainUrl(running.url, QUESTION)))
  await Promise.all(begun.map(({ promise }) => promise))
  t.is((await ask(explainUrl(running.url, QUESTION))).status, 429)
  held.reject(new Error('no'))
  t.deepEqual(
    (await Promise.all(first)).map(({ status }) => status),
    begun.map(() => 502),
  )
})

test('a port that is taken is said', async (t) => {
  await using running = await start()
  const other = new DashboardServer({ feed: {} as never, files, clock: systemClock, logger: silentLogger })
  const error = await t.throwsAsync(other.listen({ ip: ip('127.0.0.1'), port: Number(running.url.port) }))
  t.regex(error?.message ?? '', /can't listen on 127\.0\.0\.1:\d+.*--port 0/)
})
