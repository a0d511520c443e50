import { ERROR_CODE, Http2ConnectionError } from './errors.ts'
import { FLAG } from './frame-type.ts'
import { MAX_CONTINUATIONS, MAX_HEADER_BLOCK_BYTES } from './limits.ts'

/** A header block that began with HEADERS and goes on in CONTINUATIONs. */
export class HeaderBlock {
  readonly streamId: number
  readonly isEnd: boolean
  readonly #parts: Buffer[] = []
  #bytes = 0

  constructor(streamId: number, isEnd: boolean) {
    this.streamId = streamId
    this.isEnd = isEnd
  }

  add(bytes: Buffer, start: number, end: number): void {
    this.#bytes += end - start
    this.#parts.push(Buffer.from(bytes.subarray(start, end)))
    if (this.#bytes > MAX_HEADER_BLOCK_BYTES || this.#parts.length > MAX_CONTINUATIONS + 1) {
      throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, 'a header block without end')
    }
  }

  whole(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** Where the fragment lies in a HEADERS frame, behind padding length and priority (RFC 9113 §6.2). */
export function fragmentOf(
  flags: number,
  bytes: Buffer,
  start: number,
  end: number,
): { readonly start: number; readonly end: number } {
  let from = start
  let to = end
  if ((flags & FLAG.padded) !== 0) {
    to -= bytes[from] ?? 0
    from++
  }
  if ((flags & FLAG.priority) !== 0) from += 5
  if (from > end) throw new Http2ConnectionError(ERROR_CODE.frameSizeError, 'HEADERS shorter than its flags say')
  if (to < from) throw new Http2ConnectionError(ERROR_CODE.protocolError, 'padding is longer than its frame')
  return { start: from, end: to }
}
