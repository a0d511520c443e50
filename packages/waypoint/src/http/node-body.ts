import type { Readable, Writable } from 'node:stream'
import { BODY_BUFFER_BYTES } from '../limits.ts'
import type { BodyReader, BodySource, BodyTarget } from './body.types.ts'

/** A stream of Node's as a body that is read. */
export class NodeSource implements BodySource {
  readonly #stream: Readable

  constructor(stream: Readable) {
    this.#stream = stream
  }

  read(reader: BodyReader): void {
    const stream = this.#stream
    let isOver = false
    const fail = (error?: Error): void => {
      if (isOver) return
      isOver = true
      reader.onFailure(error)
    }
    stream.on('data', (chunk: Buffer) => {
      if (!isOver) reader.onData(chunk)
    })
    stream.once('end', () => {
      if (isOver) return
      isOver = true
      reader.onEnd()
    })
    stream.once('error', fail)
    stream.once('close', () => fail())
    if (stream.destroyed && !stream.readableEnded) fail()
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  discard(): void {
    this.#stream.resume()
  }
}

/** A stream of Node's as what a body is written to. */
export class NodeTarget implements BodyTarget {
  readonly #stream: Writable
  #listener: (() => void) | undefined

  constructor(stream: Writable) {
    this.#stream = stream
  }

  get backlog(): number {
    return this.#stream.writableLength
  }

  write(chunk: Buffer): boolean {
    const stream = this.#stream
    if (stream.destroyed || stream.writableEnded) return true
    return stream.write(chunk) || stream.writableLength < Math.min(BODY_BUFFER_BYTES, stream.writableHighWaterMark)
  }

  onDrain(listener: () => void): void {
    if (this.#listener === undefined) this.#stream.on('drain', () => this.#listener?.())
    this.#listener = listener
  }
}
