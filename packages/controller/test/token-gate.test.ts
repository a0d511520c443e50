import { once } from 'node:events'
import { type ClientHttp2Stream, connect } from 'node:http2'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import test, { type ExecutionContext } from 'ava'
import { tokenGate } from '../src/token-gate.ts'

const PATH = '/test.Echo/Say'
const echo = {
  path: PATH,
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
} as const

/** A gRPC server behind the gate, and a client that is only HTTP/2: it need not send a message. */
async function start(t: ExecutionContext) {
  const refusals: string[] = []
  const server = new Server({
    interceptors: [
      tokenGate({
        tokens: {
          authenticate: async (token) => {
            if (token === 'broken') throw new Error('no API server')
            const caller = { namespace: 'n', serviceAccount: 's', podName: undefined, podUid: undefined }
            return token === 'good'
              ? { authenticated: true, caller }
              : { authenticated: false, reason: 'unknown token' }
          },
        },
        onRefused: (path, _peer, reason) => void refusals.push(`${path}: ${reason}`),
      }),
    ],
  })
  server.addService(
    { Say: echo },
    { Say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, call.request) },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  const session = connect(`http://127.0.0.1:${port}`)
  t.teardown(() => {
    session.destroy()
    server.forceShutdown()
  })
  const call = (authorization?: string): ClientHttp2Stream => {
    const headers = { ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' }
    return session.request({ ...headers, ...(authorization === undefined ? {} : { authorization }) })
  }
  return { refusals, call }
}

for (const [who, authorization, reason] of [
  ['without a token', undefined, 'no bearer token'],
  ['with a token nobody knows', 'Bearer bad', 'unknown token'],
  ['whose token cannot be reviewed', 'Bearer broken', 'the caller could not be verified: no API server'],
] as const) {
  test(`a caller ${who} is answered before its message is read`, async (t) => {
    const { refusals, call } = await start(t)
    const stream = call(authorization)
    const [headers] = (await once(stream, 'response')) as [Record<string, string>]
    t.is(headers['grpc-status'], '16')
    t.deepEqual(refusals, [`${PATH}: ${reason}`])
  })
}

test('a caller that is known is served', async (t) => {
  const { refusals, call } = await start(t)
  const stream = call('Bearer good')
  const message = Buffer.from([0, 0, 0, 0, 2, 104, 105])
  stream.end(message)
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [trailers] = (await once(stream, 'trailers')) as [Record<string, string>]
  t.is(trailers['grpc-status'], '0')
  t.deepEqual(Buffer.concat(chunks), message)
  t.deepEqual(refusals, [])
})
