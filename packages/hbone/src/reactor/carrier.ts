import { messageOf } from '@ambit/core'
import { type HeaderList, Http2Connection, type Http2Stream } from '@ambit/http2'
import {
  type ReactorSocket,
  type ReactorTimer,
  SOCKET_EVENT,
  TLS_ENDED,
  TLS_WANTS_MORE,
  type TlsContext,
  type TlsOutput,
  TlsSession,
  WOULD_BLOCK,
} from '@ambit/linux'
import { CONNECTION_WINDOW_BYTES, FRAME_BYTES, STREAM_WINDOW_BYTES } from '../defaults.ts'
import { CLOSE_GRACE_MS, TLS_RECORD_BYTES } from '../limits.ts'
import type { End } from './end.types.ts'
import type { HandleId, Headers, SessionOptions } from './messages.types.ts'
import type { Shared } from './shared.ts'
import { StreamEnd } from './stream-end.ts'
import { systemFailure } from './system-failure.ts'
import type { Flushable, Runnable } from './turn-queue.ts'

/** What the carrier needs of the worker: numbers for the peer's streams. */
export interface Handles {
  nextId(): HandleId
  add(id: HandleId, handle: StreamEnd): void
}

type State = 'handshake' | 'secured' | 'open' | 'closing' | 'gone'

/** One connection between meshed peers: TLS, and HTTP/2 in it as soon as the main thread has said that the peer is the right one. */
export class Carrier implements Runnable, Flushable {
  readonly id: HandleId
  readonly shared: Shared
  readonly #handles: Handles
  readonly #socket: ReactorSocket
  readonly #tls: TlsSession
  readonly #streams = new Set<StreamEnd>()
  /** From `open` on; there are no streams before. */
  http2!: Http2Connection<StreamEnd>
  isQueued = false
  /** The socket does not take what there is. */
  isBlocked = false
  #state: State = 'handshake'
  #isReadable = true
  readonly isServer: boolean
  #isFlushDue = false
  #isDraining = false
  #timer: ReactorTimer | undefined
  #isPingAnswered = true
  #failure: string | undefined
  /** Encrypted and not sent yet. */
  #output: { readonly buffer: TlsOutput; at: number }[] = []
  #waiting: StreamEnd[] = []
  /** Who gets the pieces gathered so far. */
  #receiver: End | undefined

  constructor(
    components: { readonly shared: Shared; readonly handles: Handles; readonly context: TlsContext },
    options: { readonly id: HandleId; readonly fd: number; readonly isServer: boolean; readonly timeoutMs: number },
  ) {
    const { shared } = components
    this.id = options.id
    this.shared = shared
    this.#handles = components.handles
    this.isServer = options.isServer
    this.#socket = shared.own(options.fd, this)
    try {
      this.#socket.setNoDelay()
      this.#tls = new TlsSession(shared.openssl, shared.outputs, components.context, options.fd, options.isServer)
    } catch (error) {
      this.#socket.close()
      throw error
    }
    this.#timer = shared.loop.after(options.timeoutMs, () =>
      this.#lose(`the handshake did not complete within ${options.timeoutMs} ms`),
    )
    shared.queue.runSlow(this)
  }

  ready(events: number): void {
    if ((events & SOCKET_EVENT.writable) !== 0 && this.isBlocked) this.#send()
    if ((events & SOCKET_EVENT.readable) === 0) return
    this.#isReadable = true
    // Until the verdict is there nothing is read: it may be that nobody should.
    if (this.#state === 'handshake') this.shared.queue.runSlow(this)
    else if (this.#state !== 'secured') this.shared.queue.run(this)
  }

  step(): void {
    if (!this.#isReadable) return
    try {
      if (this.#state === 'handshake') this.#handshake()
      else if (this.#state === 'open' || this.#state === 'closing') this.#read()
    } catch (error) {
      this.#flushPieces()
      this.#lose(messageOf(error))
    }
  }

  /** The peer is the right one. */
  open(options: SessionOptions): void {
    if (this.#state !== 'secured') return
    const { shared } = this
    this.#state = 'open'
    this.#timer?.cancel()
    this.http2 = new Http2Connection<StreamEnd>(
      {
        slabs: shared.slabs,
        flush: (slab, length) => this.#write(slab, length),
        handler: {
          onHeaders: (stream, headers) => this.#onHeaders(stream, headers),
          onData: (stream, bytes, start, end) => {
            if (stream.owner === undefined || stream.owner.isGone) this.http2.consume(stream, end - start)
            else stream.owner.onData(bytes, start, end)
          },
          onEnd: (stream) => {
            this.#flushPieces()
            stream.owner?.onEnd()
          },
          onReset: (stream, code) => {
            this.#flushPieces()
            stream.owner?.onReset(code)
          },
          onWritable: (stream) => stream.owner?.onWritable(),
          onSettings: ({ maxConcurrentStreams }) => shared.post({ kind: 'settled', id: this.id, maxConcurrentStreams }),
          onPong: () => {
            this.#isPingAnswered = true
            this.#timer?.cancel()
            this.#timer = shared.loop.after(options.pingIntervalMs, () => this.#ping(options))
            shared.post({ kind: 'pong', id: this.id })
          },
          onGoaway: () => shared.post({ kind: 'goaway', id: this.id }),
          onFailure: (error) => {
            this.#failure = error.message
            this.http2.flush()
            this.#finish()
          },
        },
      },
      {
        role: options.isServer ? 'server' : 'client',
        settings: {
          initialWindowBytes: STREAM_WINDOW_BYTES,
          maxFrameBytes: FRAME_BYTES,
          maxHeaderListBytes: options.maxHeaderListBytes,
          ...(options.isServer ? { maxConcurrentStreams: options.maxConcurrentStreams } : {}),
        },
        windowBytes: CONNECTION_WINDOW_BYTES,
        now: () => shared.loop.now,
      },
    )
    this.#timer = shared.loop.after(options.pingIntervalMs, () => this.#ping(options))
    this.touched()
    shared.queue.run(this)
  }

  request(id: HandleId, headers: Headers): StreamEnd | undefined {
    if (this.#state !== 'open' || this.#isDraining) return undefined
    const end = new StreamEnd(this, id)
    const stream = this.http2.request(headers, false, end)
    if (stream === undefined) return undefined
    end.stream = stream
    this.#streams.add(end)
    this.touched()
    return end
  }

  answer(end: StreamEnd, headers: Headers, isEnd: boolean): void {
    if (end.isGone || end.isAnswered) return
    end.isAnswered = true
    this.http2.respond(end.stream, headers, isEnd)
    this.touched()
    if (!isEnd) return
    end.writeEnded = true
    // Whatever the client still sends is of no use.
    if (end.readEnded) end.close()
    else end.cut()
  }

  /** Frames are written: they leave at the end of this turn. */
  touched(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    this.shared.queue.flushLater(this)
  }

  flush(): void {
    this.#isFlushDue = false
    if (this.#state !== 'open') return
    this.http2.flush()
    this.#endIfIdle()
  }

  waitForSocket(end: StreamEnd): void {
    this.#waiting.push(end)
  }

  /** Payload for the other side of a copy; what goes to the same one leaves in one write. */
  deliver(to: End, bytes: Buffer, start: number, end: number): void {
    const { pieces, plain } = this.shared
    if (bytes !== plain.bytes || to.putPieces === undefined) {
      this.#flushPieces()
      to.put(bytes, start, end)
      return
    }
    if (this.#receiver !== to || pieces.isFull) {
      this.#flushPieces()
      this.#receiver = to
      pieces.clear()
    }
    pieces.add(plain.address, start, end - start)
  }

  streamGone(end: StreamEnd): void {
    this.#streams.delete(end)
    this.shared.forget(end.id)
    if (this.#isDraining) this.touched()
  }

  drain(isLast: boolean): void {
    if (this.#state !== 'open') return
    if (isLast) {
      this.http2.goaway(0, this.http2.highestPeerStream)
      this.#isDraining = true
    } else this.http2.goaway(0)
    this.touched()
  }

  ping(): void {
    if (this.#state !== 'open') return
    this.http2.ping(1)
    this.touched()
  }

  /** Ends with its last stream. */
  close(): void {
    if (this.#state === 'open') {
      this.#isDraining = true
      this.touched()
    } else if (this.#state !== 'closing') this.#lose(undefined)
  }

  /** At once: streams lose their connection. */
  cut(): void {
    this.#lose(undefined)
  }

  #handshake(): void {
    const isDone = this.#tls.handshake()
    this.#send()
    if (this.#state !== 'handshake') return
    if (!isDone) {
      this.#isReadable = false
      return
    }
    // There may be more behind the handshake, in buffers of OpenSSL: read once the verdict is there.
    this.#state = 'secured'
    this.shared.post({ kind: 'secured', id: this.id, peer: this.#tls.peer() })
  }

  #read(): void {
    const { records, plain } = this.shared
    for (let index = 0; index < records.length; index++) {
      const count = this.#tls.read(records[index] as bigint, TLS_RECORD_BYTES)
      if (count === TLS_WANTS_MORE) {
        this.#isReadable = false
        break
      }
      if (count === TLS_ENDED) {
        this.#flushPieces()
        this.#lose(this.#failure)
        return
      }
      if (this.#state === 'open') {
        const start = index * TLS_RECORD_BYTES
        this.http2.receive(plain.bytes, start, start + count)
      }
      if (this.#state === 'gone') return
    }
    this.#flushPieces()
    if (this.shared.outputs.waiting > 0) this.#send()
    if (this.#state === 'gone') return
    if (this.#isReadable) this.shared.queue.run(this)
    if (this.#state === 'open') this.touched()
  }

  #flushPieces(): void {
    const receiver = this.#receiver
    if (receiver === undefined) return
    this.#receiver = undefined
    const { pieces } = this.shared
    receiver.putPieces?.(pieces)
  }

  #onHeaders(stream: Http2Stream<StreamEnd>, headers: HeaderList): void {
    const known = stream.owner
    if (this.isServer) {
      // Trailers of a tunnel say nothing.
      if (known !== undefined) return
      const end = new StreamEnd(this, this.#handles.nextId())
      end.stream = stream
      stream.owner = end
      this.#streams.add(end)
      this.#handles.add(end.id, end)
      this.shared.post({ kind: 'requested', id: end.id, session: this.id, headers })
      return
    }
    if (known === undefined || known.isAnswered) return
    if (headers[0] !== ':status' || headers[1]?.startsWith('1') === true) return
    known.isAnswered = true
    if (known.waiter === undefined) this.shared.post({ kind: 'answered', id: known.id, headers })
    else known.waiter.answered(headers)
  }

  #write(slab: Buffer, length: number): void {
    if (this.#state === 'open' || this.#state === 'closing') {
      try {
        this.#tls.write(this.shared.pointerOf(slab), length)
      } catch (error) {
        this.shared.slabs.release(slab)
        this.#lose(messageOf(error))
        return
      }
      this.shared.slabs.release(slab)
      this.#send()
    } else this.shared.slabs.release(slab)
  }

  /** Sends what OpenSSL wrote, and what was left of before. */
  #send(): void {
    const { outputs, vectors } = this.shared
    if (outputs.waiting > 0) this.#output.push({ buffer: outputs.take(), at: 0 })
    while (this.#output.length > 0) {
      const first = this.#output[0] as { readonly buffer: TlsOutput; at: number }
      vectors.clear()
      vectors.add(first.buffer.data, first.at, first.buffer.length - first.at)
      const count = this.#socket.write(vectors)
      if (count === WOULD_BLOCK) {
        this.isBlocked = true
        return
      }
      if (count < 0) {
        this.#lose(systemFailure(count).message)
        return
      }
      first.at += count
      if (first.at < first.buffer.length) {
        this.isBlocked = true
        return
      }
      this.#output.shift()
      outputs.release(first.buffer)
    }
    const wasBlocked = this.isBlocked
    this.isBlocked = false
    if (this.#state === 'open') this.http2.drained()
    if (!wasBlocked) return
    if (this.#state === 'closing') this.#socket.endWriting()
    const waiting = this.#waiting
    this.#waiting = []
    for (const end of waiting) end.socketFree()
  }

  #ping(options: SessionOptions): void {
    this.#isPingAnswered = false
    this.ping()
    this.#timer = this.shared.loop.after(options.pingTimeoutMs, () => {
      if (!this.#isPingAnswered) this.#lose(`the peer did not answer a PING within ${options.pingTimeoutMs} ms`)
    })
  }

  #endIfIdle(): void {
    if (!this.#isDraining || this.#state !== 'open' || this.#streams.size > 0 || this.http2.streamCount > 0) return
    this.http2.flush()
    this.#finish()
  }

  /** Everything is said: what waits is sent, and the peer has a while to end as well. */
  #finish(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#timer?.cancel()
    this.#loseStreams(this.#failure)
    this.#tls.end()
    this.#send()
    if ((this.#state as State) === 'gone') return
    if (!this.isBlocked) this.#socket.endWriting()
    this.#timer = this.shared.loop.after(CLOSE_GRACE_MS, () => this.#lose(this.#failure))
    this.shared.queue.run(this)
  }

  #lose(failure: string | undefined): void {
    if (this.#state === 'gone') return
    const wasOpen = this.#state === 'open'
    const wasClosing = this.#state === 'closing'
    this.#state = 'gone'
    this.#timer?.cancel()
    // An alert that says why may be under way; whether it arrives is not waited for.
    this.#sendLastWords()
    // What came before the end is still good.
    this.#flushPieces()
    if (wasOpen) this.#loseStreams(failure)
    if (wasOpen || wasClosing) this.http2.discard()
    this.#tls[Symbol.dispose]()
    this.#socket.close()
    for (const { buffer } of this.#output.splice(0)) this.shared.outputs.release(buffer)
    this.#waiting = []
    this.#receiver = undefined
    this.shared.forget(this.id)
    this.shared.post({ kind: 'gone', id: this.id, failure: this.#failure ?? failure, code: undefined })
  }

  #sendLastWords(): void {
    const { outputs, vectors } = this.shared
    if (outputs.waiting === 0) return
    const buffer = outputs.take()
    if (this.#output.length === 0) {
      vectors.clear()
      vectors.add(buffer.data, 0, buffer.length)
      this.#socket.write(vectors)
    }
    outputs.release(buffer)
  }

  #loseStreams(failure: string | undefined): void {
    for (const end of [...this.#streams]) end.onLost(failure ?? 'the connection is closed')
  }
}
