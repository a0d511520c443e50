import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import test from 'ava'
import { Protocol, VIP, World } from './support/world.ts'

test('a WebSocket goes through, both ways, to its end', async (t) => {
  await using world = await World.start()
  const app = createServer((_request, response) => response.end('no'))
  app.on('upgrade', (request, socket, head) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade ?? ''}\r\nSec-WebSocket-Accept: x\r\n\r\nhello `,
    )
    if (head.length > 0) socket.write(head)
    socket.pipe(socket)
  })
  await world.serve(app)
  const sent = await world
    .client()
    .start({ path: '/ws', headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'k' } })
  sent.end()
  const [response, stream, head] = (await once(sent, 'upgrade')) as [
    { statusCode: number; headers: Record<string, string> },
    Duplex,
    Buffer,
  ]
  t.is(response.statusCode, 101)
  t.is(response.headers['upgrade'], 'websocket')
  t.is(response.headers['sec-websocket-accept'], 'x')
  let text = head.toString()
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  stream.write('ping')
  await world.applied(() => Promise.resolve(text === 'hello ping'))
  stream.end()
  await once(stream, 'end')
  t.is(text, 'hello ping')
})

test('an upgrade is judged like any request, and one the endpoint does not want is answered', async (t) => {
  await using world = await World.start()
  world.policy('no-ws', { action: 1, rules: [{ to: [{ paths: ['/secret'] }] }] })
  const app = createServer((_request, response) => response.writeHead(426).end('upgrade no'))
  await world.serve(app, {}, { authorizationPolicies: ['default/no-ws'] })
  const client = world.client()
  const head = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: web\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`
  t.regex(await client.raw(head('/secret')), /^HTTP\/1\.1 403[\s\S]*RBAC: access denied$/)
  t.regex(await client.raw(head('/x/../secret')), /^HTTP\/1\.1 403/)
  t.regex(await client.raw(head('/other')), /^HTTP\/1\.1 426[\s\S]*upgrade no/)
})

test('a body does not become bytes of another protocol', async (t) => {
  await using world = await World.start()
  let upgrades = 0
  const app = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end(`plain ${request.headers.upgrade ?? 'none'}`))
  })
  app.on('upgrade', () => upgrades++)
  await world.serve(app)
  const answer = await world
    .client()
    .raw(
      'POST / HTTP/1.1\r\nHost: web\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello',
    )
  t.regex(answer, /plain none/)
  t.is(upgrades, 0)
})

test('plain TCP: policy on the connection, bytes both ways, half-close, metrics', async (t) => {
  await using world = await World.start()
  world.policy('who', { rules: [{ from: [{ principals: ['cluster.local/ns/default/sa/client'] }] }] })
  const app = createTcp({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  await world.serve(app, { protocol: Protocol.TCP }, { authorizationPolicies: ['default/who'] })
  const stream = await world.client().connect()
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.end('hello')
  await once(stream, 'end')
  t.is(Buffer.concat(chunks).toString(), 'hello')
  const refused = await world.client('stranger').connect()
  refused.resume()
  await once(refused, 'close')
  await world.log.find(/request denied by policy.*sa\/stranger/)
  await world.applied(async () => (await world.stats()).includes('istio_tcp_connections_closed_total'))
  const stats = await world.stats()
  t.regex(
    stats,
    /istio_tcp_sent_bytes_total\{reporter="waypoint".*destination_service="web\.default\.svc\.cluster\.local".*request_protocol="tcp",response_flags="-".*\} 5/,
  )
})

test('a policy that only speaks of HTTP lets no TCP in', async (t) => {
  await using world = await World.start()
  world.policy('http', { rules: [{ to: [{ methods: ['GET'] }] }] })
  await world.serve(
    createTcp((socket) => socket.end('reached')),
    { protocol: Protocol.TCP },
    { authorizationPolicies: ['default/http'] },
  )
  const stream = await world.client().connect()
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'close')
  t.is(chunks.length, 0)
})

test('a connection is cut when policy does not let it in any more', async (t) => {
  await using world = await World.start()
  await world.serve(
    createTcp((socket) => socket.on('error', () => undefined).write('hello')),
    { protocol: Protocol.TCP },
  )
  const stream = await world.client().connect()
  await once(stream, 'data')
  world.policy('nothing', { rules: [] })
  world.destination('web', [{ number: 80, protocol: Protocol.TCP }], { authorizationPolicies: ['default/nothing'] })
  stream.resume()
  await once(stream, 'close')
  t.pass()
})

test('where nothing is declared the first bytes decide', async (t) => {
  await using world = await World.start()
  const app = createTcp((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (chunk: Buffer) =>
      socket.end(
        `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${chunk.toString().includes('x-request-id') ? 'http' : 'tcp'}`,
      ),
    )
  })
  await world.serve(app, { protocol: Protocol.UNKNOWN })
  const client = world.client()
  t.regex(
    await client.raw('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n', `${VIP}:80`),
    /http\r\n0\r\n\r\n$/,
  )
  t.regex(await client.raw('\x16\x03\x01 not http\r\n', `${VIP}:80`), /tcp$/)
  t.regex(await client.raw('GET no-version-here\r\n', `${VIP}:80`), /tcp$/)
})
