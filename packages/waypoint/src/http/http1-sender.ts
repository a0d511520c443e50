import type { Duplex } from 'node:stream'
import { cut } from '@ambit/hbone'
import { type HeaderList, Http1Error, headText, writeHead } from '@ambit/http1'
import type { BodyTarget } from './body.types.ts'
import { headerOf } from './headers.ts'

/** How the end of a message is told (RFC 9112 §6.3). */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'counted'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'to-end' }

/** Up to so many bytes a piece of a body is copied to leave together with what frames it. */
const MERGED_BYTES: number = 16 * 1024

const LAST_CHUNK = '0\r\n'
const NO_TRAILERS: HeaderList = []

/** Senders whose head waits for a body; at the end of the loop's turn it leaves alone. */
let waiting: Http1Sender[] = []

function flushWaiting(): void {
  const due = waiting
  waiting = []
  for (const sender of due) sender.flush()
}

/** One message on its way out on an HTTP/1.1 connection. A head leaves with the body that came with it. */
export class Http1Sender implements BodyTarget {
  readonly #stream: Duplex
  readonly #framing: Framing
  /** Until it is sent. */
  #head: string
  #left: number
  #isOver = false
  #drain: (() => void) | undefined

  constructor(stream: Duplex, head: string, framing: Framing) {
    this.#stream = stream
    this.#head = head
    this.#framing = framing
    this.#left = framing.kind === 'counted' ? framing.length : 0
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get backlog(): number {
    return this.#stream.writableLength
  }

  onDrain(listener: () => void): void {
    this.#drain = listener
  }

  /** The stream of the connection takes more. */
  drained(): void {
    this.#drain?.()
  }

  write(chunk: Buffer): boolean {
    if (this.#isOver || chunk.length === 0 || !this.#stream.writable) return true
    switch (this.#framing.kind) {
      case 'none':
        return true
      case 'counted':
        // Whoever reads would take the rest for another message.
        if (chunk.length > this.#left) return this.#break()
        this.#left -= chunk.length
        return this.#send('', chunk, '')
      case 'chunked':
        return this.#send(`${chunk.length.toString(16)}\r\n`, chunk, '\r\n')
      case 'to-end':
        return this.#send('', chunk, '')
    }
  }

  /** All of the body was written. */
  end(trailers: HeaderList = NO_TRAILERS): void {
    if (this.#isOver) return
    this.#isOver = true
    if (!this.#stream.writable) return
    if (this.#left > 0) this.#break()
    else if (this.#framing.kind === 'chunked')
      this.#text(trailers.length === 0 ? `${LAST_CHUNK}\r\n` : `${LAST_CHUNK}${trailerText(trailers)}`)
    else this.flush()
  }

  /** Sends the head now, if it was not yet. */
  flush(): void {
    if (this.#head !== '' && this.#stream.writable) this.#text('')
  }

  /** Sends the head at the end of this turn, if nothing of the body has come by then. */
  flushLater(): void {
    if (this.#head === '') return
    if (waiting.push(this) === 1) setImmediate(flushWaiting)
  }

  #text(text: string): void {
    const all = this.#head + text
    this.#head = ''
    this.#stream.write(Buffer.from(all, 'latin1'))
  }

  #send(before: string, chunk: Buffer, after: string): boolean {
    const head = this.#head
    const stream = this.#stream
    this.#head = ''
    if (head === '' && before === '') return stream.write(chunk)
    if (chunk.length <= MERGED_BYTES) return stream.write(writeHead(head, chunk, before, after))
    // A tunnel gathers the frames of a turn by itself, and copies what is corked once more.
    const corks = !('rstCode' in stream)
    if (corks) stream.cork()
    stream.write(Buffer.from(head + before, 'latin1'))
    let isFree = stream.write(chunk)
    if (after !== '') isFree = stream.write(Buffer.from(after, 'latin1'))
    if (corks) stream.uncork()
    return isFree
  }

  /** The body is not as long as its head says. */
  #break(): true {
    this.#isOver = true
    cut(this.#stream)
    return true
  }
}

/** Lines and the empty one; without a start line. */
function trailerText(trailers: HeaderList): string {
  return headText('', trailers).slice(2)
}

/** How a message with these headers is framed; without a length in chunks, or where the peer knows none by its end. */
export function framingOf(headers: HeaderList, bodiless: boolean, knowsChunks: boolean): Framing {
  if (bodiless) return NO_BODY
  const length = headerOf(headers, 'content-length')
  if (length === undefined) return knowsChunks ? CHUNKED : TO_END
  if (!/^\d{1,15}$/.test(length)) throw new Http1Error('invalid-framing', 'Content-Length is no length')
  return { kind: 'counted', length: Number(length) }
}

const NO_BODY: Framing = { kind: 'none' }
const CHUNKED: Framing = { kind: 'chunked' }
const TO_END: Framing = { kind: 'to-end' }
