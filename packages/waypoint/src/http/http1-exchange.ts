import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex, Readable, Writable } from 'node:stream'
import { cut } from '@ambit/hbone'
import type { HeaderList } from '@ambit/route'
import type { Exchange, RequestHead, ResponseHead } from './exchange.types.ts'
import { headerOf, trailerLines, withoutTrailer } from './headers.ts'

export interface Http1ExchangeParts {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly head: RequestHead
  /** The client waits for 100 Continue. */
  readonly expectsContinue: boolean
  /** No further request on this connection. */
  readonly isLast: () => boolean
  readonly onLast: () => void
  readonly stream: Duplex
}

/** One HTTP/1.1 request on Node's own parser. */
export class Http1Exchange implements Exchange {
  readonly head: RequestHead
  readonly #parts: Http1ExchangeParts
  #wanted = false

  constructor(parts: Http1ExchangeParts) {
    this.#parts = parts
    this.head = parts.head
    parts.request.on('error', () => undefined)
    parts.response.on('error', () => undefined)
  }

  get body(): Readable {
    return this.#parts.request
  }

  get out(): Writable {
    return this.#parts.response
  }

  get isGone(): boolean {
    const { response, stream } = this.#parts
    return stream.destroyed || (response.destroyed && !response.writableFinished)
  }

  onGone(listener: () => void): void {
    const { response } = this.#parts
    response.once('close', () => {
      if (!response.writableFinished) listener()
    })
  }

  requestTrailers(): HeaderList {
    return trailerLines(this.#parts.request.rawTrailers)
  }

  wantBody(): void {
    if (this.#wanted) return
    this.#wanted = true
    if (this.#parts.expectsContinue && !this.#parts.response.headersSent) this.#parts.response.writeContinue()
  }

  inform({ status, headers }: ResponseHead): void {
    const { response } = this.#parts
    // Without a socket it is not its turn yet: an answer before it is still being sent.
    if (response.headersSent || response.socket === null || this.head.version === 'HTTP/1.0') return
    this.#parts.stream.write(rawHead(status, headers), 'latin1')
  }

  respond({ status, headers }: ResponseHead, { bodiless }: { readonly bodiless: boolean }): void {
    const { request, response, stream, isLast, onLast } = this.#parts
    if (response.headersSent) return
    // What is left of the body nobody reads: it must not be read as a next request, nor be waited for.
    const isAbandoned = !request.complete && !this.#wanted && !this.head.isBodiless
    response.sendDate = false
    const isChunked = !bodiless && this.head.version === 'HTTP/1.1' && headerOf(headers, 'content-length') === undefined
    const lines = isChunked ? [...headers] : withoutTrailer(headers)
    if (isLast() || isAbandoned || this.head.upgrade !== undefined) {
      lines.push('connection', 'close')
      onLast()
    }
    // Neither the line nor Keep-Alive is needed in HTTP/1.1.
    else if (this.head.version === 'HTTP/1.1') response.removeHeader('connection')
    response.writeHead(status, STATUS_CODES[status] ?? 'Unknown', lines)
    if (bodiless) response.end()
    else if (!stream.destroyed) setImmediate(() => this.#flushHead())
  }

  /** A body that came with its head has sent both by now, in one write. */
  #flushHead(): void {
    const { response, stream } = this.#parts
    if (!response.writableEnded && !stream.destroyed) response.flushHeaders()
  }

  end(trailers: HeaderList): void {
    const { response } = this.#parts
    if (trailers.length > 0) response.addTrailers(pairs(trailers))
    response.end()
  }

  reset(): void {
    cut(this.#parts.stream)
  }

  upgraded({ status, headers }: ResponseHead): Duplex {
    const { response, stream } = this.#parts
    response.detachSocket(stream as Parameters<ServerResponse['detachSocket']>[0])
    stream.write(rawHead(status, headers), 'latin1')
    return stream
  }
}

function rawHead(status: number, headers: HeaderList): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`
  for (let index = 0; index < headers.length; index += 2)
    text += `${headers[index] ?? ''}: ${headers[index + 1] ?? ''}\r\n`
  return `${text}\r\n`
}

function pairs(headers: HeaderList): [string, string][] {
  const found: [string, string][] = []
  for (let index = 0; index < headers.length; index += 2) found.push([headers[index] ?? '', headers[index + 1] ?? ''])
  return found
}
