import type { Duplex } from 'node:stream'
import { cut } from '@ambit/hbone'
import { MessageReader, parseResponseHead, type ResponseHead } from '@ambit/http1'
import type { HeaderList } from '@ambit/route'
import { MAX_HEADER_BYTES, MAX_HEADER_LINES } from '../limits.ts'

const READER = { maxHeadBytes: MAX_HEADER_BYTES, maxLines: MAX_HEADER_LINES }

/** Who is answered. Whatever it throws is the endpoint's fault. */
export interface AnswerReader {
  /** Whether more of the body is wanted now. */
  readonly takesBody: boolean
  /** `upgraded`: what follows is of another protocol. */
  onHead(head: ResponseHead): 'interim' | 'bodiless' | 'body' | 'upgraded'
  onData(chunk: Buffer): void
  onEnd(trailers: HeaderList): void
  onDrain(): void
  /** No answer, or not all of it. `error` is absent when the connection ended. */
  onFailure(error: unknown): void
}

/** One HTTP/1.1 connection to an endpoint, with one request at a time. */
export class Http1Upstream {
  readonly stream: Duplex
  /** Requests so far. */
  carried = 0
  /** Of a connection nobody uses: it is of no use any more. */
  onUseless: (() => void) | undefined
  readonly #reader = new MessageReader(parseResponseHead, READER)
  #call: AnswerReader | undefined
  #rest: Buffer | undefined
  #isFeeding = false
  #isHeld = false
  /** Nothing more comes than the rest. */
  #isEnded = false
  #isOver = false

  constructor(stream: Duplex) {
    this.stream = stream
    stream.on('data', this.#onData)
    stream.on('end', this.#onEnd)
    stream.on('aborted', this.#onGone)
    stream.on('close', this.#onGone)
    stream.on('error', this.#onGone)
    stream.on('drain', this.#onDrain)
    stream.resume()
  }

  /** Whether a request can be sent on it. */
  get isUsable(): boolean {
    return !this.#isOver && !this.#isEnded && this.#call === undefined && this.stream.writable
  }

  begin(call: AnswerReader): void {
    this.#call = call
    this.carried++
    if (this.#isOver || this.stream.destroyed) queueMicrotask(() => this.#fail(undefined))
  }

  readOn(): void {
    if (this.#isFeeding || this.#isOver) return
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined) this.#feed(rest)
    if (this.#isEnded && this.#rest === undefined) this.#onEnd()
    if (this.#rest === undefined && this.#call?.takesBody !== false) this.#resume()
  }

  holdUp(): void {
    if (this.#isHeld || this.#isOver) return
    this.#isHeld = true
    this.stream.pause()
  }

  /** Of a connection nobody uses. */
  close(): void {
    if (!this.#isOver) this.#useless()
  }

  /** Nothing further is told. */
  cut(): void {
    this.#call = undefined
    this.#isOver = true
    cut(this.stream)
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isOver) return
    if (this.#call === undefined) {
      // Nobody asked for anything.
      this.#useless()
    } else if (this.#rest !== undefined) {
      this.#rest = Buffer.concat([this.#rest, chunk])
      this.holdUp()
    } else this.#feed(chunk)
  }

  readonly #onDrain = (): void => {
    this.#call?.onDrain()
  }

  readonly #onEnd = (): void => {
    if (this.#isOver) return
    this.#isEnded = true
    // Who takes the answer slowly gets all of it.
    if (this.#rest !== undefined && this.#call !== undefined) return
    if (this.#call === undefined) {
      this.#useless()
      return
    }
    // A reset tunnel ends as one that ended does; only its code tells that there should have been more.
    const { rstCode } = this.stream as { readonly rstCode?: number | undefined }
    let isWhole = false
    try {
      isWhole = !rstCode && this.#reader.finish() === 'end'
    } catch {
      isWhole = false
    }
    const call = this.#call
    if (isWhole) {
      this.#isOver = true
      this.#call = undefined
      call.onEnd(this.#reader.trailers)
      cut(this.stream)
    } else this.#fail(undefined)
  }

  readonly #onGone = (error?: unknown): void => {
    if (this.#isOver) return
    if (this.#call === undefined) this.#useless()
    else if (!this.#isEnded || this.#rest === undefined) this.#fail(error)
  }

  #useless(): void {
    this.#isOver = true
    this.onUseless?.()
    this.stream.destroy()
  }

  #fail(error: unknown): void {
    const call = this.#call
    this.cut()
    call?.onFailure(error)
  }

  #feed(chunk: Buffer): void {
    const reader = this.#reader
    const end = chunk.length
    let at = 0
    this.#isFeeding = true
    try {
      for (;;) {
        const call = this.#call
        if (this.#isOver) return
        if (call === undefined) return
        if (!call.takesBody) {
          this.#rest = at === 0 ? chunk : chunk.subarray(at)
          this.holdUp()
          return
        }
        const event = reader.read(chunk, at, end)
        at = reader.at
        switch (event) {
          case 'more':
            this.#resume()
            return
          case 'head':
            switch (call.onHead(reader.head)) {
              case 'upgraded':
                this.#handOver(chunk.subarray(at))
                return
              case 'interim':
                reader.withoutBody()
                reader.read(chunk, at, end)
                break
              case 'bodiless':
                reader.withoutBody()
                break
              case 'body':
                break
            }
            break
          case 'data':
            call.onData(chunk.subarray(reader.dataStart, reader.dataEnd))
            break
          case 'end':
            this.#call = undefined
            // More than the answer to the only request there was: nobody may take it for the answer to the next.
            if (at < end) this.cut()
            call.onEnd(reader.trailers)
            break
        }
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#isFeeding = false
    }
  }

  #resume(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.stream.resume()
  }

  #handOver(rest: Buffer): void {
    const { stream } = this
    this.#isOver = true
    this.#call = undefined
    stream.pause()
    stream.off('data', this.#onData)
    stream.off('end', this.#onEnd)
    stream.off('drain', this.#onDrain)
    if (rest.length > 0) stream.unshift(rest)
  }
}
