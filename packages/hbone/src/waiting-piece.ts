/** Bytes that wait, from `at` to `end`; behind them there may be room for more. */
export interface WaitingPiece {
  readonly bytes: Buffer
  at: number
  end: number
}

/** Up to so many bytes are put together with others: a piece of memory of their own costs more than they have. */
export const SMALL_PIECE_BYTES = 1024
/** As many gather in one piece. */
const GATHERED_BYTES = 16 * 1024

/**
 * Copies bytes that are to wait behind others. What that costs is bounded by their number, in whatever pieces they come: a peer chooses
 * those, and its window counts bytes.
 */
export function keepPiece(waiting: WaitingPiece[], bytes: Buffer, start: number, end: number): void {
  if (!gather(waiting, bytes, start, end))
    waiting.push({ bytes: Buffer.from(bytes.subarray(start, end)), at: 0, end: end - start })
}

/** The same of bytes that nobody else has. */
export function keepOwnPiece(waiting: WaitingPiece[], bytes: Buffer): void {
  if (!gather(waiting, bytes, 0, bytes.length)) waiting.push({ bytes, at: 0, end: bytes.length })
}

function gather(waiting: WaitingPiece[], bytes: Buffer, start: number, end: number): boolean {
  const length = end - start
  const last = waiting.at(-1)
  if (last === undefined || length > SMALL_PIECE_BYTES) return false
  if (last.bytes.length - last.end >= length) {
    bytes.copy(last.bytes, last.end, start, end)
    last.end += length
    return true
  }
  const room = Math.min(GATHERED_BYTES, Math.max(SMALL_PIECE_BYTES, 2 * last.bytes.length))
  const piece = { bytes: Buffer.allocUnsafeSlow(room), at: 0, end: length }
  bytes.copy(piece.bytes, 0, start, end)
  waiting.push(piece)
  return true
}
