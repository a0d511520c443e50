import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect, createServer as createNetServer, type Socket } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { PLUGIN_MAX_ANSWER_BYTES } from '../src/limits.ts'
import { decodeAnswer, exchange, type HttpRequest } from '../src/plugin-http.ts'

const REQUEST: HttpRequest = { method: 'POST', path: '/x', headers: { host: 'h' }, body: '{"ä":1}', timeoutMs: 1000 }

async function listening<T extends { listen(port: number, host: string, done: () => void): unknown }>(
  server: T,
): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

test('an exchange with a server of HTTP/1.1', async (t) => {
  const server = await listening(
    createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        response.statusCode = 201
        response.write(`${request.method} ${request.url} `)
        response.end(Buffer.concat(chunks))
      })
    }),
  )
  const { port } = server.address() as AddressInfo
  const open = (): Socket => connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.deepEqual(await exchange(open, REQUEST), { status: 201, text: 'POST /x {"ä":1}' })
  server.close()
})

test('an answer that does not come, ends early or never ends is an error', async (t) => {
  const sockets = new Set<Socket>()
  const answers = [
    '',
    'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort',
    `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(PLUGIN_MAX_ANSWER_BYTES)}`,
  ]
  const server = await listening(
    createNetServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      const answer = answers.shift()
      if (answer !== undefined) socket.end(answer)
    }),
  )
  const { port } = server.address() as AddressInfo
  const open = (): Socket => connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  await t.throwsAsync(exchange(open, REQUEST), { message: 'the answer is not HTTP' })
  await t.throwsAsync(exchange(open, REQUEST), { message: 'the answer is cut off' })
  await t.throwsAsync(exchange(open, REQUEST), { message: /more than/ })
  await t.throwsAsync(exchange(open, { ...REQUEST, timeoutMs: 50 }), { message: 'no answer in time' })
  for (const socket of sockets) socket.destroy()
  server.close()
})

test('whatever comes is an answer or an error', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (head, body) => {
      try {
        t.is(typeof decodeAnswer(Buffer.from(`HTTP/1.1 200 ${head}\r\n\r\n${body}`)).status, 'number')
      } catch (error) {
        t.true(error instanceof Error)
      }
    }),
  )
  t.throws(() => decodeAnswer(Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')))
})
