import { connect, type Socket } from 'node:net'
import { PLUGIN_MAX_ANSWER_BYTES } from './limits.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds without progress. */
  readonly timeoutMs: number
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

/**
 * One exchange over a connection of its own, in HTTP/1.0: the answer ends with the connection. Node's own client would take
 * as long to load as all the rest of the plugin, which starts anew for every pod.
 */
export async function exchange(open: () => Socket | Promise<Socket>, request: HttpRequest): Promise<HttpAnswer> {
  const socket = await open()
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>()
  const chunks: Buffer[] = []
  let length = 0
  socket.setTimeout(request.timeoutMs, () => socket.destroy(new Error('no answer in time')))
  socket.on('error', reject)
  socket.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > PLUGIN_MAX_ANSWER_BYTES)
      socket.destroy(new Error(`an answer of more than ${PLUGIN_MAX_ANSWER_BYTES} bytes`))
    else chunks.push(chunk)
  })
  socket.on('end', () => {
    try {
      resolve(decodeAnswer(Buffer.concat(chunks)))
    } catch (error) {
      reject(error)
    }
  })
  socket.on('close', () => reject(new Error('the connection ended before an answer')))
  // Not ended: to many servers a client that has ended has gone.
  socket.write(encodeRequest(request))
  try {
    return await promise
  } finally {
    socket.destroy()
  }
}

export function unixSocket(path: string): Socket {
  return connect({ path, allowHalfOpen: true })
}

function encodeRequest({ method, path, headers, body = '' }: HttpRequest): string {
  const all = { ...headers, ...(body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.0\r\n${lines.join('')}\r\n${body}`
}

/** Throws when it is no whole answer: what was cut off must not be taken for it. */
export function decodeAnswer(bytes: Buffer): HttpAnswer {
  const end = bytes.indexOf('\r\n\r\n')
  const head = bytes.subarray(0, Math.max(end, 0)).toString('latin1')
  const status = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: |$|\r)/.exec(head)?.[1]
  if (end < 0 || status === undefined) throw new Error('the answer is not HTTP')
  if (/^transfer-encoding:/im.test(head)) throw new Error('the answer comes in chunks, which was not asked for')
  const body = bytes.subarray(end + 4)
  const length = /^content-length: *([0-9]+) *$/im.exec(head)?.[1]
  if (length !== undefined && Number(length) !== body.length) throw new Error('the answer is cut off')
  return { status: Number(status), text: body.toString('utf8') }
}
