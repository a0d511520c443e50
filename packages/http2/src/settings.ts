import { ERROR_CODE, Http2ConnectionError } from './errors.ts'
import { DEFAULT_FRAME_BYTES, DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from './frame-type.ts'
import { HEADER_TABLE_BYTES } from './limits.ts'

/** What one end tells the other (RFC 9113 §6.5.2); the unit of sizes is the byte. */
export interface Settings {
  readonly headerTableBytes: number
  /** Infinity while nothing was said. */
  readonly maxConcurrentStreams: number
  readonly initialWindowBytes: number
  readonly maxFrameBytes: number
  /** Infinity while nothing was said. */
  readonly maxHeaderListBytes: number
  /** Extended CONNECT (RFC 8441). */
  readonly connectProtocol: boolean
}

export const INITIAL_SETTINGS: Settings = {
  headerTableBytes: HEADER_TABLE_BYTES,
  maxConcurrentStreams: Number.POSITIVE_INFINITY,
  initialWindowBytes: DEFAULT_WINDOW_BYTES,
  maxFrameBytes: DEFAULT_FRAME_BYTES,
  maxHeaderListBytes: Number.POSITIVE_INFINITY,
  connectProtocol: false,
}

const ID = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const

const MAX_FRAME_BYTES = 0xffffff

/** Settings of ours as pairs of number and value; those that say what holds anyway are left out. */
export function settingPairs(settings: Partial<Settings>, isClient: boolean): readonly (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = []
  // Nobody wants to be pushed to, and only clients may say so.
  if (isClient) pairs.push([ID.enablePush, 0])
  const add = (id: number, value: number | undefined): void => {
    if (value !== undefined && Number.isFinite(value)) pairs.push([id, value])
  }
  add(ID.maxConcurrentStreams, settings.maxConcurrentStreams)
  add(ID.initialWindowSize, settings.initialWindowBytes)
  add(ID.maxFrameSize, settings.maxFrameBytes)
  add(ID.maxHeaderListSize, settings.maxHeaderListBytes)
  if (settings.connectProtocol === true) add(ID.enableConnectProtocol, 1)
  return pairs
}

/** The settings after one of the peer's; throws for a value that RFC 9113 §6.5.2 forbids. Unknown ones are ignored. */
export function withSetting(settings: Settings, id: number, value: number, isClient: boolean): Settings {
  switch (id) {
    case ID.headerTableSize:
      return { ...settings, headerTableBytes: value }
    case ID.enablePush:
      if (value > 1 || (value === 1 && isClient)) throw invalid('ENABLE_PUSH', value)
      return settings
    case ID.maxConcurrentStreams:
      return { ...settings, maxConcurrentStreams: value }
    case ID.initialWindowSize:
      if (value > MAX_WINDOW_BYTES) throw invalid('INITIAL_WINDOW_SIZE', value, ERROR_CODE.flowControlError)
      return { ...settings, initialWindowBytes: value }
    case ID.maxFrameSize:
      if (value < DEFAULT_FRAME_BYTES || value > MAX_FRAME_BYTES) throw invalid('MAX_FRAME_SIZE', value)
      return { ...settings, maxFrameBytes: value }
    case ID.maxHeaderListSize:
      return { ...settings, maxHeaderListBytes: value }
    case ID.enableConnectProtocol:
      if (value > 1 || (settings.connectProtocol && value === 0)) throw invalid('ENABLE_CONNECT_PROTOCOL', value)
      return { ...settings, connectProtocol: value === 1 }
    default:
      return settings
  }
}

function invalid(name: string, value: number, code: number = ERROR_CODE.protocolError): Http2ConnectionError {
  return new Http2ConnectionError(code, `the peer's setting ${name} has the value ${value}`)
}
