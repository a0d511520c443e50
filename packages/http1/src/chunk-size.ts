import { CR, HEX, LF, SEMICOLON, TEXT } from './characters.ts'
import { Http1Error } from './errors.ts'
import { MAX_CHUNK_EXTENSION_BYTES, MAX_CHUNK_SIZE_DIGITS } from './limits.ts'

/** RFC 9112 §7.1.1, without the blanks it calls bad. */
const EXTENSIONS =
  /^(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"))?)+$/

/** The line before each chunk, however it is cut. */
export class ChunkSize {
  /** Of the chunk whose line was read. */
  size = 0
  #digits = 0
  #extensions: string | undefined
  #extensionBytes = 0
  #endsLine = false

  /** Of a new body. */
  begin(): void {
    this.#extensionBytes = 0
    this.next()
  }

  next(): void {
    this.size = 0
    this.#digits = 0
    this.#extensions = undefined
    this.#endsLine = false
  }

  /** Reads on; answers where the line ends, or -1 when more is needed. */
  read(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      const byte = bytes[at] ?? 0
      if (this.#endsLine) {
        if (byte !== LF) throw invalid('its size')
        return at + 1
      }
      if (this.#extensions === undefined) {
        const digit = HEX[byte] ?? 255
        if (digit < 16) {
          if (++this.#digits > MAX_CHUNK_SIZE_DIGITS) throw invalid('its size')
          this.size = this.size * 16 + digit
        } else if (this.#digits === 0) throw invalid('its size')
        else if (byte === CR) this.#endsLine = true
        else if (byte === SEMICOLON) this.#extensions = this.#extended(byte, '')
        else throw invalid('its size')
      } else if (byte === CR) {
        if (!EXTENSIONS.test(this.#extensions)) throw invalid('its extensions')
        this.#endsLine = true
      } else if (TEXT[byte] === 1) this.#extensions = this.#extended(byte, this.#extensions)
      else throw invalid('its extensions')
    }
    return -1
  }

  #extended(byte: number, before: string): string {
    if (++this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES)
      throw new Http1Error('chunk-extensions-too-long', 'the extensions of chunks are too long')
    return before + String.fromCharCode(byte)
  }
}

function invalid(what: string): Http1Error {
  return new Http1Error('invalid-chunk', `a chunk with ${what} not as HTTP/1.1 has it`)
}
