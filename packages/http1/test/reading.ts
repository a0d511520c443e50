import { createServer, type IncomingMessage, type ServerOptions } from 'node:http'
import { Duplex } from 'node:stream'
import { codeOf } from '@ambit/core'
import {
  Http1Error,
  MessageReader,
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
} from '../src/index.ts'

export const LIMITS = { maxHeadBytes: 4096, maxLines: 20 }

export interface Message<Head> {
  readonly head: Head
  readonly body: string
  readonly trailers: readonly string[]
}

/** What was read before the end or an error. */
export interface Reading<Head> {
  readonly messages: readonly Message<Head>[]
  /** The problem, `ended-early`, or nothing. */
  readonly problem: string | undefined
}

export function requestReader(): MessageReader<RequestHead> {
  return new MessageReader(parseRequestHead, LIMITS)
}

export function responseReader(): MessageReader<ResponseHead> {
  return new MessageReader(parseResponseHead, LIMITS)
}

/** Reads all of it, cut into pieces of these lengths, the rest at once; stops where a connection would. */
export function readAll<Head extends RequestHead | ResponseHead>(
  reader: MessageReader<Head>,
  bytes: Buffer,
  cuts: readonly number[] = [],
): Reading<Head> {
  const messages: Message<Head>[] = []
  let head: Head | undefined
  let body = ''
  const finished = (): boolean => {
    if (head === undefined) throw new TypeError('the end of no message')
    const { keepsAlive } = head
    messages.push({ head, body, trailers: reader.trailers })
    head = undefined
    body = ''
    return keepsAlive
  }
  try {
    let start = 0
    for (const length of [...cuts, bytes.length]) {
      const end = Math.min(bytes.length, start + length)
      let at = start
      reading: for (;;) {
        const event = reader.read(bytes, at, end)
        at = reader.at
        switch (event) {
          case 'more':
            break reading
          case 'head':
            head = reader.head
            break
          case 'data':
            body += bytes.toString('latin1', reader.dataStart, reader.dataEnd)
            break
          case 'end':
            if (!finished()) return { messages, problem: undefined }
        }
      }
      start = end
    }
    if (reader.finish() === 'end') finished()
    return { messages, problem: undefined }
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error
    return { messages, problem: error.problem }
  }
}

/** The same by Node's own parser. */
export async function readByNode(bytes: Buffer): Promise<Reading<IncomingMessage>> {
  const messages: Message<IncomingMessage>[] = []
  const options: ServerOptions = {
    requireHostHeader: false,
    insecureHTTPParser: false,
    keepAliveTimeout: 0,
    maxHeaderSize: 65_536,
    joinDuplicateHeaders: false,
  }
  const server = createServer({ ...options, shouldUpgradeCallback: () => false } as ServerOptions)
  server.maxHeadersCount = 0
  let problem: string | undefined
  const take = (request: IncomingMessage): void => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('latin1')
    })
    request.on('error', () => undefined)
    request.on('end', () => {
      if (!request.complete) return
      messages.push({ head: request, body, trailers: lowerNames(request.rawTrailers) })
    })
  }
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, take)
  const over = Promise.withResolvers<void>()
  server.on('clientError', (error: Error) => {
    problem = codeOf(error) ?? 'unknown'
  })
  const connection = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  })
  connection.on('error', () => undefined)
  server.emit('connection', connection)
  connection.push(bytes)
  // Two turns of the loop: what was read is told in one, bodies end in the next.
  setImmediate(() => setImmediate(() => setImmediate(over.resolve)))
  await over.promise
  connection.destroy()
  return { messages, problem }
}

export function lowerNames(raw: readonly string[]): string[] {
  return raw.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text))
}
