import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { createServer as createTcp, type Server } from 'node:net'
import test from 'ava'
import { Protocol, textOf, World } from './support/world.ts'

const POST = 'POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'

/** Says these bytes to whatever it is sent first, on each connection. */
function saying(bytes: string): Server {
  return createTcp((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write(bytes))
  })
}

const REPEATED = {
  'interim answers':
    'HTTP/1.1 103 Early Hints\r\nEtag: a\r\nEtag: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  answers: 'HTTP/1.1 200 OK\r\nEtag: a\r\nEtag: b\r\nTE: trailers\r\nTE: trailers\r\nContent-Length: 2\r\n\r\nok',
  'trailers of answers':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nEtag: a\r\nEtag: b\r\nTE: trailers\r\nTE: trailers\r\n\r\n',
} as const

for (const [what, bytes] of Object.entries(REPEATED)) {
  test.serial(`single values that come twice end nothing: ${what}`, async (t) => {
    await using world = await World.start()
    await world.serve(saying(bytes))
    const session = await world.client().http2()
    const request = session.request({ ':path': '/' })
    // Node drops what comes with its head when nobody reads yet.
    const text = textOf(request)
    const [headers] = (await once(request, 'response')) as [IncomingHttpHeaders]
    t.is(Number(headers[':status']), 200)
    t.is(await text, 'ok')
    session.destroy()
  })
}

test.serial('single values that come twice end nothing: trailers of requests', async (t) => {
  await using world = await World.start()
  const trailers: IncomingHttpHeaders[] = []
  const app = createHttp2()
  app.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('trailers', (headers) => trailers.push(headers))
    stream.resume()
    stream.on('end', () => {
      stream.respond({ ':status': 200 })
      stream.end('ok')
    })
  })
  await world.serve(app, { protocol: Protocol.HTTP2 })
  const lines = 'Etag: a\r\nEtag: b\r\nTE: trailers\r\nTE: trailers\r\nX-Sum: 1\r\n'
  t.regex(await world.client().raw(`${POST}1\r\na\r\n0\r\n${lines}\r\n`), /^HTTP\/1\.1 200/)
  t.is(trailers[0]?.['x-sum'], '1')
})

test('trailers that frame, route or authenticate go no further', async (t) => {
  await using world = await World.start()
  let trailers: Record<string, unknown> = {}
  const app = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      trailers = request.trailers
      response.end('ok')
    })
  })
  await world.serve(app)
  const names = [
    'Host',
    'Authorization',
    'X-Forwarded-Client-Cert',
    'X_Forwarded_Client_Cert',
    'X-Forwarded-For',
    'X-Envoy-Peer-Metadata',
  ]
  const lines = names.map((name) => `${name}: 1\r\n`).join('')
  t.regex(await world.client().raw(`${POST}1\r\na\r\n0\r\n${lines}X-Sum: 1\r\n\r\n`), /^HTTP\/1\.1 200/)
  t.deepEqual({ ...trailers }, { 'x-sum': '1' })
})

test('interim answers without end are no answer', async (t) => {
  await using world = await World.start()
  await world.serve(saying('HTTP/1.1 102 Processing\r\n\r\n'.repeat(10_000)))
  const text = await world.client().raw('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n')
  t.regex(text, /HTTP\/1\.1 502 /)
  t.true((text.match(/ 102 /g)?.length ?? 0) <= 32)
})

test('a change of protocol nobody asked for is no answer', async (t) => {
  await using world = await World.start()
  await world.serve(
    saying('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'),
  )
  t.regex(await world.client().raw('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 502 /)
  const session = await world.client().http2()
  const request = session.request({ ':path': '/' })
  const [headers] = (await once(request, 'response')) as [IncomingHttpHeaders]
  t.is(Number(headers[':status']), 502)
  session.destroy()
})

test('a status that is none is no answer, and its connection is not kept', async (t) => {
  await using world = await World.start()
  let open = 0
  let status = ''
  await world.serve(
    createTcp((socket) => {
      open++
      socket.on('error', () => undefined)
      socket.on('close', () => open--)
      socket.on('data', () => socket.write(`HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\nok`))
    }),
  )
  const client = world.client()
  const session = await client.http2()
  for (status of ['099', '600', '999', '000']) {
    t.is((await client.request()).status, 502, status)
    const request = session.request({ ':path': '/' })
    request.resume()
    const [headers] = (await once(request, 'response')) as [IncomingHttpHeaders]
    t.is(Number(headers[':status']), 502, status)
  }
  await world.applied(() => Promise.resolve(open === 0))
  session.destroy()
})

test('what an endpoint says behind its answer is nobody’s', async (t) => {
  await using world = await World.start()
  const forged = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'
  let connections = 0
  await world.serve(
    createTcp((socket) => {
      connections++
      socket.on('error', () => undefined)
      socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood${forged}`))
    }),
  )
  const client = world.client()
  for (let i = 1; i <= 3; i++) {
    t.is((await client.request()).body, 'good')
    t.is(connections, i)
  }
})

test('an answer with two readings is no answer', async (t) => {
  await using world = await World.start()
  let head = ''
  await world.serve(
    createTcp((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => socket.write(`${head}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`))
    }),
  )
  const client = world.client()
  for (const lines of [
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Content-Length: 5\r\nContent-Length: 5',
    'Content-Length: 5, 5',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    'X: a\r\n b',
    'X : a',
    'X: a\nY: b',
    'X: a\0',
  ]) {
    head = `HTTP/1.1 200 OK\r\n${lines}`
    t.is((await client.request()).status, 502, lines)
  }
  head = 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked'
  t.is((await client.request()).status, 502)
})
