import { once } from 'node:events'
import { createServer as createHttp1 } from 'node:http'
import { constants, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { Server } from 'node:net'
import test from 'ava'
import { Protocol, textOf, World } from './support/world.ts'

/** A gRPC message: flag, length, content. */
function message(text: string): Buffer {
  const bytes = Buffer.from(text)
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([prefix, bytes])
}

/** Echoes what it gets, and ends with a status in trailers. */
function grpcEcho(seen: IncomingHttpHeaders[] = []): Server {
  const server = createServer()
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    seen.push(headers)
    stream.on('error', () => undefined)
    if (headers[':path'] === '/pkg.Svc/Fail') {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': 'none' },
        { endStream: true },
      )
      return
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-trailer': 'yes' }))
    stream.pipe(stream)
  })
  return server
}

const GRPC = { 'content-type': 'application/grpc', te: 'trailers', ':method': 'POST' } as const

test('gRPC streams both ways, with trailers', async (t) => {
  await using world = await World.start()
  const seen: IncomingHttpHeaders[] = []
  await world.serve(grpcEcho(seen), { protocol: Protocol.GRPC })
  const session = await world.client().http2()
  const call = session.request({ ...GRPC, ':path': '/pkg.Svc/Echo' })
  call.write(message('one'))
  const [headers] = (await once(call, 'response')) as [IncomingHttpHeaders]
  t.is(headers[':status' as keyof typeof headers], 200 as never)
  const [first] = (await once(call, 'data')) as [Buffer]
  t.is(first.subarray(5).toString(), 'one')
  call.write(message('two'))
  const [second] = (await once(call, 'data')) as [Buffer]
  t.is(second.subarray(5).toString(), 'two')
  const trailers = once(call, 'trailers') as Promise<[IncomingHttpHeaders]>
  call.end()
  t.like((await trailers)[0], { 'grpc-status': '0', 'x-trailer': 'yes' })
  t.is(seen[0]?.['te'], 'trailers')
  session.destroy()
  await world.applied(async () => (await world.stats()).includes('istio_request_messages_total'))
  const stats = await world.stats()
  t.regex(stats, /istio_request_messages_total\{.*request_protocol="grpc".*grpc_response_status="0".*\} 2/)
  t.regex(stats, /istio_response_messages_total\{.*request_protocol="grpc",response_code="200".*\} 2/)
})

test('an answer of gRPC that is only trailers stays one', async (t) => {
  await using world = await World.start()
  await world.serve(grpcEcho(), { protocol: Protocol.GRPC })
  const session = await world.client().http2()
  const call = session.request({ ...GRPC, ':path': '/pkg.Svc/Fail' })
  call.end(message('x'))
  const [headers, flags] = (await once(call, 'response')) as [IncomingHttpHeaders, number]
  t.is(headers['grpc-status'], '5')
  t.not(flags & constants.NGHTTP2_FLAG_END_STREAM, 0)
  session.destroy()
})

test('a denial of gRPC is a status of gRPC', async (t) => {
  await using world = await World.start()
  world.policy('nothing', { rules: [] })
  await world.serve(grpcEcho(), { protocol: Protocol.GRPC }, { authorizationPolicies: ['default/nothing'] })
  const session = await world.client().http2()
  const call = session.request({ ...GRPC, ':path': '/pkg.Svc/Echo' })
  call.end(message('x'))
  const [headers] = (await once(call, 'response')) as [Record<string, unknown>]
  t.is(headers[':status'], 200)
  t.is(headers['grpc-status'], '7')
  t.is(headers['grpc-message'], 'RBAC: access denied')
  session.destroy()
})

test('a denied call whose client goes on sending is told to stop, and ends', async (t) => {
  await using world = await World.start()
  world.policy('nothing', { rules: [] })
  await world.serve(grpcEcho(), { protocol: Protocol.GRPC }, { authorizationPolicies: ['default/nothing'] })
  const session = await world.client().http2()
  const call = session.request({ ...GRPC, ':path': '/pkg.Svc/Echo' })
  call.write(message('x'))
  const closed = once(call, 'close')
  const [headers] = (await once(call, 'response')) as [Record<string, unknown>]
  t.is(headers['grpc-status'], '7')
  call.resume()
  await closed
  t.is(call.rstCode, constants.NGHTTP2_NO_ERROR)
  session.destroy()
})

test('HTTP/2 of a client reaches an endpoint of HTTP/1.1 where the port says so, and stays HTTP/2 where nothing is declared', async (t) => {
  await using world = await World.start()
  await world.serve(
    createHttp1((request, response) => response.end(`${request.httpVersion} ${request.headers.host ?? ''}`)),
  )
  const session = await world.client().http2()
  const call = session.request({ ':path': '/', ':authority': 'web' })
  t.is(await textOf(call), '1.1 web')
  session.destroy()

  const h2app = createServer((request, response) => response.end(request.httpVersion))
  const port = await world.listen(h2app)
  world.service('auto', '10.96.0.3', [{ servicePort: 80, targetPort: 8080 }])
  await world.pod('auto-1', '10.0.0.13', { auto: { 80: 8080 } }, { 8080: port })
  world.destination('auto', [{ number: 80, protocol: Protocol.UNKNOWN }])
  await world.applied(
    async () =>
      await world
        .client()
        .connect('10.96.0.3:80')
        .then(
          (stream) => (stream.destroy(), true),
          () => false,
        ),
  )
  const auto = await world.client().http2('10.96.0.3:80')
  t.is(await textOf(auto.request({ ':path': '/' })), '2.0')
  auto.destroy()
})

test('many requests share one connection of the client', async (t) => {
  await using world = await World.start()
  await world.serve(
    createServer((request, response) => response.end(request.url)),
    { protocol: Protocol.HTTP2 },
  )
  const session = await world.client().http2()
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => textOf(session.request({ ':path': `/${i}` }))))
  t.deepEqual(
    answers,
    Array.from({ length: 60 }, (_, i) => `/${i}`),
  )
  session.destroy()
})
