import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import test from 'ava'
import { httpOverStream } from '../src/cluster/http-over-stream.ts'
import { loggingPath } from '../src/ztunnel-config/run-log.ts'

async function serving(handler: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    dial: () => connect((server.address() as AddressInfo).port, '127.0.0.1'),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
const ASK = { path: '/config_dump', method: 'GET', what: 'port 15000 of pod z', signal: new AbortController().signal }

test('status and whole body come back, the connection is closed', async (t) => {
  const body = 'x'.repeat(300_000)
  await using server = await serving((request, response) => {
    t.is(request.url, '/config_dump')
    response.writeHead(201).end(body)
  })
  const socket = server.dial()
  t.deepEqual(await httpOverStream(socket, ASK), { status: 201, body })
  t.true(socket.destroyed)
})

test('a peer that hangs up or does not speak HTTP is a named failure', async (t) => {
  await using silent = await serving((request) => request.socket.destroy())
  await t.throwsAsync(httpOverStream(silent.dial(), ASK), { code: 'CLI_CLUSTER', message: /no answer from port 15000/ })
})

test('an answer that never comes ends with the signal', async (t) => {
  await using server = await serving(() => undefined)
  const asking = new AbortController()
  const answer = httpOverStream(server.dial(), { ...ASK, signal: asking.signal })
  asking.abort()
  await t.throwsAsync(answer, { code: 'CLI_CLUSTER' })
})

test('istioctl’s level syntax becomes the admin endpoint’s', (t) => {
  t.is(loggingPath(undefined, false), '/logging')
  t.is(loggingPath('access:debug,info', false), '/logging?level=access%3Ddebug%2Cinfo')
  t.is(loggingPath('debug', true), '/logging?reset=&level=debug')
})
