import type { ReactorTimer } from '@ambit/linux'
import { ORPHAN_STALL_MS, STALL_MS } from '../limits.ts'
import { BulkMeter } from './bulk-meter.ts'
import type { End } from './end.types.ts'

/** Why data is not complete; the code of RST_STREAM if that said so. */
export interface CopyFailure {
  readonly message: string
  readonly code?: number | undefined
}

/** What a copy needs around it. */
export interface CopyEnvironment {
  readonly counters: Float64Array
  after(ms: number, run: () => void): ReactorTimer
  /** Monotonic, ms. */
  now(): number
  /** It moves so much that what shares a connection with it would wait. */
  bulk(copy: Copy): void
  copied(copy: Copy, failure: CopyFailure | undefined): void
}

/**
 * Copies both ways until both directions have ended, as `splice` does it for streams of Node: each end of data is passed on, each
 * side is read only as fast as the other takes it, a side that fails ends its direction without ending the other.
 */
export class Copy {
  readonly id: number
  readonly slot: number
  readonly forward: Direction
  readonly backward: Direction
  readonly #environment: CopyEnvironment
  #cutReason: CopyFailure | undefined
  #isOver = false
  readonly #meter: BulkMeter

  constructor(environment: CopyEnvironment, id: number, slot: number, a: End, b: End) {
    this.id = id
    this.slot = slot
    this.#environment = environment
    this.#meter = new BulkMeter(environment.now())
    this.forward = new Direction(this, environment, a, b, slot * 2)
    this.backward = new Direction(this, environment, b, a, slot * 2 + 1)
    this.forward.opposite = this.backward
    this.backward.opposite = this.forward
    a.out = this.forward
    b.into = this.forward
    b.out = this.backward
    a.into = this.backward
  }

  /** What `b` gets before anything of `a`'s; to be told before `begin`. */
  prefix(bytes: Uint8Array): void {
    this.forward.prefix(bytes)
  }

  begin(): void {
    const { from: a, to: b } = this.forward
    for (const end of [a, b]) {
      if (end.isGone) gone(end, undefined)
    }
    for (const end of [a, b]) {
      if (!end.isGone && !this.#isOver) end.begin()
    }
  }

  /** A direction has given so many bytes. */
  counted(given: number): void {
    if (!this.#meter.isDue(given)) return
    this.#meter.look(given, this.#environment.now())
    if (this.isBulk) this.#environment.bulk(this)
  }

  get isBulk(): boolean {
    return this.#meter.isBulk
  }

  cut(reason: CopyFailure = { message: 'the connection was cut' }): void {
    if (this.#isOver) return
    this.#cutReason = reason
    // A direction that is over passes no end on: both sides see nothing but a reset.
    this.forward.give()
    this.backward.give()
  }

  directionOver(): void {
    if (this.#isOver || !this.forward.isOver || !this.backward.isOver) return
    this.#isOver = true
    const { from: a, to: b } = this.forward
    for (const end of [a, b]) {
      end.out = undefined
      end.into = undefined
      if (end.isGone) continue
      if (end.readEnded && end.writeEnded) end.close()
      else end.cut()
    }
    this.#environment.copied(this, this.#cutReason ?? this.forward.failure ?? this.backward.failure)
  }
}

/** One direction; over with a failure if data may be missing. */
export class Direction {
  readonly from: End
  readonly to: End
  readonly #copy: Copy
  readonly #environment: CopyEnvironment
  readonly #counter: number
  opposite: Direction | undefined
  failure: CopyFailure | undefined
  isOver = false
  /** Bytes that `from` gave, and those of them that `to` sent; less than none while a prefix is under way. */
  given = 0
  sent = 0
  #sourceOver = false
  #stall: ReactorTimer | undefined
  #standstill: ReactorTimer | undefined

  constructor(copy: Copy, environment: CopyEnvironment, from: End, to: End, counter: number) {
    this.#copy = copy
    this.#environment = environment
    this.from = from
    this.to = to
    this.#counter = counter
  }

  /** `from` gives so many bytes, which `to` is about to get. */
  count(bytes: number): void {
    this.given += bytes
    this.#environment.counters[this.#counter] = this.given
    this.#copy.counted(this.given)
  }

  /** Nothing that `from` gave: not counted. */
  prefix(bytes: Uint8Array): void {
    this.sent -= bytes.length
    this.to.put(Buffer.from(bytes), 0, bytes.length)
  }

  /** `to` has sent so many. */
  taken(bytes: number): void {
    this.sent += bytes
    const given = Math.min(bytes, this.sent)
    if (given > 0) this.from.taken(given)
  }

  /** The data is at its end: that is passed on, behind the data. */
  sourceOver(failure: CopyFailure | undefined): void {
    if (this.#sourceOver || this.isOver) return
    this.#sourceOver = true
    const { to } = this
    if (failure !== undefined) {
      to.cut()
      this.#done(failure)
    } else if (to.isGone || to.writeEnded) this.#done(undefined)
    else to.endWriting()
  }

  /** Nothing can be sent any more: all was, or nobody takes it. */
  targetOver(failure: CopyFailure | undefined): void {
    if (this.isOver) return
    const { from } = this
    const isComplete = from.readEnded && this.sent === this.given
    if (!from.readEnded && !from.isGone) from.discard()
    this.#done(isComplete ? undefined : failure)
  }

  /** The sender is gone, both ways: what it left is kept as long as it is being taken. */
  orphaned(): void {
    if (this.isOver) return
    const before = this.sent
    this.#stall?.cancel()
    this.#stall = this.#environment.after(ORPHAN_STALL_MS, () => {
      if (this.sent > before) this.orphaned()
      else this.#giveUp(`nobody took the last data within ${ORPHAN_STALL_MS} ms`, false)
    })
  }

  /** `to` takes nothing for now. One timer for all pauses of a period: bulk data pauses thousands of times a second. */
  waits(): void {
    this.#standstill ??= this.#watchStandstill()
  }

  /** Without a word: the copy was cut. */
  give(): void {
    if (!this.isOver) this.#done(undefined)
  }

  #watchStandstill(): ReactorTimer {
    const before = this.#movement
    return this.#environment.after(STALL_MS, () => {
      this.#standstill = undefined
      if (this.isOver || this.to.room() > 0) return
      if (this.#movement === before) this.#giveUp(`nobody took any data within ${STALL_MS} ms`, true)
      else this.#standstill = this.#watchStandstill()
    })
  }

  get #movement(): number {
    return this.sent + (this.opposite?.sent ?? 0)
  }

  #giveUp(message: string, both: boolean): void {
    if (both) {
      this.#copy.cut({ message })
      return
    }
    this.to.cut()
    this.#done({ message })
  }

  #done(failure: CopyFailure | undefined): void {
    if (this.isOver) return
    this.#stall?.cancel()
    this.#standstill?.cancel()
    this.isOver = true
    this.failure = failure
    this.#copy.directionOver()
  }
}

/** An end is gone, both ways; undefined for the usual ways connections end. */
export function gone(end: End, failure: CopyFailure | undefined): void {
  const { out, into } = end
  out?.sourceOver(failure)
  into?.targetOver(failure)
  out?.orphaned()
}
