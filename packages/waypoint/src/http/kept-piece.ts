/** Pieces below it are put together while they wait, bytes: each costs more than it has. */
const SMALL_BYTES = 1024

/** Adds a piece of a body that is to wait. A small part of what it came in would keep all of that, so it is copied. */
export function keepPiece(waiting: Buffer[], chunk: Buffer): void {
  const last = waiting.at(-1)
  if (last !== undefined && last.length + chunk.length <= SMALL_BYTES)
    waiting[waiting.length - 1] = Buffer.concat([last, chunk])
  else waiting.push(chunk.length < chunk.buffer.byteLength / 4 ? Buffer.from(chunk) : chunk)
}
