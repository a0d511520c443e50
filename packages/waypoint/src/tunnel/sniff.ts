import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import { IDLE_TIMEOUT_MS, SNIFF_BYTES, SNIFF_TIMEOUT_MS } from '../limits.ts'

export type SniffedProtocol = 'http1' | 'http2' | 'tcp'

/** The connection ended before a word was said. */
export type SniffResult = SniffedProtocol | 'ended'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const METHOD = /^[A-Za-z!#$%&'*+.^_`|~0-9-]+$/
const REQUEST_LINE = /^[A-Za-z!#$%&'*+.^_`|~0-9-]+ [^ ]+ HTTP\/[0-9.]+\r?\n/
/** Longest method that is believed to be one, characters. */
const MAX_METHOD = 32

/** What the first bytes say; undefined while more are needed. Whatever is neither HTTP/1 nor HTTP/2 is TCP. */
export function detectProtocol(bytes: Buffer): SniffedProtocol | undefined {
  const text = bytes.toString('latin1')
  if (PREFACE.startsWith(text.slice(0, PREFACE.length))) return text.length >= PREFACE.length ? 'http2' : undefined
  const space = text.indexOf(' ')
  if (space < 0) return text.length <= MAX_METHOD && METHOD.test(text) ? undefined : 'tcp'
  if (space > MAX_METHOD || !METHOD.test(text.slice(0, space))) return 'tcp'
  if (REQUEST_LINE.test(text)) return 'http1'
  if (text.includes('\n')) return 'tcp'
  return text.length < SNIFF_BYTES ? undefined : 'http1'
}

/** For ports declared to be HTTP: which of its versions. */
export function detectHttpVersion(bytes: Buffer): SniffedProtocol | undefined {
  const text = bytes.toString('latin1')
  // `PRI` is no method of HTTP/1.
  if ('PRI * HTTP/2'.startsWith(text.slice(0, 12))) return text.length >= 12 ? 'http2' : undefined
  return 'http1'
}

export interface SniffOptions {
  readonly detect: (bytes: Buffer) => SniffedProtocol | undefined
  /** What a client that says nothing speaks; without it there is no hurry. */
  readonly silent: SniffedProtocol | undefined
}

/** Reads as little as is needed to know the protocol, and puts it back. */
export async function sniff(stream: Duplex, clock: Clock, { detect, silent }: SniffOptions): Promise<SniffResult> {
  const { promise, resolve } = Promise.withResolvers<SniffResult>()
  let seen: Buffer = Buffer.alloc(0)
  const onReadable = (): void => {
    for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    }
    const found = seen.length === 0 ? undefined : (detect(seen) ?? (seen.length >= SNIFF_BYTES ? 'tcp' : undefined))
    if (found !== undefined) resolve(found)
  }
  const onEnd = (): void => resolve(seen.length > 0 ? 'tcp' : 'ended')
  const onClose = (): void => resolve('ended')
  stream.on('readable', onReadable)
  stream.once('end', onEnd)
  stream.once('close', onClose)
  using _limit = clock.after(silent === undefined ? IDLE_TIMEOUT_MS : SNIFF_TIMEOUT_MS, () =>
    resolve(seen.length > 0 ? 'tcp' : (silent ?? 'ended')),
  )
  onReadable()
  try {
    return await promise
  } finally {
    stream.off('readable', onReadable)
    stream.off('end', onEnd)
    stream.off('close', onClose)
    if (seen.length > 0 && !stream.destroyed) stream.unshift(seen)
  }
}
