import { once } from 'node:events'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import { systemClock } from '@ambit/core'
import test from 'ava'
import { Http1Front } from '../src/http/http1-front.ts'
import { World } from './support/world.ts'

const HOST = 'Host: web\r\n'

const REFUSED: Readonly<Record<string, string>> = {
  'both lengths': `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'two lengths': `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
  'two equal lengths': `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
  'a list of lengths': `POST / HTTP/1.1\r\n${HOST}Content-Length: 5, 5\r\n\r\nhello`,
  'a length with a sign': `POST / HTTP/1.1\r\n${HOST}Content-Length: +5\r\n\r\nhello`,
  'a folded line': `GET / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`,
  'bare line feeds': 'GET / HTTP/1.1\nHost: web\n\n',
  'a bare line feed in the head': `GET / HTTP/1.1\r\nHost: web\nX: b\r\n\r\n`,
  'space before a colon': 'GET / HTTP/1.1\r\nHost : web\r\n\r\n',
  'space before the first header': `GET / HTTP/1.1\r\n ${HOST}\r\n`,
  'two hosts': `GET / HTTP/1.1\r\n${HOST}Host: other\r\n\r\n`,
  'no host': 'GET / HTTP/1.1\r\n\r\n',
  'a host that is none': 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
  'a host with a user': 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n',
  'codings in a list': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'an unknown coding': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'a coding twice': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a coding in HTTP/1.0': `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a coding behind a tab': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`,
  'no coding': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding:\r\n\r\n`,
  'a quoted coding': `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: "chunked"\r\n\r\n`,
  'a bare CR': `GET / HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`,
  'a name with a bracket': `GET / HTTP/1.1\r\n${HOST}X(: a\r\n\r\n`,
  'a method nobody knows': `SMUGGLE / HTTP/1.1\r\n${HOST}\r\n`,
  'two blanks': `GET  / HTTP/1.1\r\n${HOST}\r\n`,
  'empty lines without end': `${'\r\n'.repeat(20)}GET / HTTP/1.1\r\n${HOST}\r\n`,
  'a NUL': `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`,
  'a fragment': `GET /a#b HTTP/1.1\r\n${HOST}\r\n`,
  'an unknown version': `GET / HTTP/2.0\r\n${HOST}\r\n`,
  'no version': 'GET /\r\n\r\n',
  'a target that is no path': `GET admin HTTP/1.1\r\n${HOST}\r\n`,
  'an absolute target of another scheme': `GET ftp://web/ HTTP/1.1\r\n${HOST}\r\n`,
  'an absolute target with a user': `GET http://a@web/ HTTP/1.1\r\n${HOST}\r\n`,
  'a star that is no OPTIONS': `GET * HTTP/1.1\r\n${HOST}\r\n`,
}

test('requests two readers could take for different ones are refused, and nothing of them is sent on', async (t) => {
  await using world = await World.start()
  let requests = 0
  await world.serve(
    createServer((_request, response) => {
      requests++
      response.end('reached')
    }),
  )
  const client = world.client()
  for (const [what, bytes] of Object.entries(REFUSED)) {
    const answer = await client.raw(`${bytes}GET /smuggled HTTP/1.1\r\n${HOST}\r\n`)
    t.regex(answer, /^HTTP\/1\.1 400 /, what)
    t.notRegex(answer, /reached/, what)
    t.is(answer.match(/HTTP\/1\.1 /g)?.length, 1, what)
  }
  t.is(requests, 0)
  t.is((await client.request()).status, 200)
})

test('a body that breaks its framing never becomes a second request', async (t) => {
  await using world = await World.start()
  const seen: string[] = []
  await world.serve(
    createServer((request, response) => {
      seen.push(request.url ?? '')
      request.resume()
      request.on('end', () => response.end('ok'))
      request.on('error', () => undefined)
    }),
  )
  const client = world.client()
  const post = `POST /p HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`
  const smuggled = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`
  for (const body of [
    `zz\r\nhello\r\n0\r\n\r\n`,
    `5\nhello\r\n0\r\n\r\n`,
    `-5\r\nhello\r\n`,
    `5\r\nhelloX\r\n0\r\n\r\n`,
    `FFFFFFFFFFFFFFFFF\r\nhello`,
    `0x5\r\nhello\r\n`,
    `5 \r\nhello\r\n0\r\n\r\n`,
    `5;\r\nhello\r\n0\r\n\r\n`,
    `5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n`,
    `5\r\nhello\r\n0\r\nX: a\nY: b\r\n\r\n`,
  ]) {
    const answer = await client.raw(`${post}${body}${smuggled}`)
    t.notRegex(answer, /200 OK[\s\S]*200 OK/, body)
  }
  t.false(seen.includes('/smuggled'))
  const good = await client.raw(
    `${post}5;ext=1\r\nhello\r\n0\r\n\r\nGET /next HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
  )
  t.is(good.match(/HTTP\/1\.1 200 OK/g)?.length, 2)
  t.true(seen.includes('/next'))
})

test('an absolute target names the authority, whatever Host says', async (t) => {
  await using world = await World.start()
  const hosts: (string | undefined)[] = []
  world.policy('no-secret', { action: 1, rules: [{ to: [{ hosts: ['secret'] }] }] })
  await world.serve(
    createServer((request, response) => {
      hosts.push(request.headers.host)
      response.end(request.url)
    }),
    {},
    { authorizationPolicies: ['default/no-secret'] },
  )
  const client = world.client()
  t.regex(await client.raw(`GET http://secret/x HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`), /^HTTP\/1\.1 403/)
  t.regex(await client.raw(`GET http://open/x?y HTTP/1.1\r\nHost: secret\r\nConnection: close\r\n\r\n`), /\/x\?y/)
  t.deepEqual(hosts, ['open'])
})

test('head and target have limits', async (t) => {
  await using world = await World.start()
  await world.serve(createServer({ maxHeaderSize: 65_536 }, (_request, response) => response.end('ok')))
  const client = world.client()
  t.regex(await client.raw(`GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(62_000)}\r\n\r\n`), /^HTTP\/1\.1 431/)
  t.regex(await client.raw(`GET / HTTP/1.1\r\n${HOST}${'X: a\r\n'.repeat(101)}\r\n`), /^HTTP\/1\.1 431/)
  t.regex(await client.raw(`GET /${'a'.repeat(33_000)} HTTP/1.1\r\n${HOST}\r\n`), /^HTTP\/1\.1 414/)
  t.regex(
    await client.raw(`GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(50_000)}\r\nConnection: close\r\n\r\n`),
    /^HTTP\/1\.1 200/,
  )
})

test('a head that does not come to its end is not waited for', async (t) => {
  await using world = await World.start({ overrides: { headersTimeoutMs: 200 } })
  await world.serve(createServer((_request, response) => response.end('ok')))
  const answer = await world.client().raw(`GET / HTTP/1.1\r\n${HOST}X-Slow: `)
  t.regex(answer, /^HTTP\/1\.1 408/)
  const stream = await world.client().connect()
  stream.write('G')
  stream.resume()
  await once(stream, 'close')
  t.is((await world.client().request()).status, 200)
})

test('what a Connection header names goes no further, and no upgrade of HTTP/2 does', async (t) => {
  await using world = await World.start()
  let headers: Record<string, unknown> = {}
  await world.serve(
    createServer((request, response) => {
      headers = request.headers
      response.setHeader('connection', 'x-secret')
      response.setHeader('x-secret', '1')
      response.end('ok')
    }),
  )
  const answer = await world
    .client()
    .raw(
      `GET / HTTP/1.1\r\n${HOST}Connection: close, x-hop, upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nX-Hop: 1\r\nTE: trailers, deflate\r\nKeep-Alive: 5\r\n\r\n`,
    )
  t.regex(answer, /^HTTP\/1\.1 200/)
  t.notRegex(answer, /x-secret/i)
  for (const name of ['x-hop', 'upgrade', 'http2-settings', 'te', 'keep-alive']) t.is(headers[name], undefined, name)
})

test('requests sent at once are served one after the other, and not without end', async (t) => {
  await using world = await World.start()
  let atOnce = 0
  let most = 0
  const release = Promise.withResolvers<void>()
  await world.serve(
    createServer((request, response) => {
      atOnce++
      most = Math.max(most, atOnce)
      const answer = (): void => {
        atOnce--
        response.end(`<${request.url}>`)
      }
      if (request.url === '/stuck') void release.promise.then(answer)
      else setImmediate(answer)
    }),
  )
  const client = world.client()
  const ten = Array.from(
    { length: 10 },
    (_, i) => `GET /${i} HTTP/1.1\r\n${HOST}${i === 9 ? 'Connection: close\r\n' : ''}\r\n`,
  )
  const answer = await client.raw(ten.join(''))
  t.deepEqual(
    answer.match(/<[^>]*>/g),
    Array.from({ length: 10 }, (_, i) => `</${i}>`),
  )
  t.is(most, 1)
  const cut = await client.raw(`GET /stuck HTTP/1.1\r\n${HOST}\r\n`.repeat(1000))
  t.is(cut, '')
  t.is(most, 1)
  const upgrade = `GET /up HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`
  t.is(await client.raw(`GET /stuck HTTP/1.1\r\n${HOST}\r\n${upgrade}`), '')
  release.resolve()
  t.is((await client.request()).status, 200)
})

/** Requests that are carried out of what comes on a connection, each answered as told. */
async function carriedOut(
  pieces: readonly string[],
  before: (front: Http1Front, stream: Duplex) => void,
): Promise<{ readonly seen: readonly string[]; readonly said: string }> {
  const front = new Http1Front({ clock: systemClock })
  const seen: string[] = []
  let said = ''
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      said += chunk.toString('latin1')
      done()
    },
  })
  stream.on('error', () => undefined)
  void front.serve(stream, {
    request: (exchange) => {
      seen.push(exchange.head.target)
      exchange.respond({ status: 403, headers: [] }, { bodiless: true })
    },
    protocolError: () => undefined,
  })
  before(front, stream)
  for (const piece of pieces) {
    stream.push(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  front.close()
  return { seen, said }
}

test('a request that can not be answered any more is not carried out', async (t) => {
  const request = `GET /late HTTP/1.1\r\n${HOST}\r\n`
  t.deepEqual((await carriedOut([request], () => undefined)).seen, ['/late'])
  t.deepEqual((await carriedOut([request], (front) => front.closeIdle())).seen, [])
  t.deepEqual((await carriedOut([request], (front, stream) => front.leave(stream))).seen, [])
})

test('requests in one piece, answered at once, are answered each, and none behind what is refused', async (t) => {
  const requests = ['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`)
  const { seen, said } = await carriedOut(
    [`${requests.join('')}GET /4 HTTP/1.1\r\n\r\n${requests[0] ?? ''}`],
    () => undefined,
  )
  t.deepEqual(seen, ['/1', '/2', '/3'])
  t.is(said.match(/HTTP\/1\.1 403 /g)?.length, 3)
  t.regex(said, /HTTP\/1\.1 400 [^]*connection: close\r\n[^]*$/)
})
