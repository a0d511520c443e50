import { type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { messageOf } from '@ambit/core'
import { ClusterError } from '../errors.ts'
import { MAX_POD_RESPONSE_BYTES } from '../limits.ts'
import type { PodResponse, PodStream } from './cluster.types.ts'

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

/** The same for an answer that is read as it comes: `limit` is for its head, `signal` for all of it. */
export async function followOverStream(
  connection: Duplex,
  options: {
    readonly path: string
    readonly method: string
    readonly what: string
    readonly signal: AbortSignal
    readonly limit: AbortSignal
  },
): Promise<PodStream> {
  const { path, method, what, signal, limit } = options
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const outgoing = request(
    {
      createConnection: () => connection,
      host: 'localhost',
      path,
      method,
      headers: { connection: 'close' },
      signal,
    },
    resolve,
  )
  const tooLate = (): void => void outgoing.destroy(new Error('it did not answer in time'))
  limit.addEventListener('abort', tooLate, { once: true })
  outgoing.on('error', reject)
  outgoing.end()
  try {
    const response = await promise
    return { status: response.statusCode ?? 0, body: bodyOf(response, connection, what) }
  } catch (cause) {
    connection.destroy()
    throw new ClusterError(`no answer from ${what}: ${messageOf(cause)}`, { cause })
  } finally {
    limit.removeEventListener('abort', tooLate)
  }
}

async function* bodyOf(response: IncomingMessage, connection: Duplex, what: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk
  } catch (cause) {
    throw new ClusterError(`the answer of ${what} broke off: ${messageOf(cause)}`, { cause })
  } finally {
    connection.destroy()
  }
}
