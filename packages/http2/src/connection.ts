import { Budget } from './budget.ts'
import { checkFrameHeader } from './check-frame.ts'
import { headerProblem } from './check-headers.ts'
import type { ConnectionHandler, ConnectionOptions, Flush } from './connection.types.ts'
import { ERROR_CODE, Http2ConnectionError } from './errors.ts'
import { type FrameHeader, FrameReader, type FrameSink } from './frame-reader.ts'
import {
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  PREFACE,
} from './frame-type.ts'
import { FrameWriter } from './frame-writer.ts'
import { fragmentOf, HeaderBlock } from './header-block.ts'
import { type HeaderList, HpackDecoder } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import {
  HEADER_TABLE_BYTES,
  IDLE_FRAME_BURST,
  IDLE_FRAMES_PER_SECOND,
  MAX_DATA_FRAME_BYTES,
  MAX_HEADER_BLOCK_BYTES,
  MAX_SETTINGS,
  MAX_WAITING_ANSWER_BYTES,
  MAX_WAITING_CONTROL_BYTES,
  RESET_BURST,
  RESETS_PER_SECOND,
  WAITING_ANSWER_OVERHEAD,
} from './limits.ts'
import { INITIAL_SETTINGS, type Settings, settingPairs, withSetting } from './settings.ts'
import type { SlabPool } from './slab-pool.ts'
import type { Http2Stream } from './stream.ts'
import { StreamTable } from './stream-table.ts'

export interface ConnectionComponents<Owner> {
  readonly handler: ConnectionHandler<Owner>
  readonly slabs: SlabPool
  readonly flush: Flush
}

const IDLE_FRAMES = 'frames that move nothing'

/**
 * One end of an HTTP/2 connection (RFC 9113) without I/O: `receive` what the peer sent, and what is to be sent comes by `flush`.
 * Strict: whatever RFC 9113 calls an error of the connection or of a stream is treated as one.
 */
export class Http2Connection<Owner> {
  readonly #handler: ConnectionHandler<Owner>
  readonly #options: ConnectionOptions
  readonly #isClient: boolean
  readonly #out: FrameWriter
  readonly #reader: FrameReader
  readonly #encoder = new HpackEncoder()
  readonly #decoder: HpackDecoder
  readonly #streams: StreamTable<Owner>
  readonly #idleFrames: Budget
  readonly #resets: Budget
  #refusalsLeft: number
  /** Streams that wait for the window of the connection. */
  readonly #starved = new Set<Http2Stream<Owner>>()
  readonly #maxFrameBytes: number
  readonly #streamWindow: number
  readonly #goesOn = (): boolean => !this.#failed
  #peer: Settings = INITIAL_SETTINGS
  #isSettled = false
  #sendWindow = DEFAULT_WINDOW_BYTES
  #receiveWindow = DEFAULT_WINDOW_BYTES
  /** Consumed and not told the peer. */
  #credit = 0
  /** Highest number of ours that the peer will serve, once it said so. */
  #servedUpTo: number | undefined
  /** The last stream that our GOAWAY named. */
  #lastGoaway = MAX_STREAM_ID + 1
  #failed = false
  /** Answers that wait while the peer does not read, bytes. */
  #waitingControl = 0
  /** Header blocks that wait like them; what may be answered at once is large, so it is looked at when the next is asked for. */
  #waitingAnswers = 0
  /** Whose payload is being read; undefined for one that is not open. */
  #dataStream: Http2Stream<Owner> | undefined
  /** At the end of the DATA frame being read; -1 while its length is not known. */
  #padding = 0
  #block: HeaderBlock | undefined
  #headSinceMs: number | undefined

  constructor(components: ConnectionComponents<Owner>, options: ConnectionOptions) {
    const { settings, budgets } = options
    this.#idleFrames = new Budget(
      budgets?.idleFrameBurst ?? IDLE_FRAME_BURST,
      budgets?.idleFramesPerSecond ?? IDLE_FRAMES_PER_SECOND,
    )
    this.#resets = new Budget(budgets?.resetBurst ?? RESET_BURST, budgets?.resetsPerSecond ?? RESETS_PER_SECOND)
    this.#refusalsLeft = budgets?.refusedStreams ?? Number.POSITIVE_INFINITY
    this.#handler = components.handler
    this.#options = options
    this.#isClient = options.role === 'client'
    this.#out = new FrameWriter(components.slabs, components.flush)
    this.#streams = new StreamTable(this.#isClient)
    this.#maxFrameBytes = settings.maxFrameBytes ?? DEFAULT_FRAME_BYTES
    this.#streamWindow = settings.initialWindowBytes ?? DEFAULT_WINDOW_BYTES
    const maxListBytes = settings.maxHeaderListBytes ?? MAX_HEADER_BLOCK_BYTES
    this.#decoder = new HpackDecoder({ maxTableBytes: HEADER_TABLE_BYTES, maxListBytes })
    this.#reader = new FrameReader(this.#sink(), { expectsPreface: !this.#isClient })
    if (this.#isClient) this.#out.raw(PREFACE)
    this.#out.settings(settingPairs(settings, this.#isClient))
    const more = options.windowBytes - DEFAULT_WINDOW_BYTES
    if (more <= 0) return
    this.#out.word(FRAME.windowUpdate, 0, more)
    this.#receiveWindow += more
  }

  /** Streams that are open. */
  get streamCount(): number {
    return this.#streams.size
  }

  get streams(): readonly Http2Stream<Owner>[] {
    return this.#streams.all()
  }

  get peerSettings(): Settings {
    return this.#peer
  }

  /** Whether the peer's SETTINGS have come. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Whether a request may be opened: no failure, no GOAWAY, numbers left. The peer's limit of streams is the caller's to keep. */
  get canOpen(): boolean {
    return this.#isClient && !this.#failed && this.#servedUpTo === undefined && this.#streams.hasNumbers
  }

  /** Monotonic; since when the peer has not come to the end of a header block. Until then nothing else of it can be read. */
  get headSinceMs(): number | undefined {
    return this.#headSinceMs
  }

  /** Bytes gathered for the next `flush`. */
  get waiting(): number {
    return this.#out.waiting
  }

  /** The highest stream of the peer that was looked at. */
  get highestPeerStream(): number {
    return this.#streams.highestPeerId
  }

  flush(): void {
    this.#out.flush()
  }

  /** All that was flushed is on its way: answers may pile up anew. */
  drained(): void {
    this.#waitingControl = 0
    this.#waitingAnswers = 0
  }

  /** Gives memory back; the connection is of no use after it. */
  discard(): void {
    this.#failed = true
    this.#out.discard()
    this.#streams.clear()
    this.#starved.clear()
  }

  /** Opens a stream; undefined when none may be opened. */
  request(headers: HeaderList, isEnd: boolean, owner: Owner): Http2Stream<Owner> | undefined {
    if (!this.canOpen) return undefined
    const stream = this.#streams.openOwn(this.#peer.initialWindowBytes, this.#streamWindow)
    stream.owner = owner
    this.#sendHeaders(stream, headers, isEnd)
    return stream
  }

  /** An answer, an interim answer or trailers. */
  respond(stream: Http2Stream<Owner>, headers: HeaderList, isEnd: boolean): void {
    if (stream.closed || stream.localEnded || this.#failed) return
    this.#sendHeaders(stream, headers, isEnd)
  }

  /**
   * Sends as much payload as the windows allow and answers how much; after less than all, `onWritable` comes. END_STREAM goes with the
   * last byte. What is written to a stream that is gone counts as sent.
   */
  write(stream: Http2Stream<Owner>, bytes: Buffer, start: number, end: number, isEnd: boolean): number {
    if (stream.closed || stream.localEnded || this.#failed) return end - start
    let at = start
    while (at < end) {
      const window = Math.min(this.#sendWindow, stream.sendWindow)
      if (window <= 0) break
      if (this.#out.room < 1) this.#out.flush()
      const most = Math.min(window, this.#peer.maxFrameBytes, MAX_DATA_FRAME_BYTES, this.#out.room)
      const length = Math.min(end - at, most)
      const ends = isEnd && at + length === end
      const to = this.#out.frame(length, FRAME.data, ends ? FLAG.endStream : 0, stream.id)
      bytes.copy(this.#out.slab, to, at, at + length)
      at += length
      this.#sendWindow -= length
      stream.sendWindow -= length
      if (ends) this.#endLocal(stream)
    }
    if (at < end) this.wantsWindow(stream)
    else if (isEnd && !stream.localEnded) {
      this.#out.frame(0, FRAME.data, FLAG.endStream, stream.id)
      this.#endLocal(stream)
    }
    return at - start
  }

  /** What may be sent on a stream now, bytes. */
  writable(stream: Http2Stream<Owner>): number {
    return Math.max(0, Math.min(this.#sendWindow, stream.sendWindow))
  }

  /** `onWritable` comes when the windows allow more. */
  wantsWindow(stream: Http2Stream<Owner>): void {
    stream.wantsWindow = true
    if (stream.sendWindow > 0) this.#starved.add(stream)
  }

  /** Payload was taken off: the peer may send as much more. */
  consume(stream: Http2Stream<Owner>, bytes: number): void {
    const taken = Math.min(bytes, stream.unconsumed)
    stream.unconsumed -= taken
    this.#returnCredit(taken)
    if (stream.closed || stream.remoteEnded || this.#failed) return
    stream.credit += taken
    if (!isDue(stream.credit, stream.receiveWindow, this.#streamWindow)) return
    this.#out.word(FRAME.windowUpdate, stream.id, stream.credit)
    stream.receiveWindow += stream.credit
    stream.credit = 0
  }

  /** RST_STREAM. The stream is gone and tells nothing more. */
  reset(stream: Http2Stream<Owner>, errorCode: number): void {
    if (stream.closed || this.#failed) return
    this.#out.word(FRAME.rstStream, stream.id, errorCode)
    this.#streams.rememberReset(stream.id)
    this.#close(stream)
  }

  /** The same for what the peer did wrong, which counts as its own resets do. Only while the handler is told of it. */
  blame(stream: Http2Stream<Owner>, errorCode: number): void {
    if (stream.closed || this.#failed) return
    this.#spend(this.#resets, 'streams reset')
    this.#answer(FRAME_HEADER_BYTES + 4)
    this.reset(stream, errorCode)
  }

  /** PING; `onPong` comes with the same number (below 2^32). */
  ping(payload: number): void {
    if (!this.#failed) this.#out.ping(0, payload, 0)
  }

  /** GOAWAY. Without a stream: "open nothing new", while what is on its way is served (RFC 9113 §6.8). */
  goaway(errorCode: number, lastStreamId: number = MAX_STREAM_ID): void {
    if (this.#failed || lastStreamId > this.#lastGoaway) return
    this.#lastGoaway = lastStreamId
    this.#out.goaway(lastStreamId, errorCode)
  }

  /** Reads what the peer sent. Throws for nothing that a peer does: `onFailure` is told instead. */
  receive(chunk: Buffer, start = 0, end: number = chunk.length): void {
    if (this.#failed) return
    try {
      this.#reader.read(chunk, start, end, this.#goesOn)
    } catch (error) {
      if (!(error instanceof Http2ConnectionError)) throw error
      this.fail(error)
    }
    if (this.#block !== undefined || this.#reader.isInHead) this.#headSinceMs ??= this.#options.now()
  }

  /** GOAWAY that says what the peer did wrong, and nothing more of it is read. */
  fail(error: Http2ConnectionError): void {
    if (this.#failed) return
    this.#out.goaway(this.#streams.highestPeerId, error.errorCode)
    this.#failed = true
    this.#handler.onFailure(error)
  }

  #sink(): FrameSink {
    return {
      onFrameHeader: (frame) => {
        const state = { isSettled: this.#isSettled, blockOf: this.#block?.streamId, maxFrameBytes: this.#maxFrameBytes }
        checkFrameHeader(frame, state)
        if (frame.type === FRAME.data) this.#onDataHeader(frame)
      },
      onDataPart: (bytes, start, end, left) => this.#onDataPart(bytes, start, end, left),
      onDataDone: ({ flags }) => {
        const stream = this.#dataStream
        this.#dataStream = undefined
        if (stream === undefined || stream.closed || (flags & FLAG.endStream) === 0) return
        stream.remoteEnded = true
        this.#tellEnd(stream)
      },
      onFrame: (frame, bytes, start, end) => this.#onFrame(frame, bytes, start, end),
    }
  }

  #onFrame(frame: Readonly<FrameHeader>, bytes: Buffer, start: number, end: number): void {
    switch (frame.type) {
      case FRAME.headers:
        return this.#onHeaders(frame, bytes, start, end)
      case FRAME.continuation:
        return this.#onContinuation(frame, bytes, start, end)
      case FRAME.settings:
        return this.#onSettings(frame, bytes, start, end)
      case FRAME.windowUpdate:
        return this.#onWindowUpdate(frame.streamId, bytes.readUInt32BE(start) & MAX_WINDOW_BYTES)
      case FRAME.rstStream:
        return this.#onRstStream(frame.streamId, bytes.readUInt32BE(start))
      case FRAME.ping:
        return this.#onPing(frame, bytes, start)
      case FRAME.goaway:
        return this.#onGoaway(bytes.readUInt32BE(start) & MAX_STREAM_ID, bytes.readUInt32BE(start + 4))
      case FRAME.priority:
        this.#spend(this.#idleFrames, IDLE_FRAMES)
        if (end - start !== 5) this.#streamError(frame.streamId, ERROR_CODE.frameSizeError)
        return
      default:
        this.#spend(this.#idleFrames, IDLE_FRAMES)
    }
  }

  #sendHeaders(stream: Http2Stream<Owner>, headers: HeaderList, isEnd: boolean): void {
    const most = Math.min(this.#peer.maxFrameBytes, MAX_DATA_FRAME_BYTES)
    const block = this.#encoder.encode(headers)
    this.#out.headers(stream.id, block, isEnd, most)
    this.#waitingAnswers += block.length + WAITING_ANSWER_OVERHEAD
    if (isEnd) this.#endLocal(stream)
  }

  #endLocal(stream: Http2Stream<Owner>): void {
    stream.localEnded = true
    if (stream.remoteEnded) this.#close(stream)
  }

  /** The peer has ended its side; whoever heard its headers may have reset the stream meanwhile. */
  #tellEnd(stream: Http2Stream<Owner>): void {
    if (stream.closed) return
    if (stream.localEnded) this.#close(stream)
    this.#handler.onEnd(stream)
  }

  #close(stream: Http2Stream<Owner>): void {
    if (stream.closed) return
    stream.closed = true
    this.#streams.remove(stream.id)
    this.#starved.delete(stream)
    // Of a stream that was reset nobody will take what came; of one that ended somebody still may.
    if (stream.remoteEnded && stream.localEnded) return
    this.#returnCredit(stream.unconsumed)
    stream.unconsumed = 0
  }

  #returnCredit(bytes: number): void {
    this.#credit += bytes
    if (this.#failed || !isDue(this.#credit, this.#receiveWindow, this.#options.windowBytes)) return
    this.#out.word(FRAME.windowUpdate, 0, this.#credit)
    this.#receiveWindow += this.#credit
    this.#credit = 0
  }

  /** A stream that broke the protocol: the connection goes on without it. */
  #streamError(id: number, errorCode: number): void {
    if (this.#streams.isIdle(id)) throw new Http2ConnectionError(errorCode, `stream ${id} was never opened`)
    this.#spend(this.#resets, 'streams reset')
    this.#answer(FRAME_HEADER_BYTES + 4)
    this.#out.word(FRAME.rstStream, id, errorCode)
    this.#streams.rememberReset(id)
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    this.#close(stream)
    this.#handler.onReset(stream, errorCode, false)
  }

  #spend(budget: Budget, what: string): void {
    if (budget.spend(this.#options.now())) return
    throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, `too many ${what} in a short time`)
  }

  /** Whatever a peer can make us say without reading it is counted. */
  #answer(bytes: number): void {
    this.#waitingControl += bytes
    if (this.#waitingControl <= MAX_WAITING_CONTROL_BYTES) return
    throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, 'the peer asks for answers and does not read them')
  }

  /** A frame on a stream that is not open: never was (an error of the connection), or is no more. */
  #onClosed(id: number, what: string): void {
    if (this.#streams.isIdle(id)) {
      throw new Http2ConnectionError(ERROR_CODE.protocolError, `${what} on stream ${id}, which was never opened`)
    }
    // Those on their way when the reset or GOAWAY left are no fault of the peer's.
    if (!this.#streams.wasResetHere(id) && id <= this.#lastGoaway) this.#streamError(id, ERROR_CODE.streamClosed)
  }

  #onDataHeader({ streamId, flags, length }: Readonly<FrameHeader>): void {
    this.#padding = (flags & FLAG.padded) === 0 ? 0 : -1
    if (this.#padding === -1 && length === 0) {
      throw new Http2ConnectionError(ERROR_CODE.frameSizeError, 'a padded frame without the length of its padding')
    }
    if (length === 0 && (flags & FLAG.endStream) === 0) this.#spend(this.#idleFrames, IDLE_FRAMES)
    if (length > this.#receiveWindow) {
      throw new Http2ConnectionError(
        ERROR_CODE.flowControlError,
        'the peer sends more than the window of the connection',
      )
    }
    this.#receiveWindow -= length
    const stream = this.#streams.get(streamId)
    this.#dataStream = stream
    if (stream === undefined) {
      this.#onClosed(streamId, 'DATA')
      return
    }
    const problem = dataProblem(stream, length)
    if (problem === undefined) {
      stream.receiveWindow -= length
      return
    }
    this.#dataStream = undefined
    this.#streamError(streamId, problem)
  }

  #onDataPart(bytes: Buffer, from: number, to: number, left: number): void {
    let start = from
    if (this.#padding === -1) {
      this.#padding = bytes[start++] ?? 0
      if (this.#padding > left + (to - start)) {
        throw new Http2ConnectionError(ERROR_CODE.protocolError, 'padding is longer than its frame')
      }
    }
    // Padding is at the frame's end, which may be in this part, in a later one, or in both.
    const end = Math.max(start, Math.min(to, to + left - this.#padding))
    const stream = this.#dataStream
    if (stream === undefined || stream.closed) {
      this.#returnCredit(to - from)
      return
    }
    stream.unconsumed += to - from
    const overhead = to - from - (end - start)
    if (overhead > 0) this.consume(stream, overhead)
    if (end > start) this.#handler.onData(stream, bytes, start, end)
  }

  #onHeaders({ streamId, flags }: Readonly<FrameHeader>, bytes: Buffer, start: number, end: number): void {
    const fragment = fragmentOf(flags, bytes, start, end)
    const isEnd = (flags & FLAG.endStream) !== 0
    if ((flags & FLAG.endHeaders) !== 0) {
      this.#onBlock(streamId, this.#decoder.decode(bytes, fragment.start, fragment.end), isEnd)
      return
    }
    this.#block = new HeaderBlock(streamId, isEnd)
    this.#block.add(bytes, fragment.start, fragment.end)
  }

  #onContinuation({ flags }: Readonly<FrameHeader>, bytes: Buffer, start: number, end: number): void {
    const block = this.#block
    if (block === undefined)
      throw new Http2ConnectionError(ERROR_CODE.protocolError, 'CONTINUATION without a header block')
    block.add(bytes, start, end)
    if ((flags & FLAG.endHeaders) === 0) return
    this.#block = undefined
    const whole = block.whole()
    this.#onBlock(block.streamId, this.#decoder.decode(whole, 0, whole.length), block.isEnd)
  }

  /** `headers` are undefined when there were more than allowed. */
  #onBlock(id: number, headers: HeaderList | undefined, isEnd: boolean): void {
    this.#headSinceMs = undefined
    const known = this.#streams.get(id)
    if (known !== undefined) {
      this.#onHeadersOf(known, headers, isEnd)
      return
    }
    if (!this.#streams.isPeers(id) || id <= this.#streams.highestPeerId) {
      this.#onClosed(id, 'HEADERS')
      return
    }
    if (this.#isClient) throw new Http2ConnectionError(ERROR_CODE.protocolError, `the server opens stream ${id}`)
    this.#streams.highestPeerId = id
    // After a GOAWAY that named the last one, later ones are not looked at (RFC 9113 §6.8).
    if (id > this.#lastGoaway) return
    if (this.#waitingAnswers > MAX_WAITING_ANSWER_BYTES)
      throw new Http2ConnectionError(
        ERROR_CODE.enhanceYourCalm,
        'the client goes on asking and does not read the answers',
      )
    const refusal = this.#refusal(headers)
    if (refusal !== undefined || headers === undefined) {
      this.#streamError(id, refusal ?? ERROR_CODE.enhanceYourCalm)
      return
    }
    const stream = this.#streams.openPeers(id, this.#peer.initialWindowBytes, this.#streamWindow)
    stream.headersSeen = true
    stream.remoteEnded = isEnd
    this.#handler.onHeaders(stream, headers, isEnd)
    if (isEnd) this.#tellEnd(stream)
  }

  #refusal(headers: HeaderList | undefined): number | undefined {
    if (headers !== undefined && headerProblem(headers, 'request') !== undefined) return ERROR_CODE.protocolError
    const { maxConcurrentStreams = Number.POSITIVE_INFINITY } = this.#options.settings
    if (this.#streams.peerCount < maxConcurrentStreams) return undefined
    if (--this.#refusalsLeft < 0)
      throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, 'too many streams were opened beyond the limit')
    return ERROR_CODE.refusedStream
  }

  #onHeadersOf(stream: Http2Stream<Owner>, headers: HeaderList | undefined, isEnd: boolean): void {
    if (stream.remoteEnded) {
      this.#streamError(stream.id, ERROR_CODE.streamClosed)
      return
    }
    const kind = stream.headersSeen ? 'trailers' : 'response'
    const isInterim = kind === 'response' && headers?.[0] === ':status' && headers[1]?.startsWith('1') === true
    const isMalformed =
      headers === undefined ||
      headerProblem(headers, kind) !== undefined ||
      // Trailers end a stream, and an interim answer does not (RFC 9113 §8.1).
      (kind === 'trailers' && !isEnd) ||
      (isInterim && isEnd)
    if (isMalformed) {
      this.#streamError(stream.id, ERROR_CODE.protocolError)
      return
    }
    if (!isInterim) stream.headersSeen = true
    stream.remoteEnded = isEnd
    this.#handler.onHeaders(stream, headers, isEnd)
    if (isEnd) this.#tellEnd(stream)
  }

  #onSettings({ flags, length }: Readonly<FrameHeader>, bytes: Buffer, start: number, end: number): void {
    if ((flags & FLAG.ack) !== 0) return
    if (this.#isSettled) this.#spend(this.#idleFrames, IDLE_FRAMES)
    if (length > MAX_SETTINGS * 6) throw new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, 'too many settings')
    const before = this.#peer.initialWindowBytes
    for (let at = start; at < end; at += 6) {
      this.#peer = withSetting(this.#peer, bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2), !this.#isClient)
    }
    this.#encoder.limitTable(this.#peer.headerTableBytes)
    this.#answer(FRAME_HEADER_BYTES)
    this.#out.frame(0, FRAME.settings, FLAG.ack, 0)
    this.#isSettled = true
    this.#handler.onSettings(this.#peer)
    const change = this.#peer.initialWindowBytes - before
    if (change === 0) return
    // RFC 9113 §6.9.2: open streams follow, below zero if need be.
    for (const stream of this.#streams.all()) {
      stream.sendWindow += change
      if (stream.sendWindow > MAX_WINDOW_BYTES) {
        throw new Http2ConnectionError(ERROR_CODE.flowControlError, 'a changed setting makes a window too large')
      }
      this.#wake(stream)
    }
  }

  #onWindowUpdate(id: number, increment: number): void {
    if (id === 0) {
      if (increment === 0) throw new Http2ConnectionError(ERROR_CODE.protocolError, 'WINDOW_UPDATE by nothing')
      this.#sendWindow += increment
      if (this.#sendWindow > MAX_WINDOW_BYTES) {
        throw new Http2ConnectionError(ERROR_CODE.flowControlError, 'the window of the connection grows too large')
      }
      const starved = [...this.#starved]
      this.#starved.clear()
      for (const stream of starved) this.#wake(stream)
      return
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      this.#mustNotBeIdle(id, 'WINDOW_UPDATE')
      return
    }
    if (increment === 0) {
      this.#streamError(id, ERROR_CODE.protocolError)
      return
    }
    stream.sendWindow += increment
    if (stream.sendWindow > MAX_WINDOW_BYTES) this.#streamError(id, ERROR_CODE.flowControlError)
    else this.#wake(stream)
  }

  #mustNotBeIdle(id: number, what: string): void {
    if (!this.#streams.isIdle(id)) return
    throw new Http2ConnectionError(ERROR_CODE.protocolError, `${what} on stream ${id}, which was never opened`)
  }

  #wake(stream: Http2Stream<Owner>): void {
    if (!stream.wantsWindow || stream.closed || stream.sendWindow <= 0) return
    if (this.#sendWindow <= 0) {
      this.#starved.add(stream)
      return
    }
    stream.wantsWindow = false
    this.#handler.onWritable(stream)
  }

  #onRstStream(id: number, errorCode: number): void {
    this.#spend(this.#resets, 'streams reset')
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      this.#mustNotBeIdle(id, 'RST_STREAM')
      return
    }
    this.#close(stream)
    this.#handler.onReset(stream, errorCode, true)
  }

  #onPing({ flags }: Readonly<FrameHeader>, bytes: Buffer, start: number): void {
    const [high, low] = [bytes.readUInt32BE(start), bytes.readUInt32BE(start + 4)]
    if ((flags & FLAG.ack) !== 0) {
      if (high === 0) this.#handler.onPong(low)
      return
    }
    this.#spend(this.#idleFrames, IDLE_FRAMES)
    this.#answer(FRAME_HEADER_BYTES + 8)
    this.#out.ping(high, low, FLAG.ack)
  }

  #onGoaway(lastStreamId: number, errorCode: number): void {
    if (lastStreamId > (this.#servedUpTo ?? MAX_STREAM_ID)) {
      throw new Http2ConnectionError(ERROR_CODE.protocolError, 'a second GOAWAY promises more than the first')
    }
    this.#servedUpTo = lastStreamId
    this.#handler.onGoaway(lastStreamId, errorCode)
    // What the peer will not serve was not begun and may be asked for elsewhere (RFC 9113 §8.7).
    for (const stream of this.#streams.all()) {
      if (this.#streams.isPeers(stream.id) || stream.id <= lastStreamId) continue
      this.#close(stream)
      this.#handler.onReset(stream, ERROR_CODE.refusedStream, true)
    }
  }
}

/** Why payload is not taken, as the code of the reset it earns. */
function dataProblem(stream: Http2Stream<unknown>, length: number): number | undefined {
  if (stream.remoteEnded) return ERROR_CODE.streamClosed
  if (!stream.headersSeen) return ERROR_CODE.protocolError
  return length > stream.receiveWindow ? ERROR_CODE.flowControlError : undefined
}

/**
 * Whether a window is worth an update: half of it was taken off, or as much as the peer has left, for unread streams may hold the
 * rest of the connection's for good.
 */
function isDue(credit: number, left: number, window: number): boolean {
  return credit > 0 && (credit >= window / 2 || credit >= left)
}
