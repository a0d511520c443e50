import { request } from 'node:http'
import type { Duplex } from 'node:stream'
import { messageOf } from '@ambit/core'
import { ClusterError } from '../errors.ts'
import { MAX_POD_RESPONSE_BYTES } from '../limits.ts'
import type { PodResponse } from './cluster.types.ts'

/** One HTTP/1.1 exchange over a connection that exists already. */
export function httpOverStream(
  connection: Duplex,
  options: { readonly path: string; readonly method: string; readonly what: string; readonly signal: AbortSignal },
): Promise<PodResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<PodResponse>()
  const fail = (cause: unknown): void => {
    connection.destroy()
    reject(
      cause instanceof ClusterError
        ? cause
        : new ClusterError(`no answer from ${options.what}: ${messageOf(cause)}`, { cause }),
    )
  }
  const outgoing = request(
    {
      // No `agent` beside it, not even false: Node would dial by itself.
      createConnection: () => connection,
      host: 'localhost',
      path: options.path,
      method: options.method,
      headers: { connection: 'close' },
      signal: options.signal,
    },
    (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MAX_POD_RESPONSE_BYTES) {
          fail(new ClusterError(`the answer of ${options.what} exceeds ${MAX_POD_RESPONSE_BYTES} bytes`))
        } else chunks.push(chunk)
      })
      response.on('error', fail)
      response.on('end', () => {
        connection.destroy()
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') })
      })
    },
  )
  outgoing.on('error', fail)
  outgoing.end()
  return promise
}
