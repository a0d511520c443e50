import { once } from 'node:events'
import { connect, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import test from 'ava'
import { writeBuffersOnly } from './support/write-buffers.ts'

test('a head of text and an empty flush arrive as written, and at once', async (t) => {
  const server: Http2Server = createServer()
  const received = Promise.withResolvers<string>()
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 })
    stream.on('error', () => undefined)
    stream.once('data', (chunk: Buffer) => received.resolve(chunk.toString()))
  })
  server.listen(0)
  await once(server, 'listening')
  const address = server.address()
  const session = connect(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'x:80' })
  stream.on('error', () => undefined)
  await once(stream, 'response')
  writeBuffersOnly(stream)
  const order: string[] = []
  const head = `GET / HTTP/1.1\r\nx: ${'y'.repeat(50)}\r\n\r\n`
  stream.cork()
  stream.write(head, 'latin1', () => order.push('head'))
  stream.write('', 'latin1', () => order.push('empty'))
  stream.uncork()
  t.is(await received.promise, head)
  stream.write('', () => order.push('later'))
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(order, ['head', 'empty', 'later'])
  session.destroy()
  server.close()
})
