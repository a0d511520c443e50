import { MAX_STREAM_ID } from './frame-type.ts'
import { MAX_REMEMBERED_RESETS } from './limits.ts'
import { Http2Stream } from './stream.ts'

/** The open streams of a connection, and what is known of those that are not. */
export class StreamTable<Owner> {
  readonly #isClient: boolean
  readonly #open = new Map<number, Http2Stream<Owner>>()
  /** Reset here lately: the peer may not know yet. */
  readonly #resetHere = new Set<number>()
  #nextId: number
  /** Of the peer's, open now. */
  peerCount = 0
  /** Highest number of the peer's that was looked at. */
  highestPeerId = 0

  constructor(isClient: boolean) {
    this.#isClient = isClient
    this.#nextId = isClient ? 1 : 2
  }

  get size(): number {
    return this.#open.size
  }

  get hasNumbers(): boolean {
    return this.#nextId <= MAX_STREAM_ID
  }

  get(id: number): Http2Stream<Owner> | undefined {
    return this.#open.get(id)
  }

  /** A copy: what is done for each may change the table. */
  all(): readonly Http2Stream<Owner>[] {
    return [...this.#open.values()]
  }

  openOwn(sendWindow: number, receiveWindow: number): Http2Stream<Owner> {
    const stream = new Http2Stream<Owner>(this.#nextId, sendWindow, receiveWindow)
    this.#nextId += 2
    this.#open.set(stream.id, stream)
    return stream
  }

  openPeers(id: number, sendWindow: number, receiveWindow: number): Http2Stream<Owner> {
    const stream = new Http2Stream<Owner>(id, sendWindow, receiveWindow)
    this.#open.set(id, stream)
    this.peerCount++
    return stream
  }

  remove(id: number): void {
    if (this.#open.delete(id) && this.isPeers(id)) this.peerCount--
  }

  clear(): void {
    this.#open.clear()
    this.peerCount = 0
  }

  isPeers(id: number): boolean {
    return (id % 2 === 1) !== this.#isClient
  }

  /** Never opened by anybody (RFC 9113 §5.1, "idle"). */
  isIdle(id: number): boolean {
    return this.isPeers(id) ? id > this.highestPeerId : id >= this.#nextId
  }

  rememberReset(id: number): void {
    this.#resetHere.add(id)
    if (this.#resetHere.size <= MAX_REMEMBERED_RESETS) return
    for (const oldest of this.#resetHere) {
      this.#resetHere.delete(oldest)
      return
    }
  }

  wasResetHere(id: number): boolean {
    return this.#resetHere.has(id)
  }
}
