import { Duplex } from 'node:stream'
import { constants, createInflate } from 'node:zlib'
import { MAX_SPDY_FRAME_BYTES, MAX_SPDY_HEADER_BYTES, MAX_SPDY_STREAMS } from '../limits.ts'
import { SPDY_DICTIONARY } from './spdy-dictionary.ts'

const SYN_STREAM = 1
const SYN_REPLY = 2
const RST_STREAM = 3
const PING = 6
const GOAWAY = 7
const FIN = 1
/** RST_STREAM status codes of the SPDY/3.1 draft. */
const REFUSED = 3
const CANCEL = 5
/** Payload of one data frame that we send. */
const MAX_DATA_BYTES = 64 * 1024

export type SpdyHeaders = Readonly<Record<string, string>>

export interface SpdyHandlers {
  onStream(headers: SpdyHeaders, stream: Duplex): void
  onEnd(): void
}

/**
 * Server side of SPDY/3.1 as client-go speaks it for exec and port-forward: over an upgraded connection
 * or tunnelled in a WebSocket. Flow control isn't part of it: client-go's implementation has none.
 */
export class SpdySession {
  readonly #io: Duplex
  readonly #handlers: SpdyHandlers
  readonly #streams = new Map<number, Duplex>()
  readonly #inflate = createInflate({ dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH })
  #inflated: Buffer[] = []
  #inflatedLength = 0
  #headerSent = false
  /** Lets go of whoever waits for headers when the session ends. */
  #inflateDone: (() => void) | undefined
  #ended = false

  /** Serves a session until the connection or `end()` ends it. */
  static serve(io: Duplex, handlers: SpdyHandlers): SpdySession {
    return new SpdySession(io, handlers)
  }

  private constructor(io: Duplex, handlers: SpdyHandlers) {
    this.#io = io
    this.#handlers = handlers
    this.#inflate.on('data', (part: Buffer) => {
      this.#inflatedLength += part.length
      if (this.#inflatedLength > MAX_SPDY_HEADER_BYTES) this.end()
      else this.#inflated.push(part)
    })
    this.#inflate.on('error', () => this.end())
    io.on('error', () => this.end())
    io.on('close', () => this.end())
    void this.#run()
  }

  /** Ends all streams and the connection. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const stream of this.#streams.values()) stream.destroy()
    this.#streams.clear()
    this.#inflate.close()
    this.#inflateDone?.()
    this.#io.end()
    this.#handlers.onEnd()
  }

  async #run(): Promise<void> {
    try {
      let buffer: Buffer = Buffer.alloc(0)
      for await (const part of this.#io) {
        buffer = buffer.length > 0 ? Buffer.concat([buffer, part as Buffer]) : (part as Buffer)
        while (buffer.length >= 8) {
          const length = buffer.readUInt32BE(4) & 0xffffff
          if (length > MAX_SPDY_FRAME_BYTES) return this.end()
          if (buffer.length < 8 + length) break
          await this.#frame(buffer.subarray(0, 8), buffer.subarray(8, 8 + length))
          buffer = buffer.subarray(8 + length)
          if (this.#ended) return
        }
      }
    } catch {
      // A connection that broke ends like one that was closed.
    }
    this.end()
  }

  async #frame(header: Buffer, body: Buffer): Promise<void> {
    const flags = header.readUInt8(4)
    if ((header.readUInt8(0) & 0x80) === 0) return await this.#data(header.readUInt32BE(0), flags, body)
    switch (header.readUInt16BE(2)) {
      case SYN_STREAM:
        return await this.#open(flags, body)
      case RST_STREAM:
        if (body.length >= 4) this.#streams.get(body.readUInt32BE(0))?.destroy()
        return
      case PING:
        this.#control(PING, 0, Buffer.from(body))
        return
      case GOAWAY:
        // Streams go on; the peer closes the connection when it is done.
        return
      default:
    }
  }

  async #data(id: number, flags: number, body: Buffer): Promise<void> {
    const stream = this.#streams.get(id)
    if (stream === undefined || stream.destroyed) return
    if (body.length > 0 && !stream.push(Buffer.from(body))) await drained(stream)
    if ((flags & FIN) !== 0 && !stream.destroyed) stream.push(null)
  }

  async #open(flags: number, body: Buffer): Promise<void> {
    if (body.length < 10) return this.end()
    const id = body.readUInt32BE(0) & 0x7fffffff
    const headers = await this.#readHeaders(body.subarray(10))
    if (headers === undefined || this.#ended) return this.end()
    if (this.#streams.size >= MAX_SPDY_STREAMS || this.#streams.has(id)) return this.#reset(id, REFUSED)
    const stream = this.#createStream(id)
    this.#streams.set(id, stream)
    const reply = Buffer.alloc(4)
    reply.writeUInt32BE(id)
    this.#control(SYN_REPLY, 0, Buffer.concat([reply, this.#emptyHeaders()]))
    if ((flags & FIN) !== 0) stream.push(null)
    this.#handlers.onStream(headers, stream)
  }

  #createStream(id: number): Duplex {
    const stream: Duplex = new Duplex({
      allowHalfOpen: true,
      read: () => stream.emit('spdy-drain'),
      write: (chunk: Buffer, _encoding, callback) => {
        let offset = 0
        while (chunk.length - offset > MAX_DATA_BYTES) {
          this.#write(id, 0, chunk.subarray(offset, offset + MAX_DATA_BYTES))
          offset += MAX_DATA_BYTES
        }
        this.#write(id, 0, chunk.subarray(offset), callback)
      },
      final: (callback) => this.#write(id, FIN, Buffer.alloc(0), callback),
      destroy: (error, callback) => {
        this.#streams.delete(id)
        stream.emit('spdy-drain')
        if (error !== null) this.#reset(id, CANCEL)
        callback(null)
      },
    })
    stream.on('error', () => {})
    return stream
  }

  /** Name/value pairs of a compressed header block; undefined when it is malformed. */
  async #readHeaders(block: Buffer): Promise<SpdyHeaders | undefined> {
    this.#inflated = []
    this.#inflatedLength = 0
    if (this.#ended) return undefined
    await new Promise<void>((resolve) => {
      this.#inflateDone = resolve
      this.#inflate.write(block, () => this.#inflate.flush(() => resolve()))
    })
    this.#inflateDone = undefined
    // Output of the last write is delivered one turn later.
    await new Promise<void>((resolve) => setImmediate(resolve))
    return parseHeaderBlock(Buffer.concat(this.#inflated))
  }

  /** "No headers" in stored deflate blocks; ends in a sync flush, which Go's reader insists on. */
  #emptyHeaders(): Buffer {
    const zlibHeader = this.#headerSent ? [] : [0x78, 0x01]
    this.#headerSent = true
    return Buffer.from([...zlibHeader, 0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff])
  }

  #reset(id: number, status: number): void {
    const body = Buffer.alloc(8)
    body.writeUInt32BE(id, 0)
    body.writeUInt32BE(status, 4)
    this.#control(RST_STREAM, 0, body)
  }

  #control(type: number, flags: number, body: Buffer): void {
    if (!this.#io.writable) return
    const header = Buffer.alloc(8)
    header.writeUInt16BE(0x8003, 0)
    header.writeUInt16BE(type, 2)
    header.writeUInt32BE(body.length, 4)
    header[4] = flags
    this.#io.write(Buffer.concat([header, body]))
  }

  #write(id: number, flags: number, data: Buffer, callback?: (error?: Error | null) => void): void {
    if (!this.#io.writable) {
      callback?.()
      return
    }
    const header = Buffer.alloc(8)
    header.writeUInt32BE(id, 0)
    header.writeUInt32BE(data.length, 4)
    header[4] = flags
    this.#io.write(Buffer.concat([header, data]), (error) => callback?.(error))
  }
}

/** Resolves when the reader wants more, or is gone. */
function drained(stream: Duplex): Promise<void> {
  return new Promise((resolve) => stream.once('spdy-drain', resolve))
}

/** Reads a SPDY/3 name/value block. */
export function parseHeaderBlock(block: Buffer): SpdyHeaders | undefined {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  if (block.length < 4) return undefined
  let offset = 4
  const text = (): string | undefined => {
    if (offset + 4 > block.length) return undefined
    const length = block.readUInt32BE(offset)
    if (offset + 4 + length > block.length) return undefined
    offset += 4 + length
    return block.toString('utf8', offset - length, offset)
  }
  for (let left = block.readUInt32BE(0); left > 0; left--) {
    const name = text()
    const value = text()
    if (name === undefined || value === undefined) return undefined
    headers[name.toLowerCase()] = value
  }
  return headers
}
