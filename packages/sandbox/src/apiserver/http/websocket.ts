import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { MAX_WEBSOCKET_MESSAGE_BYTES } from '../limits.ts'

/** RFC 6455 section 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const CONTINUATION = 0
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

export interface WebSocketHandlers {
  onMessage(message: Buffer): void
  onClose(): void
}

/**
 * Server side of a WebSocket over an upgraded connection. Own, because kubectl's subprotocol
 * `SPDY/3.1+portforward.k8s.io` is no token and libraries refuse it.
 */
export class WebSocketConnection {
  readonly #socket: Duplex
  #handlers: WebSocketHandlers | undefined
  #buffer: Buffer = Buffer.alloc(0)
  #parts: Buffer[] = []
  #partsLength = 0
  #closed = false
  #closeSent = false

  constructor(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string) {
    this.#socket = socket
    const key = request.headers['sec-websocket-key'] ?? ''
    const accept = createHash('sha1')
      .update(key + ACCEPT_GUID)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
    )
    if (head.length > 0) this.#buffer = head
  }

  /** Starts reading. */
  start(handlers: WebSocketHandlers): void {
    this.#handlers = handlers
    this.#socket.on('data', (data: Buffer) => {
      this.#buffer = this.#buffer.length > 0 ? Buffer.concat([this.#buffer, data]) : data
      this.#read()
    })
    this.#socket.on('close', () => this.#finish())
    this.#socket.on('end', () => this.#finish())
    this.#socket.on('error', () => this.#finish())
    this.#read()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Sends a binary message; the callback runs when it has left. */
  send(message: Buffer, callback?: () => void): void {
    this.#frame(BINARY, message, callback)
  }

  /** Says goodbye; the peer's answer or a while later ends the connection. */
  close(code: number): void {
    if (this.#closeSent) return
    this.#closeSent = true
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    this.#frame(CLOSE, payload, () => this.#socket.end())
  }

  #finish(): void {
    if (this.#closed) return
    this.#closed = true
    this.#handlers?.onClose()
    if (!this.#socket.destroyed) this.#socket.end()
  }

  #read(): void {
    while (!this.#closed) {
      const frame = takeFrame(this.#buffer)
      if (frame === 'more') return
      if (frame === 'broken') {
        this.close(1002)
        return this.#finish()
      }
      if (frame === 'too-big') {
        this.close(1009)
        return this.#finish()
      }
      this.#buffer = this.#buffer.subarray(frame.size)
      this.#accept(frame)
    }
  }

  #accept({ opcode, final, payload }: Frame): void {
    if (opcode === CLOSE) {
      if (!this.#closeSent) this.close(1000)
      return this.#finish()
    }
    if (opcode === PING) return this.#frame(PONG, payload)
    if (opcode === PONG) return
    if ((opcode === CONTINUATION) !== this.#parts.length > 0 && opcode === CONTINUATION) return this.close(1002)
    this.#parts.push(payload)
    this.#partsLength += payload.length
    if (this.#partsLength > MAX_WEBSOCKET_MESSAGE_BYTES) {
      this.close(1009)
      return this.#finish()
    }
    if (!final) return
    const message = this.#parts.length === 1 ? payload : Buffer.concat(this.#parts)
    this.#parts = []
    this.#partsLength = 0
    this.#handlers?.onMessage(message)
  }

  #frame(opcode: number, payload: Buffer, callback?: () => void): void {
    if (!this.#socket.writable) {
      callback?.()
      return
    }
    this.#socket.write(Buffer.concat([frameHeader(opcode, payload.length), payload]), () => callback?.())
  }
}

interface Frame {
  readonly opcode: number
  readonly final: boolean
  readonly payload: Buffer
  readonly size: number
}

/** The first frame of a buffer of a client's bytes. */
export function takeFrame(buffer: Buffer): Frame | 'more' | 'broken' | 'too-big' {
  if (buffer.length < 2) return 'more'
  const first = buffer.readUInt8(0)
  const second = buffer.readUInt8(1)
  const opcode = first & 0x0f
  // Reserved bits need extensions, none of which is offered; clients must mask.
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return 'broken'
  if (![CONTINUATION, 1, BINARY, CLOSE, PING, PONG].includes(opcode)) return 'broken'
  let length = second & 0x7f
  let offset = 2
  if (opcode >= CLOSE && (length > 125 || (first & 0x80) === 0)) return 'broken'
  if (length === 126) {
    if (buffer.length < 4) return 'more'
    length = buffer.readUInt16BE(2)
    offset = 4
  } else if (length === 127) {
    if (buffer.length < 10) return 'more'
    const wide = buffer.readBigUInt64BE(2)
    if (wide > BigInt(MAX_WEBSOCKET_MESSAGE_BYTES)) return 'too-big'
    length = Number(wide)
    offset = 10
  }
  if (length > MAX_WEBSOCKET_MESSAGE_BYTES) return 'too-big'
  if (buffer.length < offset + 4 + length) return 'more'
  const mask = buffer.subarray(offset, offset + 4)
  const payload = Buffer.from(buffer.subarray(offset + 4, offset + 4 + length))
  for (let index = 0; index < length; index++) payload[index] = (payload[index] ?? 0) ^ (mask[index & 3] ?? 0)
  return { opcode, final: (first & 0x80) !== 0, payload, size: offset + 4 + length }
}

function frameHeader(opcode: number, length: number): Buffer {
  if (length < 126) return Buffer.from([0x80 | opcode, length])
  if (length < 65_536) {
    const header = Buffer.from([0x80 | opcode, 126, 0, 0])
    header.writeUInt16BE(length, 2)
    return header
  }
  const header = Buffer.alloc(10)
  header[0] = 0x80 | opcode
  header[1] = 127
  header.writeBigUInt64BE(BigInt(length), 2)
  return header
}
