import { ERROR_CODE, Http2ConnectionError } from './errors.ts'
import { FRAME, FRAME_HEADER_BYTES, MAX_STREAM_ID, PREFACE } from './frame-type.ts'

export interface FrameHeader {
  type: number
  flags: number
  streamId: number
  length: number
}

/** Who is told of frames; views of bytes are valid during the call only. Anything may throw Http2ConnectionError. */
export interface FrameSink {
  /** Before any payload is looked at. */
  onFrameHeader(header: Readonly<FrameHeader>): void
  /** Part of a DATA frame's payload, padding included; `left` bytes of the frame follow. */
  onDataPart(bytes: Buffer, start: number, end: number, left: number): void
  onDataDone(header: Readonly<FrameHeader>): void
  /** Any other frame, whole. */
  onFrame(header: Readonly<FrameHeader>, bytes: Buffer, start: number, end: number): void
}

/** Buffers of other frames' payloads larger than this are not kept for the next. */
const KEPT_BYTES = 16 * 1024

/** Finds frames in a stream of bytes, however it is cut. DATA is passed on where it lies, the rest when it is whole. */
export class FrameReader {
  readonly #sink: FrameSink
  readonly #frame: FrameHeader = { type: 0, flags: 0, streamId: 0, length: 0 }
  readonly #header = Buffer.allocUnsafe(FRAME_HEADER_BYTES)
  #headerLength = 0
  #prefaceLeft: number
  /** Of the payload being read; -1 between frames. */
  #left = -1
  #payload: Buffer = Buffer.alloc(0)
  #payloadLength = 0

  constructor(sink: FrameSink, options: { readonly expectsPreface: boolean }) {
    this.#sink = sink
    this.#prefaceLeft = options.expectsPreface ? PREFACE.length : 0
  }

  /** Of a header block's frame a part is still to come. */
  get isInHead(): boolean {
    return this.#left > 0 && (this.#frame.type === FRAME.headers || this.#frame.type === FRAME.continuation)
  }

  /** `goesOn` is asked after each frame: what follows an error is not read. */
  read(chunk: Buffer, start: number, end: number, goesOn: () => boolean): void {
    let at = this.#prefaceLeft > 0 ? this.#readPreface(chunk, start, end) : start
    while (at < end && goesOn()) {
      if (this.#left < 0) {
        at = this.#readHeader(chunk, at, end)
        if (this.#left === 0) this.#done(chunk, at, at)
        continue
      }
      const length = Math.min(this.#left, end - at)
      this.#left -= length
      if (this.#frame.type === FRAME.data) {
        this.#sink.onDataPart(chunk, at, at + length, this.#left)
        if (this.#left === 0) this.#done(chunk, at, at)
      } else if (this.#payloadLength === 0 && this.#left === 0) {
        // Whole in this chunk, as nearly always.
        this.#done(chunk, at, at + length)
      } else {
        chunk.copy(this.#payload, this.#payloadLength, at, at + length)
        this.#payloadLength += length
        if (this.#left === 0) this.#done(this.#payload, 0, this.#payloadLength)
      }
      at += length
    }
  }

  #readPreface(chunk: Buffer, start: number, end: number): number {
    const from = PREFACE.length - this.#prefaceLeft
    const length = Math.min(this.#prefaceLeft, end - start)
    if (chunk.compare(PREFACE, from, from + length, start, start + length) !== 0) {
      throw new Http2ConnectionError(ERROR_CODE.protocolError, 'the peer does not begin as HTTP/2 clients do')
    }
    this.#prefaceLeft -= length
    return start + length
  }

  #readHeader(chunk: Buffer, from: number, end: number): number {
    let bytes = chunk
    let offset = from
    let at = from + FRAME_HEADER_BYTES
    if (this.#headerLength > 0 || at > end) {
      const length = Math.min(FRAME_HEADER_BYTES - this.#headerLength, end - from)
      chunk.copy(this.#header, this.#headerLength, from, from + length)
      this.#headerLength += length
      at = from + length
      if (this.#headerLength < FRAME_HEADER_BYTES) return at
      bytes = this.#header
      offset = 0
      this.#headerLength = 0
    }
    const frame = this.#frame
    frame.length = bytes.readUIntBE(offset, 3)
    frame.type = bytes[offset + 3] ?? 0
    frame.flags = bytes[offset + 4] ?? 0
    frame.streamId = bytes.readUInt32BE(offset + 5) & MAX_STREAM_ID
    this.#left = frame.length
    this.#payloadLength = 0
    this.#sink.onFrameHeader(frame)
    if (frame.type !== FRAME.data && frame.length > end - at && this.#payload.length < frame.length) {
      this.#payload = Buffer.allocUnsafeSlow(frame.length)
    }
    return at
  }

  #done(bytes: Buffer, start: number, end: number): void {
    this.#left = -1
    if (this.#frame.type === FRAME.data) this.#sink.onDataDone(this.#frame)
    else this.#sink.onFrame(this.#frame, bytes, start, end)
    if (this.#payload.length > KEPT_BYTES) this.#payload = Buffer.alloc(0)
  }
}
