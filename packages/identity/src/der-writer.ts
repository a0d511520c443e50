/** Writes DER octets directly: for what is written thousands of times a second, where building a tree first costs more than signing. */

/** One value: tag, length in its shortest form, content. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  const octets = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 3
  const bytes = Buffer.allocUnsafe(2 + octets + length)
  bytes[0] = tag
  if (octets === 0) bytes[1] = length
  else {
    bytes[1] = 0x80 | octets
    bytes.writeUIntBE(length, 2, octets)
  }
  let at = 2 + octets
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
/** The last instant that RFC 5280 §4.1.2.5 writes as UTCTime. */
const UTC_TIME_END_MS = Date.UTC(2050, 0, 1)

export function derTime(ms: number): Buffer {
  // 2026-11-21T16:48:03.000Z without punctuation and parts of a second.
  const digits = new Date(ms).toISOString().slice(0, 19).replaceAll(/\D/g, '')
  return ms < UTC_TIME_END_MS
    ? der(UTC_TIME, Buffer.from(`${digits.slice(2)}Z`, 'latin1'))
    : der(GENERALIZED_TIME, Buffer.from(`${digits}Z`, 'latin1'))
}
