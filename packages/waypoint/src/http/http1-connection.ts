import { METHODS, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import { cut } from '@ambit/hbone'
import { Http1Error, type Http1Problem, MessageReader, parseRequestHead, type RequestHead } from '@ambit/http1'
import {
  MAX_HEADER_BYTES,
  MAX_HEADER_LINES,
  MAX_PIPELINED_REQUESTS,
  MAX_TARGET_LENGTH,
  REQUEST_REST_TIMEOUT_MS,
} from '../limits.ts'
import type { FrontHandler, ProtocolError } from './front.types.ts'
import { endToEnd, headerOf, OF_THE_HEAD } from './headers.ts'
import { type Http1Carrier, Http1Exchange } from './http1-exchange.ts'
import { lingeringEnd } from './lingering-end.ts'
import { readTarget } from './read-target.ts'
import { upgradeOf } from './upgrade.ts'

const READER = { maxHeadBytes: MAX_HEADER_BYTES, maxLines: MAX_HEADER_LINES }

/** Others a next hop may not know, or take for one of these. */
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS)

export interface Http1ConnectionOptions {
  readonly isDraining: () => boolean
  readonly onClosed: () => void
}

/**
 * One client's HTTP/1.1 connection. Requests are served one after the other, so who sends many at once gains nothing, and of a body no more
 * is read than is wanted.
 */
export class Http1Connection implements Http1Carrier {
  readonly stream: Duplex
  readonly #handler: FrontHandler
  readonly #clock: Clock
  readonly #options: Http1ConnectionOptions
  readonly #reader = new MessageReader(parseRequestHead, READER)
  /** The request that is answered now. */
  #serving: Http1Exchange | undefined
  /** Whose body is being read. */
  #reading: Http1Exchange | undefined
  /** Requests that were sent before the one ahead of them was answered. */
  #waiting: Http1Exchange[] = []
  /** What was not one, behind those. */
  #refusal: ProtocolError | undefined
  /** Bytes that are not read yet. */
  #rest: Buffer | undefined
  #isFeeding = false
  /** The last answer was sent, or the stream belongs to somebody else. */
  #isOver = false
  #isLeaving = false
  /** What follows may be of another protocol. */
  #isUpgrade = false
  #isHeld = false
  #isLost = false
  /** Monotonic; since when there is no request, or no more of a head, or but the rest of a body behind its answer. */
  #sinceMs: number
  #isHeadBegun = false

  constructor(
    components: { readonly stream: Duplex; readonly handler: FrontHandler; readonly clock: Clock },
    options: Http1ConnectionOptions,
  ) {
    this.stream = components.stream
    this.#handler = components.handler
    this.#clock = components.clock
    this.#options = options
    this.#sinceMs = components.clock.monotonic()
    const { stream } = this
    stream.on('error', this.#onLost)
    stream.on('close', this.#onClose)
    stream.on('aborted', this.#onLost)
    stream.on('end', this.#onEnd)
    stream.on('drain', this.#onDrain)
    stream.on('data', this.#onData)
    if (stream.destroyed) this.#onClose()
    else if (stream.readableEnded) this.#onEnd()
    else stream.resume()
  }

  get isLeaving(): boolean {
    return this.#isLeaving || this.#options.isDraining()
  }

  get isGone(): boolean {
    return this.#isLost || this.stream.destroyed
  }

  get isIdle(): boolean {
    return this.#serving === undefined
  }

  /** The answer under way is the last, and without one the connection ends at once. */
  leave(): void {
    if (this.#isLeaving) return
    this.#isLeaving = true
    if (this.isIdle) this.#finish()
  }

  /** Ends it if no request is under way; what still comes could not be answered, and is not carried out. */
  closeIdle(): void {
    if (this.isIdle) this.#finish()
  }

  /** Looked at now and then: who does not come to the end of a head or of a body that was answered, or asks for nothing. */
  checkTime(headersTimeoutMs: number, idleTimeoutMs: number): void {
    if (this.#isOver) return
    const forMs = this.#clock.monotonic() - this.#sinceMs
    if (!this.isIdle) {
      // Who still reads the answer gets all of it.
      const isHeard = this.#serving?.isAnswered === true && this.stream.writableLength === 0
      if (isHeard && forMs >= REQUEST_REST_TIMEOUT_MS) this.#finish()
    } else if (this.#reader.isInHead && forMs >= headersTimeoutMs)
      this.#refuse({ status: 408, reason: 'the head of a request did not come to its end in time' })
    else if (forMs >= idleTimeoutMs) this.#finish()
  }

  readOn(): void {
    if (this.#isFeeding || this.#isOver || this.#isLost) return
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined) this.#feed(rest)
    if (this.#rest === undefined && this.#takesMore) this.#release()
  }

  holdUp(): void {
    if (this.#isOver || this.#isHeld) return
    this.#isHeld = true
    this.stream.pause()
  }

  answered(exchange: Http1Exchange, isLast: boolean): void {
    if (isLast) {
      this.#finish()
      return
    }
    // The next request stands behind the rest of this one's body.
    if (exchange.hasEnded) this.#next()
    else {
      this.#sinceMs = this.#clock.monotonic()
      this.readOn()
    }
  }

  handOver(): Duplex {
    const { stream } = this
    this.#isOver = true
    stream.pause()
    stream.off('data', this.#onData)
    stream.off('end', this.#onEnd)
    stream.off('drain', this.#onDrain)
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined && rest.length > 0) stream.unshift(rest)
    return stream
  }

  cut(): void {
    cut(this.stream)
  }

  /** Of the request whose bytes come now. */
  get #takesMore(): boolean {
    return !this.#isUpgrade && (this.#reading?.takesBody ?? true)
  }

  readonly #onData = (chunk: Buffer): void => {
    // Behind the last answer nothing is served: its sender was told, and would send it again elsewhere.
    if (this.#isOver) return
    if (this.#rest !== undefined) {
      this.#rest = Buffer.concat([this.#rest, chunk])
      this.holdUp()
    } else this.#feed(chunk)
  }

  readonly #onDrain = (): void => {
    this.#serving?.onDrain()
  }

  /** Nobody is left to answer: a client that has more to say, or still reads, keeps its side open. */
  readonly #onEnd = (): void => {
    if (this.#isOver) return
    if (this.isIdle && this.#reader.isInHead) {
      this.#refuse({ status: 400, reason: 'the connection ended within the head of a request' })
      return
    }
    this.#onLost()
    lingeringEnd(this.stream, this.#clock)
  }

  readonly #onLost = (): void => {
    if (this.#isLost) return
    this.#isLost = true
    const requests = [this.#serving, ...this.#waiting]
    this.#waiting = []
    this.#rest = undefined
    for (const exchange of requests) exchange?.lost()
  }

  readonly #onClose = (): void => {
    this.#onLost()
    this.#options.onClosed()
  }

  #feed(chunk: Buffer): void {
    const reader = this.#reader
    const end = chunk.length
    let at = 0
    this.#isFeeding = true
    try {
      for (;;) {
        if (this.#isOver || this.#isLost || this.#refusal !== undefined) return
        if (!this.#takesMore) {
          this.#rest = at === 0 ? chunk : chunk.subarray(at)
          this.holdUp()
          return
        }
        const event = reader.read(chunk, at, end)
        at = reader.at
        switch (event) {
          case 'more':
            if (reader.isInHead && !this.#isHeadBegun) {
              this.#isHeadBegun = true
              this.#sinceMs = this.#clock.monotonic()
            }
            if (this.#takesMore) this.#release()
            return
          case 'head':
            this.#isHeadBegun = false
            this.#onHead(reader.head)
            break
          case 'data':
            this.#reading?.onData(chunk.subarray(reader.dataStart, reader.dataEnd))
            break
          case 'end':
            this.#onMessageEnd()
            break
        }
      }
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error
      this.#onBadInput(error)
    } finally {
      this.#isFeeding = false
    }
  }

  #release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.stream.resume()
  }

  #onHead(head: RequestHead): void {
    const { method, target, headers, version } = head
    const refused = objectionTo(head)
    if (refused !== undefined) return this.#refuse(refused)
    const read = readTarget(method, target, headers, version)
    if (!read.ok) return this.#refuse({ status: 400, reason: read.reason })
    const upgrade = upgradeOf(head)
    if (this.#waiting.length >= MAX_PIPELINED_REQUESTS) {
      this.#handler.protocolError({
        status: 0,
        reason: `more than ${MAX_PIPELINED_REQUESTS} requests wait for an answer`,
      })
      return this.cut()
    }
    // An answer before it is not out yet: nobody waits for both.
    if (upgrade !== undefined && !this.isIdle) return this.cut()
    const expectsContinue = version === '1.1' && headerOf(headers, 'expect') !== undefined
    const exchange = new Http1Exchange(
      this,
      {
        version: version === '1.1' ? 'HTTP/1.1' : 'HTTP/1.0',
        method,
        scheme: read.scheme,
        authority: read.authority,
        target: read.target,
        headers: endToEnd(headers, OF_THE_HEAD),
        isBodiless: head.isBodiless,
        upgrade,
      },
      { expectsContinue, keepsAlive: head.keepsAlive },
    )
    this.#reading = exchange
    this.#isUpgrade = upgrade !== undefined
    if (this.isIdle) this.#serve(exchange)
    else this.#waiting.push(exchange)
  }

  #onMessageEnd(): void {
    const exchange = this.#reading
    this.#reading = undefined
    if (exchange === undefined) return
    exchange.onEnd(this.#reader.trailers)
    if (exchange === this.#serving && exchange.isAnswered && !this.#isOver) this.#next()
  }

  #serve(exchange: Http1Exchange): void {
    this.#serving = exchange
    this.#handler.request(exchange)
  }

  #next(): void {
    this.#serving = undefined
    if (this.#isOver || this.isGone) return
    const exchange = this.#waiting.shift()
    if (exchange !== undefined) {
      this.#serve(exchange)
      return
    }
    if (this.#refusal !== undefined) this.#refuse(this.#refusal)
    else if (this.isLeaving) this.#finish()
    else {
      this.#sinceMs = this.#clock.monotonic()
      this.readOn()
    }
  }

  #onBadInput({ problem, message }: Http1Error): void {
    // Of a body: the endpoint has its beginning, and must not take it for all.
    if (this.#reading !== undefined && this.#reading === this.#serving) {
      this.#handler.protocolError({ status: 400, reason: message })
      this.cut()
      return
    }
    this.#refuse({ status: STATUS[problem] ?? 400, reason: message })
  }

  /** Answers it when it is its turn, and nothing behind it. */
  #refuse(refusal: ProtocolError): void {
    this.#refusal = refusal
    if (!this.isIdle) return
    const { status, reason } = refusal
    this.#handler.protocolError({ status, reason })
    if (this.stream.writable)
      this.stream.write(
        Buffer.from(
          `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\ncontent-length: 0\r\nconnection: close\r\nserver: istio-envoy\r\n\r\n`,
        ),
      )
    this.#finish()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#rest = undefined
    this.#waiting = []
    this.#serving = undefined
    lingeringEnd(this.stream, this.#clock)
    this.stream.resume()
  }
}

const STATUS: Partial<Record<Http1Problem, number>> = {
  'head-too-large': 431,
  'too-many-lines': 431,
  'chunk-extensions-too-long': 413,
}

function objectionTo({ method, target, version, headers }: RequestHead): ProtocolError | undefined {
  if (!KNOWN_METHODS.has(method)) return { status: 400, reason: 'unknown method' }
  if (target.length > MAX_TARGET_LENGTH) return { status: 414, reason: 'the request target is too long' }
  const expected = version === '1.1' ? headerOf(headers, 'expect') : undefined
  if (expected !== undefined && expected.toLowerCase() !== '100-continue')
    return { status: 417, reason: 'unknown expectation' }
  return undefined
}
