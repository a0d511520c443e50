import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import { IDLE_TIMEOUT_MS, SNIFF_BYTES, SNIFF_TIMEOUT_MS } from '../limits.ts'

export type SniffedProtocol = 'http1' | 'http2' | 'tcp'

/** The connection ended before a word was said. */
export type SniffResult = SniffedProtocol | 'ended'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** Lines that readers of requests skip. */
const BLANK_LINES = /^[\r\n]+/
/** How a first line ends that some reader takes for one of a request, however odd its beginning. */
const REQUEST_LINE = /^[^\r\n]*[ \t]HTTP\/[0-9.]*[ \t]*[\r\n]/i
/** HTTP/0.9. */
const SIMPLE_REQUEST = /^GET[ \t]+\//
const TOKEN = /^[A-Za-z!#$%&'*+.^_`|~0-9-]+$/

/**
 * What the first bytes say; undefined while more are needed. Whatever is neither HTTP/1 nor HTTP/2 is TCP. Here HTTP/1 is all that an
 * endpoint might serve as such: what goes on as TCP is not seen as requests, and what is none after all is answered 400.
 */
export function detectProtocol(bytes: Buffer): SniffedProtocol | undefined {
  const start = bytes.toString('latin1', 0, SNIFF_BYTES)
  if (PREFACE.startsWith(start.slice(0, PREFACE.length))) return start.length >= PREFACE.length ? 'http2' : undefined
  const text = start.replace(BLANK_LINES, '')
  if (REQUEST_LINE.test(text)) return 'http1'
  const isWhole = /[\r\n]/.test(text)
  if (SIMPLE_REQUEST.test(text)) return isWhole || start.length >= SNIFF_BYTES ? 'http1' : undefined
  if (isWhole) return 'tcp'
  const [method = ''] = text.split(/[ \t]/, 1)
  if (text !== '' && !TOKEN.test(method)) return 'tcp'
  if (start.length < SNIFF_BYTES) return undefined
  return method.length < text.length ? 'http1' : 'tcp'
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
  /** What a client that says nothing speaks; without it there is no hurry. One that began to speak is never taken for it. */
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
  // Who reads a line to its end takes the end of the data for one.
  const onEnd = (): void => {
    if (seen.length === 0) resolve('ended')
    else resolve(/^[\r\n]*[^ \t\r\n]+[ \t]+\/|^PRI /.test(seen.toString('latin1', 0, SNIFF_BYTES)) ? 'http1' : 'tcp')
  }
  const onClose = (): void => resolve('ended')
  stream.on('readable', onReadable)
  stream.once('end', onEnd)
  stream.once('close', onClose)
  using _limit = clock.after(silent === undefined ? IDLE_TIMEOUT_MS : SNIFF_TIMEOUT_MS, () =>
    // Undecided, so it may yet be HTTP; its own time limits hold from here on.
    resolve(seen.length > 0 ? 'http1' : (silent ?? 'ended')),
  )
  onReadable()
  try {
    return await promise
  } finally {
    stream.off('readable', onReadable)
    stream.off('end', onEnd)
    stream.off('close', onClose)
    // Behind its end nothing can be put back, and nobody is left to answer.
    if (seen.length > 0 && !stream.destroyed && !stream.readableEnded) stream.unshift(seen)
  }
}
