import type { TLSSocket } from 'node:tls'
import { ERROR_CODE, type HeaderList, Http2Connection, type Http2Stream, SlabPool } from '@ambit/http2'
import { CONNECTION_WINDOW_BYTES, FRAME_BYTES, STREAM_WINDOW_BYTES } from './defaults.ts'
import type {
  ClientSession,
  ClientStream,
  Engine,
  EngineSession,
  HeaderMap,
  ServeOptions,
  ServerSession,
  ServerStream,
  TunnelStream,
} from './engine.types.ts'
import { HboneConnectError } from './errors.ts'
import { type FramedCarrier, FramedStream } from './framed-stream.ts'
import {
  MAX_CLIENT_HEADER_LIST_BYTES,
  MAX_CONCURRENT_STREAMS,
  MAX_SERVER_HEADER_LIST_BYTES,
  MAX_UNWRITTEN_PIECES,
  SOCKET_BUFFER_BYTES,
} from './limits.ts'
import { regularHeaders } from './regular-headers.ts'
import { unanswered } from './unanswered.ts'

/** HTTP/2 by the framing of this project, over Node's TLS sockets. */
export const framedEngine: Engine = {
  name: 'framed',
  connect: (tls) => new FramedClientSession(tls),
  serve: (tls, onStream, options) => new FramedServerSession(tls, onStream, options),
}

/** Shared by all connections of the thread. */
const slabs = new SlabPool()
const WINDOWS = { initialWindowBytes: STREAM_WINDOW_BYTES, maxFrameBytes: FRAME_BYTES }

abstract class FramedSession implements EngineSession, FramedCarrier {
  readonly connection: Http2Connection<FramedStream>
  readonly closed: Promise<Error | undefined>
  streamCount = 0
  protected isOver = false
  /** No stream is opened any more, and the connection ends with the last. */
  protected isClosing = false
  readonly #tls: TLSSocket
  readonly #over: (error: Error | undefined) => void
  readonly #pings: PromiseWithResolvers<void>[] = []
  /** Writers that wait for the socket; undefined while it takes more. */
  #blocked: (() => void)[] | undefined
  readonly #flushLater = (): void => {
    this.#isDue = false
    if (!this.isOver) this.connection.flush()
  }
  #isDue = false
  /** Pieces of output that wait to be sent. */
  #unwritten = 0
  #failure: Error | undefined
  #pingNumber = 0

  protected constructor(tls: TLSSocket, role: 'client' | 'server', options: ServeOptions = {}) {
    const { promise, resolve } = Promise.withResolvers<Error | undefined>()
    this.closed = promise
    this.#over = resolve
    this.#tls = tls
    const settings =
      role === 'client'
        ? { ...WINDOWS, maxHeaderListBytes: MAX_CLIENT_HEADER_LIST_BYTES }
        : {
            ...WINDOWS,
            maxConcurrentStreams: options.maxConcurrentStreams ?? MAX_CONCURRENT_STREAMS,
            maxHeaderListBytes: MAX_SERVER_HEADER_LIST_BYTES,
          }
    this.connection = new Http2Connection<FramedStream>(
      {
        slabs,
        flush: (slab, length) => this.#write(slab, length),
        handler: {
          onHeaders: (stream, headers, isEnd) => this.onHeaders(stream, headers, isEnd),
          onData: (stream, bytes, start, end) => {
            if (stream.owner === undefined) this.connection.consume(stream, end - start)
            else stream.owner.received(bytes.subarray(start, end))
          },
          onEnd: (stream) => stream.owner?.receivedEnd(),
          onReset: (stream, code) => stream.owner?.receivedReset(code),
          onWritable: (stream) => stream.owner?.mayWrite(),
          onSettings: (peer) => this.onSettings(peer.maxConcurrentStreams),
          onPong: () => this.#pings.shift()?.resolve(),
          onGoaway: () => this.endIfIdle(),
          onFailure: (error) => {
            this.#failure = error
            this.connection.flush()
            this.#tls.end()
            this.destroy()
          },
        },
      },
      { role, settings, windowBytes: CONNECTION_WINDOW_BYTES, now: () => performance.now() },
    )
    tls.on('data', (chunk: Buffer) => {
      this.connection.receive(chunk)
      this.touched()
    })
    tls.on('error', (error) => {
      this.#failure ??= error
    })
    // The peer's end is the end: a connection of HTTP/2 is of no use half open.
    tls.on('end', () => this.destroy())
    tls.on('close', () => this.#gone())
    this.touched()
    if (tls.destroyed) queueMicrotask(() => this.#gone())
  }

  protected abstract onHeaders(stream: Http2Stream<FramedStream>, headers: HeaderList, isEnd: boolean): void
  protected abstract onSettings(maxConcurrentStreams: number): void

  touched(): void {
    if (this.#isDue || this.isOver) return
    this.#isDue = true
    setImmediate(this.#flushLater)
  }

  whenFree(proceed: () => void): void {
    if (this.#blocked === undefined) proceed()
    else this.#blocked.push(proceed)
  }

  ping(): Promise<void> {
    const answer = Promise.withResolvers<void>()
    if (this.isOver) answer.reject(new HboneConnectError('the connection is closed'))
    else {
      this.#pings.push(answer)
      this.connection.ping(this.#pingNumber++ % 0xffffffff)
      this.touched()
    }
    return answer.promise
  }

  destroy(): void {
    this.#tls.destroy()
    this.#gone()
  }

  protected count(stream: FramedStream): void {
    this.streamCount++
    stream.on('error', () => undefined)
    stream.once('close', () => {
      this.streamCount--
      this.endIfIdle()
    })
  }

  protected endIfIdle(): void {
    if (!this.isClosing || this.isOver || this.streamCount > 0 || this.connection.streamCount > 0) return
    this.connection.flush()
    this.#tls.end()
  }

  protected unref(): void {
    // Pooled connections do not keep a process alive; what runs over them does.
    this.#tls.unref()
  }

  #write(slab: Buffer, length: number): void {
    const tls = this.#tls
    if (tls.destroyed || tls.writableEnded) {
      slabs.release(slab)
      return
    }
    this.#unwritten++
    // What waits behind others may wait long: little of it must not keep a whole slab.
    if (tls.writableLength > 0 && length < slab.length / 4) {
      tls.write(Buffer.from(slab.subarray(0, length)), this.#onWritten)
      slabs.release(slab)
    } else {
      tls.write(slab.subarray(0, length), () => {
        slabs.release(slab)
        this.#onWritten()
      })
    }
    if (tls.writableLength < SOCKET_BUFFER_BYTES && this.#unwritten < MAX_UNWRITTEN_PIECES) this.connection.drained()
    else if (this.#blocked === undefined && tls.writableLength >= SOCKET_BUFFER_BYTES) {
      this.#blocked = []
      tls.once('drain', () => this.#free())
    }
  }

  readonly #onWritten = (): void => {
    this.#unwritten--
  }

  #free(): void {
    const waiting = this.#blocked ?? []
    this.#blocked = undefined
    this.connection.drained()
    for (const proceed of waiting) proceed()
  }

  #gone(): void {
    if (this.isOver) return
    this.isOver = true
    const failure = this.#failure
    const streams = this.connection.streams
    this.connection.discard()
    this.#free()
    for (const { owner } of streams) owner?.lost(failure)
    const closed = new HboneConnectError('the connection is closed', { cause: failure })
    for (const ping of this.#pings.splice(0)) ping.reject(closed)
    this.#over(failure)
  }
}

class FramedClientSession extends FramedSession implements ClientSession {
  readonly settled: Promise<void>
  peerMaxStreams: number | undefined
  readonly #settle: () => void
  readonly #answers = new WeakMap<FramedStream, (status: number, headers: HeaderMap) => void>()

  constructor(tls: TLSSocket) {
    super(tls, 'client')
    const { promise, resolve } = Promise.withResolvers<void>()
    this.settled = promise
    this.#settle = resolve
    void this.closed.then(() => resolve())
    this.unref()
  }

  get usable(): boolean {
    return !this.isOver && !this.isClosing && this.connection.canOpen
  }

  close(): void {
    this.isClosing = true
    this.endIfIdle()
  }

  request(authority: string, headers: Readonly<Record<string, string>>): ClientStream {
    const stream = new FramedStream(this)
    const list = [':method', 'CONNECT', ':authority', authority, ...Object.entries(headers).flat()]
    const http2 = this.isOver ? undefined : this.connection.request(list, false, stream)
    this.count(stream)
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; headers: HeaderMap }>()
    promise.catch(() => undefined)
    let answered = false
    this.#answers.set(stream, (status, regular) => {
      answered = true
      resolve({ status, headers: regular })
    })
    let failure: Error | undefined
    stream.once('error', (error) => {
      failure = error
    })
    stream.once('close', () => {
      if (!answered) reject(unanswered(stream.rstCode, failure))
    })
    if (http2 === undefined) stream.destroy(new HboneConnectError('the connection takes no new streams'))
    else stream.attach(http2)
    this.touched()
    return { stream, response: promise }
  }

  protected onHeaders(stream: Http2Stream<FramedStream>, headers: HeaderList): void {
    const { owner } = stream
    if (owner === undefined) return
    const status = Number(headers[0] === ':status' ? headers[1] : 0)
    if (status < 200) return
    this.#answers.get(owner)?.(status, regularHeaders(headers))
    this.#answers.delete(owner)
  }

  protected onSettings(maxConcurrentStreams: number): void {
    this.peerMaxStreams = maxConcurrentStreams
    this.#settle()
  }
}

class FramedServerSession extends FramedSession implements ServerSession {
  readonly #onStream: (stream: ServerStream) => void

  constructor(tls: TLSSocket, onStream: (stream: ServerStream) => void, options?: ServeOptions) {
    super(tls, 'server', options)
    this.#onStream = onStream
  }

  announceDrain(): void {
    if (this.isOver) return
    this.connection.goaway(ERROR_CODE.noError)
    this.touched()
  }

  finishDrain(): void {
    if (this.isOver) return
    this.connection.goaway(ERROR_CODE.noError, this.connection.highestPeerStream)
    this.connection.flush()
    this.isClosing = true
    this.endIfIdle()
  }

  protected onHeaders(http2: Http2Stream<FramedStream>, headers: HeaderList, isEnd: boolean): void {
    // Trailers of a tunnel say nothing.
    if (http2.owner !== undefined) return
    const stream = new FramedStream(this)
    stream.attach(http2)
    this.count(stream)
    this.#onStream(new FramedServerStream(this, stream, http2, headers))
    if (isEnd) stream.resume()
  }

  protected onSettings(): void {
    // Nothing is opened towards a client.
  }
}

class FramedServerStream implements ServerStream {
  readonly method: string
  readonly authority: string | undefined
  readonly isPlainConnect: boolean
  readonly headers: HeaderMap
  readonly #session: FramedSession
  readonly #stream: FramedStream
  readonly #http2: Http2Stream<FramedStream>
  #answered = false
  #gone: AbortController | undefined

  constructor(session: FramedSession, stream: FramedStream, http2: Http2Stream<FramedStream>, headers: HeaderList) {
    this.#session = session
    this.#stream = stream
    this.#http2 = http2
    this.method = valueOf(headers, ':method') ?? ''
    this.authority = valueOf(headers, ':authority')
    this.isPlainConnect = [':scheme', ':path', ':protocol'].every((name) => valueOf(headers, name) === undefined)
    this.headers = regularHeaders(headers)
  }

  /** Made on demand: most requests are over before anybody asks. */
  get signal(): AbortSignal {
    if (this.#gone !== undefined) return this.#gone.signal
    const gone = new AbortController()
    this.#gone = gone
    this.onGone(() => gone.abort(new HboneConnectError('the client closed the stream')))
    return gone.signal
  }

  onGone(listener: () => void): () => void {
    const stream = this.#stream
    if (stream.destroyed || stream.rstCode !== undefined) listener()
    else {
      stream.once('aborted', listener)
      stream.once('close', listener)
    }
    return () => {
      stream.off('aborted', listener)
      stream.off('close', listener)
    }
  }

  accept(headers: Readonly<Record<string, string>>): TunnelStream {
    this.#answer([':status', '200', ...Object.entries(headers).flat()], false)
    return this.#stream
  }

  reject(status: number): void {
    if (this.#answered || this.#http2.closed) return
    this.#answer([':status', String(status)], true)
    // Nothing of what the client still sends is read: it is told to stop, and that this was no failure (RFC 9113 §8.1).
    if (!this.#http2.closed) this.#session.connection.reset(this.#http2, ERROR_CODE.noError)
    this.#stream.destroy()
  }

  #answer(headers: HeaderList, isEnd: boolean): void {
    if (this.#answered || this.#stream.destroyed) return
    this.#answered = true
    this.#session.connection.respond(this.#http2, headers, isEnd)
    this.#session.touched()
  }
}

function valueOf(headers: HeaderList, name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}
