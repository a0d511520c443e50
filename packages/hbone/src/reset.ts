import { EventEmitter, on } from 'node:events'
import { constants } from 'node:http2'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { resetSocket } from '@ambit/core'
import type { TunnelStream } from './engine.types.ts'
import { HboneResetError } from './errors.ts'

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_STREAM_CLOSED } = constants

/**
 * Node sends RST_STREAM CANCEL, and nothing before it, for exactly one kind of error: its own AbortError, which it exports
 * under no name. `close(CANCEL)` would send END_STREAM first and so look complete to the peer.
 */
const CANCEL: Error = nodeAbortError()

/** Cuts one side: RST_STREAM CANCEL on a tunnel, RST on TCP, so that nobody takes the data so far for all of it. */
export function cut(stream: Duplex): void {
  if (stream.destroyed) return
  stream.on('error', () => undefined)
  if (isTunnel(stream)) stream.destroy(CANCEL)
  // Under TLS an end without close_notify says the same, and a reset is not to be had.
  else if (stream instanceof Socket && !(stream instanceof TLSSocket)) resetSocket(stream)
  else stream.destroy()
}

export function isTunnel(stream: Duplex): stream is TunnelStream {
  return 'rstCode' in stream
}

/**
 * How a reset tunnel reads (data plane §1.9): NO_ERROR and CANCEL are the end of the data, STREAM_CLOSED is a broken pipe,
 * anything else an error. Undefined means the end.
 */
export function resetFailure(stream: Duplex): HboneResetError | undefined {
  const code = isTunnel(stream) ? stream.rstCode : undefined
  if (code === undefined || code === NGHTTP2_NO_ERROR || code === NGHTTP2_CANCEL) return undefined
  const what = code === NGHTTP2_STREAM_CLOSED ? 'broken pipe' : 'the peer reset the stream'
  return new HboneResetError(code, `${what}: HTTP/2 error code ${code}`)
}

function nodeAbortError(): Error {
  try {
    on(new EventEmitter(), 'never', { signal: AbortSignal.abort() })
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new TypeError('events.on() does not throw for an aborted signal any more')
}
