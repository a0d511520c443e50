import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcp } from 'node:net'
import test from 'ava'
import { answerOf, type RouteInit, textOf, VIP, World } from './support/world.ts'

const HOST = 'web.default.svc.cluster.local'

function backend(more: object = {}): object {
  return { namespace: 'default', hostname: HOST, port: 80, weight: 1, protocol: 2, ...more }
}

function to(...backends: object[]): NonNullable<RouteInit['action']> {
  return { case: 'backends', value: { backends } }
}

async function serveRoutes(
  world: World,
  routes: readonly RouteInit[],
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<void> {
  await world.serve(createServer(handler), { routes: { routes: [...routes] } })
}

test('routes match, change headers and paths, redirect, and refuse', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  await serveRoutes(
    world,
    [
      {
        name: 'default.r.0',
        match: { path: { case: 'pathPrefix', value: '/old' } },
        rewrite: { hostname: 'inside', path: { change: { case: 'prefix', value: '/new' } } },
        requestHeaders: { set: [{ name: 'x-set', value: '1' }], add: [], remove: ['x-gone'] },
        responseHeaders: { set: [{ name: 'x-answer', value: '2' }], add: [], remove: ['x-app'] },
        action: to(backend()),
      },
      {
        name: 'default.r.1',
        match: { path: { case: 'exactPath', value: '/moved' } },
        action: { case: 'redirect', value: { hostname: 'elsewhere', status: 301 } },
      },
      {
        name: 'default.r.2',
        match: { path: { case: 'exactPath', value: '/broken' } },
        action: { case: 'fixedStatus', value: 500 },
      },
      {
        name: 'default.r.3',
        match: { path: { case: 'exactPath', value: '/invalid' } },
        action: to(backend({ invalid: true })),
      },
    ],
    (request, response) => {
      response.setHeader('x-app', 'secret')
      response.end(JSON.stringify({ url: request.url, ...request.headers }))
    },
  )
  const client = world.client()
  const answer = await client.request({ path: '/old/a?b=1', headers: { 'x-gone': '1' } })
  const seen = JSON.parse(answer.body) as Record<string, string>
  t.like(seen, { url: '/new/a?b=1', host: 'inside', 'x-set': '1', 'x-envoy-original-path': '/old/a?b=1' })
  t.is(seen['x-gone'], undefined)
  t.is(answer.headers['x-answer'], '2')
  t.is(answer.headers['x-app'], undefined)
  const moved = await client.request({ path: '/moved' })
  t.is(moved.status, 301)
  t.is(moved.headers.location, 'http://elsewhere/moved')
  t.is((await client.request({ path: '/broken' })).status, 500)
  t.is((await client.request({ path: '/invalid' })).status, 500)
  const missing = await client.request({ path: '/none' })
  t.is(missing.status, 404)
  t.is(missing.body, '')
  t.regex(await world.access.find(/"GET \/none /), / 404 NR route_not_found /)
  t.regex(await world.access.find(/"GET \/old/), / 200 - via_upstream .* default\.r\.0$/)
})

test('what can not be reached is said in Envoy’s words', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  await world.ready()
  world.service('web', VIP, [{ servicePort: 80, targetPort: 8080 }])
  world.destination('web', [{ number: 80, protocol: 2 }])
  const client = world.client()
  await world.applied(
    async () =>
      await client.connect().then(
        (stream) => (stream.destroy(), true),
        () => false,
      ),
  )
  const none = await client.request()
  t.is(none.status, 503)
  t.is(none.body, 'no healthy upstream')
  await world.pod('web-1', '10.0.0.11', { web: { 80: 8080 } }, { 8080: 1 })
  await world.applied(async () => (await client.request()).body !== 'no healthy upstream')
  const refused = await client.request({ path: '/refused' })
  t.is(refused.status, 503)
  t.is(
    refused.body,
    'upstream connect error or disconnect/reset before headers. reset reason: remote connection failure',
  )
  t.regex(await world.access.find(/"GET \/ .* UH /), / 503 UH /)
  t.regex(await world.access.find(/"GET \/refused/), / 503 (UF,URX|URX,UF) /)
})

test('another endpoint is tried when one can not be reached', async (t) => {
  await using world = await World.start({ overrides: { random: () => 0 } })
  const attempts: (string | undefined)[] = []
  const app = createServer((request, response) => {
    attempts.push(request.headers['x-envoy-attempt-count'] as string)
    response.end('ok')
  })
  await world.serve(app)
  await world.pod('aaa-dead', '10.0.0.2', { web: { 80: 8080 } }, { 8080: 1 })
  const client = world.client()
  const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await client.request()).status))
  t.deepEqual([...new Set(statuses)], [200])
  t.true(attempts.every((attempt) => attempt === '1' || attempt === '2'))
})

test('answers worth another attempt get one, with the body again', async (t) => {
  await using world = await World.start()
  const bodies: string[] = []
  await serveRoutes(
    world,
    [{ name: 'default.r.0', retry: { attempts: 2, codes: [503], backoffMs: 1 }, action: to(backend()) }],
    (request, response) =>
      void textOf(request).then((body) => {
        bodies.push(body)
        response.writeHead(bodies.length < 3 ? 503 : 200).end(`answer ${bodies.length}`)
      }),
  )
  const answer = await world.client().request({ method: 'POST', body: 'hello' })
  t.is(answer.status, 200)
  t.is(answer.body, 'answer 3')
  t.deepEqual(bodies, ['hello', 'hello', 'hello'])
})

test('a body too long to keep is sent once', async (t) => {
  await using world = await World.start()
  let count = 0
  await serveRoutes(
    world,
    [{ name: 'default.r.0', retry: { attempts: 2, codes: [503], backoffMs: 1 }, action: to(backend()) }],
    (request, response) =>
      void textOf(request).then(() => {
        count++
        response.writeHead(503).end('busy')
      }),
  )
  const answer = await world.client().request({ method: 'POST', body: Buffer.alloc(200_000) })
  t.is(answer.status, 503)
  t.is(answer.body, 'busy')
  t.is(count, 1)
})

test('a request, and an attempt, may take so long', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  await serveRoutes(
    world,
    [
      {
        name: 'default.r.0',
        match: { path: { case: 'exactPath', value: '/request' } },
        requestTimeoutMs: 100,
        action: to(backend()),
      },
      {
        name: 'default.r.1',
        match: { path: { case: 'exactPath', value: '/try' } },
        backendTimeoutMs: 100,
        action: to(backend()),
      },
    ],
    () => undefined,
  )
  const client = world.client()
  for (const path of ['/request', '/try']) {
    const answer = await client.request({ path })
    t.is(answer.status, 504)
    t.is(answer.body, 'upstream request timeout')
    t.regex(await world.access.find(new RegExp(`"GET ${path} `)), / 504 UT /)
  }
})

test('a mirror gets a copy, and its answer or absence changes nothing', async (t) => {
  await using world = await World.start()
  const mirrored = Promise.withResolvers<string>()
  const mirrorPort = await world.listen(
    createServer((request, response) => {
      void textOf(request).then((body) => mirrored.resolve(`${request.method ?? ''} ${request.url ?? ''} ${body}`))
      response.writeHead(500).end('mirror')
    }),
  )
  world.service('shadow', '10.96.0.7', [{ servicePort: 80, targetPort: 8080 }])
  await world.pod('shadow-1', '10.0.0.17', { shadow: { 80: 8080 } }, { 8080: mirrorPort })
  const mirror = (hostname: string): object => ({ backend: backend({ hostname }), perMillion: 1_000_000 })
  await serveRoutes(
    world,
    [
      {
        name: 'default.r.0',
        mirrors: [mirror('shadow.default.svc.cluster.local'), mirror('missing.default.svc.cluster.local')],
        action: to(backend()),
      },
    ],
    (request, response) => void textOf(request).then((body) => response.end(`real ${body}`)),
  )
  const answer = await world.client().request({ method: 'POST', path: '/m?q', body: 'copy' })
  t.is(answer.body, 'real copy')
  t.is(await mirrored.promise, 'POST /m?q copy')
})

test('weights are kept', async (t) => {
  let at = 0
  await using world = await World.start({ overrides: { random: () => (at++ % 100) / 100 } })
  const hits: Record<string, number> = { web: 0, other: 0 }
  const port = await world.listen(
    createServer((_request, response) => {
      hits['other'] = (hits['other'] ?? 0) + 1
      response.end()
    }),
  )
  world.service('other', '10.96.0.8', [{ servicePort: 80, targetPort: 8080 }])
  await world.pod('other-1', '10.0.0.18', { other: { 80: 8080 } }, { 8080: port })
  await serveRoutes(
    world,
    [
      {
        name: 'default.r.0',
        action: to(backend({ weight: 90 }), backend({ weight: 10, hostname: 'other.default.svc.cluster.local' })),
      },
    ],
    (_request, response) => {
      hits['web'] = (hits['web'] ?? 0) + 1
      response.end()
    },
  )
  const client = world.client()
  for (let i = 0; i < 100; i++) await client.request()
  t.is((hits['web'] ?? 0) + (hits['other'] ?? 0), 100)
  t.true((hits['other'] ?? 0) > 0 && (hits['other'] ?? 0) < 30, JSON.stringify(hits))
})

test('an endpoint that breaks off in its answer is not taken for one that ended', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  await world.serve(
    createTcp((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.destroy())
      })
    }),
  )
  const sent = await world.client().start()
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  await t.throwsAsync(textOf(response))
  t.regex(await world.access.find(/"GET \/ /), / 200 UC upstream_reset_after_response_started/)
  t.is(response.complete, false)
})

test('an endpoint that hangs up or talks nonsense is answered for', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  await world.serve(
    createTcp((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (chunk: Buffer) => socket.end(chunk.toString().includes('/nonsense') ? 'what?\r\n\r\n' : ''))
    }),
  )
  const client = world.client()
  const gone = await client.request({ path: '/gone' })
  t.is(gone.status, 503)
  t.is(gone.body, 'upstream connect error or disconnect/reset before headers. reset reason: connection termination')
  t.regex(await world.access.find(/"GET \/gone/), / 503 UC /)
  const nonsense = await client.request({ path: '/nonsense' })
  t.is(nonsense.status, 502)
  t.regex(await world.access.find(/"GET \/nonsense/), / 502 UPE /)
})

test('a client that leaves ends the request at the endpoint', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  const arrived = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  await world.serve(
    createServer((request) => {
      arrived.resolve()
      request.on('error', () => undefined)
      request.socket.once('close', () => gone.resolve())
    }),
  )
  const sent = await world.client().start({ path: '/left' })
  sent.end()
  await arrived.promise
  sent.destroy()
  await gone.promise
  t.regex(await world.access.find(/"GET \/left/), / 0 DC downstream_remote_disconnect /)
})

test('100 Continue is said when the body is wanted, and not to who is denied', async (t) => {
  await using world = await World.start()
  world.policy('no-delete', { action: 1, rules: [{ to: [{ methods: ['DELETE'] }] }] })
  await world.serve(
    createServer(
      (request, response) =>
        void textOf(request).then((body) => response.end(`${body} ${request.headers.expect ?? '-'}`)),
    ),
    {},
    { authorizationPolicies: ['default/no-delete'] },
  )
  const client = world.client()
  const denied = await client.raw('DELETE / HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
  t.regex(denied, /^HTTP\/1\.1 403/)
  const sent = await client.start({ method: 'POST', headers: { expect: '100-continue', 'content-length': '5' } })
  sent.flushHeaders()
  await once(sent, 'continue')
  sent.end('hello')
  t.is((await answerOf(sent)).body, 'hello -')
})

test('trailers of HTTP/1.1 pass both ways', async (t) => {
  await using world = await World.start()
  await world.serve(
    createServer((request, response) => {
      request.resume()
      request.on('end', () => {
        response.writeHead(200, { trailer: 'x-after' })
        response.write('body')
        response.addTrailers({ 'x-after': String(request.trailers['x-up']) })
        response.end()
      })
    }),
  )
  const sent = await world.client().start({ method: 'POST', headers: { trailer: 'x-up' } })
  sent.write('data')
  sent.addTrailers([['x-up', 'yes']])
  sent.end()
  const answer = await answerOf(sent)
  t.is(answer.trailers['x-after'], 'yes')
})
