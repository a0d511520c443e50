// One end of a connection under test, which writes down what it is told.
import { Http2Connection } from '../src/connection.ts'
import type { ConnectionHandler } from '../src/connection.types.ts'
import type { Http2ConnectionError } from '../src/errors.ts'
import type { HeaderList } from '../src/hpack/decoder.ts'
import type { Settings } from '../src/settings.ts'
import { SlabPool } from '../src/slab-pool.ts'
import type { Http2Stream } from '../src/stream.ts'

export interface PeerOptions {
  readonly role: 'client' | 'server'
  readonly settings?: Partial<Settings>
  readonly windowBytes?: number
  /** Consume what comes at once; true by default. */
  readonly consumes?: boolean
}

export type Stream = Http2Stream<unknown>

export class Peer implements ConnectionHandler<unknown> {
  readonly connection: Http2Connection<unknown>
  readonly log: string[] = []
  readonly headers = new Map<number, HeaderList[]>()
  readonly received = new Map<number, Buffer[]>()
  readonly ended = new Set<number>()
  readonly reset = new Map<number, number>()
  readonly streams = new Map<number, Stream>()
  failure: Http2ConnectionError | undefined
  onStream: (stream: Stream) => void = () => undefined
  whenWritable: (stream: Stream) => void = () => undefined
  clockMs = 1
  readonly #consumes: boolean
  #output: Buffer[] = []

  constructor(options: PeerOptions) {
    const slabs = new SlabPool()
    this.#consumes = options.consumes ?? true
    this.connection = new Http2Connection(
      {
        handler: this,
        slabs,
        flush: (slab, length) => {
          this.#output.push(Buffer.from(slab.subarray(0, length)))
          // What is handed over may be written over at once.
          slab.fill(0xee, 0, length)
          slabs.release(slab)
        },
      },
      {
        role: options.role,
        settings: options.settings ?? {},
        windowBytes: options.windowBytes ?? 65_535,
        now: () => this.clockMs,
      },
    )
  }

  /** What the other end is to be given. */
  take(): Buffer {
    this.connection.flush()
    const bytes = Buffer.concat(this.#output)
    this.#output = []
    if (bytes.length > 0) this.connection.drained()
    return bytes
  }

  body(id: number): Buffer {
    return Buffer.concat(this.received.get(id) ?? [])
  }

  onHeaders(stream: Stream, headers: HeaderList, isEnd: boolean): void {
    const isNew = !this.streams.has(stream.id)
    this.streams.set(stream.id, stream)
    this.headers.set(stream.id, [...(this.headers.get(stream.id) ?? []), headers])
    this.log.push(`headers ${stream.id}${isEnd ? ' end' : ''}`)
    if (isNew) this.onStream(stream)
  }
  onData(stream: Stream, bytes: Buffer, start: number, end: number): void {
    this.received.set(stream.id, [...(this.received.get(stream.id) ?? []), Buffer.from(bytes.subarray(start, end))])
    if (this.#consumes) this.connection.consume(stream, end - start)
  }
  onEnd(stream: Stream): void {
    this.ended.add(stream.id)
    this.log.push(`end ${stream.id}`)
  }
  onReset(stream: Stream, errorCode: number, byPeer: boolean): void {
    this.reset.set(stream.id, errorCode)
    this.log.push(`reset ${stream.id} ${errorCode}${byPeer ? ' by peer' : ''}`)
  }
  onWritable(stream: Stream): void {
    this.whenWritable(stream)
  }
  onSettings(): void {
    this.log.push('settings')
  }
  onPong(payload: number): void {
    this.log.push(`pong ${payload}`)
  }
  onGoaway(lastStreamId: number, errorCode: number): void {
    this.log.push(`goaway ${lastStreamId} ${errorCode}`)
  }
  onFailure(error: Http2ConnectionError): void {
    this.failure = error
    this.log.push(`failure ${error.errorCode}`)
  }
}

/** Carries bytes both ways until nobody has anything to say. */
export function settle(a: Peer, b: Peer, cut: (bytes: Buffer) => readonly Buffer[] = (bytes) => [bytes]): void {
  for (;;) {
    const [fromA, fromB] = [a.take(), b.take()]
    if (fromA.length === 0 && fromB.length === 0) return
    for (const part of cut(fromA)) b.connection.receive(part)
    for (const part of cut(fromB)) a.connection.receive(part)
  }
}
