import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http2'
import { createServer as createTcp } from 'node:net'
import test from 'ava'
import { Protocol, textOf, World } from './support/world.ts'

function application(seen: string[]): Server {
  return createServer((request, response) => {
    seen.push(`${request.method ?? ''} ${request.url ?? ''}`)
    request.resume()
    request.on('end', () => response.end('ok'))
  })
}

test('a method in lower case is not made another one on its way', async (t) => {
  await using world = await World.start()
  const seen: string[] = []
  world.policy('keep', { action: 1, rules: [{ to: [{ methods: ['DELETE'] }] }] })
  await world.serve(application(seen), {}, { authorizationPolicies: ['default/keep'] })
  const session = await world.client().http2()
  for (const method of ['DELETE', 'delete', 'Delete', 'connect']) {
    const request = session.request({ ':path': '/', ':method': method }, { endStream: true })
    const text = textOf(request)
    const [headers] = (await once(request, 'response')) as [IncomingHttpHeaders]
    t.true([400, 403].includes(Number(headers[':status'])), method)
    await text
  }
  const raw = await world.client().raw('delete / HTTP/1.1\r\nHost: web\r\n\r\n')
  t.regex(raw, /^HTTP\/1\.1 400/)
  t.deepEqual(seen, [])
  session.destroy()
})

test('what an endpoint takes for a request inside CONNECT never gets to it', async (t) => {
  await using world = await World.start()
  world.policy('no-admin', { action: 1, rules: [{ to: [{ paths: ['/admin*'] }] }] })
  // As servers do whose handlers do not look at the method: answered, and the connection goes on.
  const heads: string[] = []
  const app = createTcp((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      heads.push(chunk.toString())
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
  })
  await world.serve(app, {}, { authorizationPolicies: ['default/no-admin'] })
  const client = world.client()
  const answer = await client.raw(
    'CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\nGET /admin HTTP/1.1\r\nHost: web\r\n\r\n',
  )
  t.regex(answer, /^HTTP\/1\.1 403/)
  const session = await client.http2()
  const request = session.request({ ':method': 'CONNECT', ':authority': 'web:80' })
  const [headers] = (await once(request, 'response')) as [IncomingHttpHeaders]
  t.is(Number(headers[':status']), 403)
  session.destroy()
  t.deepEqual(heads, [])
})

test('no protocol but WebSocket takes a connection over', async (t) => {
  await using world = await World.start()
  const seen: string[] = []
  const app = application(seen)
  let upgrades = 0
  app.on('upgrade', (_request, socket) => {
    upgrades++
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  await world.serve(app)
  for (const protocol of ['websocket, h2c', 'foo, h2c', 'TLS/1.0', 'spdy/3.1', 'h2c', ',websocket']) {
    const answer = await world
      .client()
      .raw(`GET / HTTP/1.1\r\nHost: web\r\nConnection: upgrade, close\r\nUpgrade: ${protocol}\r\n\r\n`)
    t.regex(answer, /^HTTP\/1\.1 200/, protocol)
  }
  t.is(upgrades, 0)
  t.is(seen.length, 6)
})

test('a request in the same bytes behind a refused one is not served', async (t) => {
  await using world = await World.start()
  const seen: string[] = []
  await world.serve(application(seen))
  const client = world.client()
  // A connection to the endpoint is kept, so that the second request needs nothing that takes time.
  t.is((await client.request({ path: '/first' })).status, 200)
  const answer = await client.raw(
    'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nPOST /next HTTP/1.1\r\nHost: web\r\n\r\n',
  )
  t.regex(answer, /^HTTP\/1\.1 400/)
  t.is((await client.request({ path: '/last' })).status, 200)
  t.deepEqual(seen, ['GET /first', 'GET /last'])
})

test('requests that wait behind the last answer of a connection are not carried out', async (t) => {
  await using world = await World.start({ config: { minDrainMs: 2000, drainDeadlineMs: 5000 } })
  const seen: string[] = []
  const arrived = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const app = createServer((request, response) => {
    seen.push(request.url ?? '')
    arrived.resolve()
    void release.promise.then(() => response.end('ok'))
  })
  await world.serve(app)
  const answer = world
    .client()
    .raw('GET /one HTTP/1.1\r\nHost: web\r\n\r\nPOST /two HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n')
  await arrived.promise
  const drained = world.app.drain()
  release.resolve()
  t.regex(await answer, /connection: close/i)
  await drained
  t.deepEqual(seen, ['/one'])
})

test('an answer before the end of the body does not keep the next request waiting', async (t) => {
  await using world = await World.start()
  const app = createServer((request, response) => {
    if (request.url === '/early') response.writeHead(413).end('early')
    else response.end('second')
  })
  await world.serve(app)
  const body = 'a'.repeat(2_000_000)
  const text = await world
    .client()
    .raw(
      `POST /early HTTP/1.1\r\nHost: web\r\nContent-Length: ${body.length}\r\n\r\n${body}GET /2 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n`,
    )
  t.regex(text, /^HTTP\/1\.1 413 [\s\S]*HTTP\/1\.1 200 OK[\s\S]*second/)
})

test('the rest of a body that comes after its answer is read over, and the next request served', async (t) => {
  await using world = await World.start()
  await world.serve(
    createServer((request, response) => {
      if (request.url === '/early') response.writeHead(413).end('early')
      else response.end('second')
    }),
  )
  const stream = await world.client().connect()
  let said = ''
  stream.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1')
  })
  stream.write('POST /early HTTP/1.1\r\nHost: web\r\nContent-Length: 20\r\n\r\n0123456789')
  await world.applied(() => Promise.resolve(said.includes('early')))
  stream.write('0123456789GET /2 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n')
  await world.applied(() => Promise.resolve(said.includes('second')))
  t.regex(said, /^HTTP\/1\.1 413 [\s\S]*HTTP\/1\.1 200 OK[\s\S]*second/)
  stream.destroy()
})

test('trailers that are announced and can not come are no fault', async (t) => {
  await using world = await World.start()
  const app = createTcp((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nContent-Length: 2\r\n\r\nok'))
  })
  await world.serve(app)
  const head = 'Host: web\r\nConnection: close\r\nTrailer: X-Sum\r\n'
  t.regex(await world.client().raw(`GET / HTTP/1.1\r\n${head}\r\n`), /^HTTP\/1\.1 200[\s\S]*ok$/)
  t.regex(await world.client().raw(`POST / HTTP/1.1\r\n${head}Content-Length: 1\r\n\r\na`), /^HTTP\/1\.1 200/)
  t.regex(await world.client().raw(`HEAD / HTTP/1.1\r\n${head}\r\n`), /^HTTP\/1\.1 200/)
})

const ODD_REQUESTS: readonly string[] = [
  '\r\nGET / HTTP/1.1\r\nHost: web\r\n\r\n',
  '\n\n\nGET / HTTP/1.1\r\nHost: web\r\n\r\n',
  'GET  / HTTP/1.1\r\nHost: web\r\n\r\n',
  'GET\t/ HTTP/1.1\r\nHost: web\r\n\r\n',
  'GET /a b HTTP/1.1\r\nHost: web\r\n\r\n',
  ' GET / HTTP/1.1\r\nHost: web\r\n\r\n',
  'GET / http/1.1\r\nHost: web\r\n\r\n',
  'GET / HTTP/1.1 \r\nHost: web\r\n\r\n',
  'GET / HTTP/1.1\rHost: web\r\r',
  'GET /\r\n\r\n',
  `${'A'.repeat(40)} / HTTP/1.1\r\nHost: web\r\n\r\n`,
  `GET /${'a'.repeat(5000)} HTTP/1.1\r\nHost: web\r\n\r\n`,
]

test('no spelling of a request passes for TCP where nothing is declared', async (t) => {
  await using world = await World.start({ overrides: { headersTimeoutMs: 200 } })
  const app = createTcp((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (chunk: Buffer) => {
      const isSeen = chunk.toString().includes('x-request-id')
      socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${isSeen ? 'as a request' : 'as bytes'}`)
    })
  })
  await world.serve(app, { protocol: Protocol.UNKNOWN })
  const client = world.client()
  for (const text of ODD_REQUESTS) {
    const stream = await client.connect()
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.write(text)
    await once(stream, 'data')
    t.notRegex(Buffer.concat(chunks).toString(), /as bytes/, JSON.stringify(text.slice(0, 30)))
    stream.destroy()
  }
  const half = await client.connect()
  half.end('GET /admin')
  const chunks: Buffer[] = []
  half.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(half, 'close')
  t.notRegex(Buffer.concat(chunks).toString(), /as bytes/)
  t.regex(await client.raw('HELO there\r\n'), /as bytes/)
  t.regex(await client.raw('{"json": 1}'), /as bytes/)
  t.regex(await client.raw('GET key\r\n'), /as bytes/)
})

test('a header of proxies is not believed with underscores either', async (t) => {
  await using world = await World.start()
  let names: readonly string[] = []
  await world.serve(
    createServer((request, response) => {
      names = Object.keys(request.headers)
      response.end('ok')
    }),
  )
  await world.client().request({
    headers: {
      x_forwarded_client_cert: 'forged',
      'x-forwarded_client-cert': 'forged',
      'x_envoy_peer_metadata-id': 'x',
    },
  })
  t.deepEqual(
    names.filter((name) => /cert|peer/.test(name)),
    [],
  )
})

test('no place hides a token that was not checked', async (t) => {
  await using world = await World.start()
  await world.serve(application([]), {}, { authenticatesRequests: true })
  const client = world.client()
  t.is((await client.request({ path: '/?x=1' })).status, 200)
  for (const query of [
    'access_token=x',
    'access%5Ftoken=x&a=%',
    'a=%&access%5ftoken=x',
    'a=1;access_token=x',
    'access_token',
  ])
    t.is((await client.request({ path: `/?${query}` })).status, 401, query)
  const head = 'GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n'
  const twice = await client.raw(`${head}Authorization: Basic x\r\nAuthorization: Bearer y\r\n\r\n`)
  t.regex(twice, /^HTTP\/1\.1 401/)
})

test('nobody chooses the address policies know it by', async (t) => {
  await using world = await World.start()
  world.policy('office', { rules: [{ from: [{ remoteIpBlocks: ['203.0.113.0/24'] }] }] })
  await world.serve(application([]), {}, { authorizationPolicies: ['default/office'] })
  const client = world.client()
  for (const claim of ['203.0.113.7', '9.9.9.9, 203.0.113.7', '203.0.113.7:80', '::ffff:203.0.113.7'])
    t.is((await client.request({ headers: { 'x-forwarded-for': claim } })).status, 403, claim)
  world.policy('office', { action: 1, rules: [{ from: [{ remoteIpBlocks: ['203.0.113.0/24'] }] }] })
  await world.applied(async () => (await client.request()).status === 200)
  t.is((await client.request({ headers: { 'x-forwarded-for': '203.0.113.7' } })).status, 403)
  const hop =
    'GET / HTTP/1.1\r\nHost: web\r\nConnection: close, x-forwarded-for\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n'
  t.regex(await client.raw(hop), /^HTTP\/1\.1 403/)
})
