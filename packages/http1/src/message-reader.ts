import { CR, LF } from './characters.ts'
import { ChunkSize } from './chunk-size.ts'
import { Http1Error } from './errors.ts'
import type { HeaderList, RequestHead, ResponseHead } from './head.types.ts'
import { checkLines, HeldBytes } from './held-bytes.ts'
import { MAX_EMPTY_LINES } from './limits.ts'
import { parseTrailers } from './parse-fields.ts'

/** `more`: all bytes are read. `head`, `data`, `end`: of the message, in this order; there may be no data, and much. */
export type ReadEvent = 'more' | 'head' | 'data' | 'end'

export interface ReaderOptions {
  /** Start line, field lines and all CRLFs; the same for trailers. */
  readonly maxHeadBytes: number
  readonly maxLines: number
}

const HEAD = 0
const COUNTED = 1
const CHUNK_LINE = 2
const CHUNK = 3
const CHUNK_CR = 4
const CHUNK_LF = 5
const TRAILERS = 6
const TO_END = 7
const OVER = 8
const BROKEN = 9

const EMPTY_LINE = Buffer.from('\r\n\r\n')
const NOTHING: HeaderList = []
/** Below what an index less two can be. */
const NOT_FOUND = -3

/**
 * Reads one direction of an HTTP/1.1 connection (RFC 9112) without I/O. Whoever reads asks for one event after the other, so nothing is
 * read that nobody wants yet, and nothing of a body is copied. Strict: what the RFC calls invalid throws an {@link Http1Error}, after
 * which the connection can not be read any more.
 */
export class MessageReader<Head extends RequestHead | ResponseHead> {
  /** Where the next event begins. */
  at = 0
  /** Of the last `data`. */
  dataStart = 0
  dataEnd = 0
  /** Of the message whose end came last. */
  trailers: HeaderList = NOTHING
  readonly #parse: (text: string, maxLines: number) => Head
  readonly #options: ReaderOptions
  readonly #held = new HeldBytes()
  readonly #chunk = new ChunkSize()
  #head: Head | undefined
  #state: number = HEAD
  #emptyLines = 0
  #left = 0

  constructor(parse: (text: string, maxLines: number) => Head, options: ReaderOptions) {
    this.#parse = parse
    this.#options = options
  }

  /** Of the message that is being read. */
  get head(): Head {
    if (this.#head === undefined) throw new TypeError('no head was read')
    return this.#head
  }

  /** Nothing of a message has come. */
  get isBetween(): boolean {
    return this.#state === HEAD && this.#held.length === 0
  }

  /** Some of a head has come, and not all. */
  get isInHead(): boolean {
    return this.#state === HEAD && this.#held.length > 0
  }

  /** The body ends where the connection does. */
  get isToEnd(): boolean {
    return this.#state === TO_END
  }

  /** After `head`: there is no body whatever the head says, as of answers to HEAD. */
  withoutBody(): void {
    this.#state = OVER
  }

  read(bytes: Buffer, from: number, to: number): ReadEvent {
    this.at = from
    try {
      return this.#read(bytes, to)
    } catch (error) {
      this.#state = BROKEN
      this.#held.clear()
      throw error
    }
  }

  /** The connection has ended. Answers `end` where that ends the message, `more` between messages. */
  finish(): ReadEvent {
    switch (this.#state) {
      case TO_END:
      case OVER:
        this.#state = HEAD
        this.trailers = NOTHING
        return 'end'
      case HEAD:
        if (this.#held.length === 0) return 'more'
    }
    this.#state = BROKEN
    throw new Http1Error('ended-early', 'the connection ended within a message')
  }

  #read(bytes: Buffer, to: number): ReadEvent {
    for (;;) {
      switch (this.#state) {
        case HEAD:
          return this.#readHead(bytes, to)
        case COUNTED:
        case CHUNK: {
          if (this.at === to) return 'more'
          const length = Math.min(this.#left, to - this.at)
          this.#left -= length
          if (this.#left === 0) this.#state = this.#state === COUNTED ? OVER : CHUNK_CR
          return this.#data(length)
        }
        case CHUNK_LINE: {
          const end = this.#chunk.read(bytes, this.at, to)
          this.at = end < 0 ? to : end
          if (end < 0) return 'more'
          this.#left = this.#chunk.size
          this.#state = this.#left === 0 ? TRAILERS : CHUNK
          break
        }
        case CHUNK_CR:
        case CHUNK_LF: {
          if (this.at === to) return 'more'
          const isCr = this.#state === CHUNK_CR
          if (bytes[this.at++] !== (isCr ? CR : LF))
            throw new Http1Error('invalid-chunk', 'a chunk longer than its size')
          this.#state = isCr ? CHUNK_LF : CHUNK_LINE
          if (!isCr) this.#chunk.next()
          break
        }
        case TRAILERS: {
          const text = this.#readLines(bytes, to)
          if (text === undefined) return 'more'
          this.trailers = parseTrailers(text, this.#options.maxLines)
          this.#state = HEAD
          return 'end'
        }
        case TO_END:
          return this.at === to ? 'more' : this.#data(to - this.at)
        case OVER:
          this.trailers = NOTHING
          this.#state = HEAD
          return 'end'
        default:
          throw new Http1Error('invalid-framing', 'nothing can be read behind an error')
      }
    }
  }

  #data(length: number): ReadEvent {
    this.dataStart = this.at
    this.at += length
    this.dataEnd = this.at
    return 'data'
  }

  #readHead(bytes: Buffer, to: number): ReadEvent {
    const text = this.#readLines(bytes, to)
    if (text === undefined) return 'more'
    this.#emptyLines = 0
    const head = this.#parse(text, this.#options.maxLines)
    this.#head = head
    if (head.isChunked) {
      this.#state = CHUNK_LINE
      this.#chunk.begin()
    } else if (head.contentLength !== undefined || head.kind === 'request') {
      this.#left = head.contentLength ?? 0
      this.#state = this.#left === 0 ? OVER : COUNTED
    } else this.#state = TO_END
    return 'head'
  }

  /** Lines up to an empty one, without that; undefined while it has not come. */
  #readLines(bytes: Buffer, to: number): string | undefined {
    const held = this.#held
    if (held.length === 0) {
      this.#skipEmptyLines(bytes, to)
      if (this.at === to) return undefined
      const end = this.#emptyLineIn(bytes, this.at, this.at, to)
      if (end !== NOT_FOUND) {
        this.#mustFit(end + 4 - this.at)
        const text = bytes.toString('latin1', this.at, end + 2)
        this.at = end + 4
        return text
      }
      checkLines(bytes, this.at, this.at, to)
      this.#mustFit(to - this.at)
      held.add(bytes, this.at, to)
      this.at = to
      return undefined
    }
    const before = held.length
    const most = this.#options.maxHeadBytes + EMPTY_LINE.length - before
    held.add(bytes, this.at, Math.min(to, this.at + most))
    // An empty line that was cut in two.
    if (this.#state === HEAD && before === 1 && held.bytes[0] === CR && held.bytes[1] === LF) {
      held.clear()
      this.#countEmptyLine()
      this.at++
      return this.#readLines(bytes, to)
    }
    const end = this.#emptyLineIn(held.bytes, 0, Math.max(0, before - 3), held.length)
    if (end !== NOT_FOUND) {
      this.#mustFit(end + 4)
      const text = held.bytes.toString('latin1', 0, end + 2)
      this.at += end + 4 - before
      held.clear()
      return text
    }
    checkLines(held.bytes, 0, before, held.length)
    this.#mustFit(held.length)
    this.at = to
    return undefined
  }

  /** Where the CRLF before the empty line is. Trailers may be that line alone: then the CRLF of the last chunk's line counts. */
  #emptyLineIn(bytes: Buffer, start: number, from: number, end: number): number {
    if (this.#state === TRAILERS && end - start >= 2 && bytes[start] === CR && bytes[start + 1] === LF) return start - 2
    const found = bytes.indexOf(EMPTY_LINE, from)
    return found >= 0 && found + EMPTY_LINE.length <= end ? found : NOT_FOUND
  }

  #skipEmptyLines(bytes: Buffer, to: number): void {
    if (this.#state !== HEAD) return
    while (this.at + 1 < to && bytes[this.at] === CR && bytes[this.at + 1] === LF) {
      this.#countEmptyLine()
      this.at += 2
    }
  }

  #countEmptyLine(): void {
    if (++this.#emptyLines > MAX_EMPTY_LINES) throw new Http1Error('invalid-start-line', 'too many empty lines')
  }

  #mustFit(length: number): void {
    if (length > this.#options.maxHeadBytes) throw new Http1Error('head-too-large', 'the header block is too large')
  }
}
