import type { Http2ConnectionError } from './errors.ts'
import type { HeaderList } from './hpack/decoder.ts'
import type { Settings } from './settings.ts'
import type { Http2Stream } from './stream.ts'

/** Who reads the streams of a connection. Views of bytes are valid during the call only. */
export interface ConnectionHandler<Owner> {
  /** A request (server), an answer, an interim answer, or trailers; the first for a stream of the peer makes it. */
  onHeaders(stream: Http2Stream<Owner>, headers: HeaderList, isEnd: boolean): void
  /** Payload; what was taken off the sender's hands is told by `consume`. */
  onData(stream: Http2Stream<Owner>, bytes: Buffer, start: number, end: number): void
  /** END_STREAM, after headers or payload. */
  onEnd(stream: Http2Stream<Owner>): void
  /** RST_STREAM of the peer, or of ours for what it did wrong; the stream is gone. */
  onReset(stream: Http2Stream<Owner>, errorCode: number, byPeer: boolean): void
  /** `write` would take bytes again where it took less than all. */
  onWritable(stream: Http2Stream<Owner>): void
  onSettings(settings: Settings): void
  onPong(payload: number): void
  /** The peer opens nothing new and serves no stream above `lastStreamId`. */
  onGoaway(lastStreamId: number, errorCode: number): void
  /** The peer broke the protocol, the GOAWAY for it is in the output: flush, then close. Nothing else is told after this. */
  onFailure(error: Http2ConnectionError): void
}

/** Where output goes: the first `length` bytes of a slab, which whoever takes it releases to the pool when they are written. */
export type Flush = (slab: Buffer, length: number) => void

export interface ConnectionOptions {
  readonly role: 'client' | 'server'
  /** What the peer is told; defaults of RFC 9113 for the rest. */
  readonly settings: Partial<Settings>
  /** Window of the whole connection, bytes. */
  readonly windowBytes: number
  /** Monotonic, ms. */
  readonly now: () => number
  /** Less than `limits.ts` allows, for peers that nobody vouches for. */
  readonly budgets?: ConnectionBudgets | undefined
}

/** What a peer may make us do before its connection is ended: bursts, and rates per second. */
export interface ConnectionBudgets {
  readonly resetBurst: number
  readonly resetsPerSecond: number
  readonly idleFrameBurst: number
  readonly idleFramesPerSecond: number
  /** Streams refused because there were too many, in all. */
  readonly refusedStreams: number
}
