import { ERROR_CODE, Http2ConnectionError } from './errors.ts'
import type { FrameHeader } from './frame-reader.ts'
import { FLAG, FRAME } from './frame-type.ts'
import { MAX_HEADER_BLOCK_BYTES } from './limits.ts'

const NAMES = Object.entries(FRAME).map(([name]) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
const OF_STREAM: ReadonlySet<number> = new Set([
  FRAME.data,
  FRAME.headers,
  FRAME.priority,
  FRAME.rstStream,
  FRAME.continuation,
])
const OF_CONNECTION: ReadonlySet<number> = new Set([FRAME.settings, FRAME.ping, FRAME.goaway])
/** Types whose length is fixed, bytes. */
const LENGTHS: ReadonlyMap<number, number> = new Map<number, number>([
  [FRAME.rstStream, 4],
  [FRAME.ping, 8],
  [FRAME.windowUpdate, 4],
])
const GOAWAY_BYTES = 8
const SETTING_BYTES = 6

/** Throws for what a frame's header alone tells to be wrong (RFC 9113 §4 to §6), before a byte of its payload is kept. */
export function checkFrameHeader(
  { type, flags, streamId, length }: Readonly<FrameHeader>,
  state: { readonly isSettled: boolean; readonly blockOf: number | undefined; readonly maxFrameBytes: number },
): void {
  const name = NAMES[type] ?? `frame of type ${type}`
  const violation = (message: string, code: number = ERROR_CODE.protocolError): never => {
    throw new Http2ConnectionError(code, message)
  }
  if (length > state.maxFrameBytes) violation(`${name} of ${length} bytes`, ERROR_CODE.frameSizeError)
  const isAck = type === FRAME.settings && (flags & FLAG.ack) !== 0
  if (!state.isSettled && (type !== FRAME.settings || isAck)) violation(`${name} comes before SETTINGS`)
  if (state.blockOf !== undefined && (type !== FRAME.continuation || streamId !== state.blockOf)) {
    violation(`${name} within a header block`)
  }
  if (type === FRAME.pushPromise) violation('PUSH_PROMISE, which nobody asked for')
  if (OF_STREAM.has(type) && streamId === 0) violation(`${name} names no stream`)
  if (OF_CONNECTION.has(type) && streamId !== 0) violation(`${name} names a stream`)
  if (isAck ? length !== 0 : type === FRAME.settings && length % SETTING_BYTES !== 0) {
    violation('SETTINGS of a wrong length', ERROR_CODE.frameSizeError)
  }
  if ((LENGTHS.get(type) ?? length) !== length || (type === FRAME.goaway && length < GOAWAY_BYTES)) {
    violation(`${name} of a wrong length`, ERROR_CODE.frameSizeError)
  }
  if (type !== FRAME.data && length > MAX_HEADER_BLOCK_BYTES) {
    violation(`${name} with ${length} bytes`, ERROR_CODE.enhanceYourCalm)
  }
}
