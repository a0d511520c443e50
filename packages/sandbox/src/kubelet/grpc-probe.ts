import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import type { Duplex } from 'node:stream'
import { LIMITS } from '../limits.ts'

/** `SERVING` of grpc.health.v1.HealthCheckResponse. */
const SERVING = 1
const NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const UNIMPLEMENTED = '12'
const OK = '0'

export interface GrpcProbeResult {
  readonly ok: boolean
  readonly message: string
}

/** Asks `grpc.health.v1.Health/Check` over a connection, without TLS, as the kubelet does. */
export async function grpcProbe(connection: Duplex, service: string, signal: AbortSignal): Promise<GrpcProbeResult> {
  signal.throwIfAborted()
  const session = connect('http://probe', { createConnection: () => connection })
  const destroy = (): void => session.destroy()
  signal.addEventListener('abort', destroy, { once: true })
  try {
    const { body, status } = await call(session, healthRequest(service))
    if (status === UNIMPLEMENTED)
      return { ok: false, message: 'this server does not implement the grpc health protocol (grpc.health.v1.Health)' }
    if (status !== OK) return { ok: false, message: `rpc failed with status ${status}` }
    const serving = servingStatus(body)
    if (serving === SERVING) return { ok: true, message: 'service healthy' }
    return { ok: false, message: `service unhealthy (responded with "${NAMES[serving] ?? serving}")` }
  } finally {
    signal.removeEventListener('abort', destroy)
    session.destroy()
  }
}

function call(session: ClientHttp2Session, message: Buffer): Promise<{ body: Buffer; status: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ body: Buffer; status: string }>()
  session.on('error', reject)
  session.on('close', () => reject(new Error('the connection ended without an answer')))
  const stream: ClientHttp2Stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'kube-probe/1.33',
  })
  const chunks: Buffer[] = []
  let size = 0
  let status = ''
  // Errors come in the headers of an answer without a body, else in its trailers.
  const read = (headers: { readonly [name: string]: unknown }): void => {
    const given = headers['grpc-status']
    if (typeof given === 'string') status = given
  }
  stream.on('response', read)
  stream.on('trailers', read)
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > LIMITS.probeGrpcBytes) stream.close(constants.NGHTTP2_CANCEL)
    else chunks.push(chunk)
  })
  stream.on('error', reject)
  stream.on('close', () => resolve({ body: Buffer.concat(chunks), status: status || 'missing' }))
  stream.end(message)
  return promise
}

/** A gRPC frame with the field `service` (1), which is empty for the whole server. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const length = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, (name.length >> 7) & 0x7f]
  const field = service === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(field.length, 1)
  return Buffer.concat([head, field])
}

/** The field `status` (1) of the answer; 0 when it isn't there, which is UNKNOWN. */
export function servingStatus(frame: Buffer): number {
  return frame.length >= 7 && frame[5] === 0x08 ? (frame[6] ?? 0) : 0
}
