import {
  EAGAIN,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EINTR,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
} from '../libc/constants.ts'
import { EVENTS_PER_TURN } from '../limits.ts'
import { SystemCallError } from '../system-call-error.ts'
import { type Native, type NativeBytes, nativeBytes, openNative } from './native.ts'
import { type ReactorTimer, TimerWheel } from './timer-wheel.ts'

/** Events of a socket. A connection that has ended is readable, too: reading tells how. */
export const SOCKET_EVENT: Readonly<Record<'readable' | 'writable' | 'ended' | 'failed', number>> = {
  readable: EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
  writable: EPOLLOUT,
  ended: EPOLLRDHUP | EPOLLHUP | EPOLLERR,
  failed: EPOLLERR,
}

/** Who is told that a descriptor changed. Events may be stale: whoever is told tries, and learns from the kernel. */
export interface Watcher {
  ready(events: number): void
}

/** struct epoll_event is packed on x86-64 only; in words of 32 bits. */
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4
const DATA_WORD = process.arch === 'x64' ? 1 : 2
/** Told once a change: whoever is told reads or writes until EAGAIN, or remembers that there is more. */
const EDGES = (EPOLLET | EPOLLIN | EPOLLOUT | EPOLLRDHUP) >>> 0

/** The event loop of one thread, which it blocks. Everything that has a descriptor in it belongs to this thread. */
export class EventLoop implements Disposable {
  readonly native: Native
  readonly #epoll: number
  readonly #wake: number
  readonly #ownsWake: boolean
  readonly #events: Uint32Array
  readonly #eventsPointer: bigint
  readonly #event: Uint32Array
  readonly #eventPointer: bigint
  readonly #counter: NativeBytes
  readonly #timers: TimerWheel
  /** By descriptor. A number is used again soon after it is closed, so events carry the generation of their watcher too. */
  readonly #watchers: (Watcher | undefined)[] = []
  readonly #generations: number[] = []
  #watched = 0
  #generation = 0
  /** Monotonic, ms; as of this turn. */
  now: number = performance.now()

  /** With a descriptor of `wakeDescriptor` that stays the caller's, or one of its own. */
  constructor(native: Native = openNative(), wake?: number) {
    this.native = native
    const { ffi, calls } = native
    const events = nativeBytes(ffi, EVENTS_PER_TURN * EVENT_WORDS * 4)
    this.#events = new Uint32Array(events.bytes.buffer)
    this.#eventsPointer = events.pointer
    const event = nativeBytes(ffi, EVENT_WORDS * 4)
    this.#event = new Uint32Array(event.bytes.buffer)
    this.#eventPointer = event.pointer
    this.#counter = nativeBytes(ffi, 8)
    this.#timers = new TimerWheel(this.now)
    this.#epoll = calls.epoll_create1(EPOLL_CLOEXEC)
    if (this.#epoll < 0) throw this.failure('epoll_create1', '')
    this.#ownsWake = wake === undefined
    this.#wake = wake ?? calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
    if (this.#wake < 0) {
      const failure = this.failure('eventfd', '')
      calls.close(this.#epoll)
      throw failure
    }
    this.#control(EPOLL_CTL_ADD, this.#wake, (EPOLLIN | EPOLLET) >>> 0)
  }

  /** Whoever writes a number of eight bytes other than zero to it, of whatever thread, ends a `turn` that sleeps. */
  get wakeDescriptor(): number {
    return this.#wake
  }

  /** Descriptors that are watched; zero when everything is released. */
  get watched(): number {
    return this.#watched
  }

  get timers(): number {
    return this.#timers.count
  }

  after(ms: number, run: () => void): ReactorTimer {
    return this.#timers.after(ms, this.now, run)
  }

  watch(fd: number, watcher: Watcher): void {
    this.#generation = (this.#generation + 1) >>> 0
    this.#generations[fd] = this.#generation
    this.#control(EPOLL_CTL_ADD, fd, EDGES)
    this.#watchers[fd] = watcher
    this.#watched++
  }

  /** Must come before the descriptor is closed: what is told of it after that would be told to the next of its number. */
  forget(fd: number): void {
    if (this.#watchers[fd] === undefined) return
    this.#watchers[fd] = undefined
    this.#watched--
    this.#control(EPOLL_CTL_DEL, fd, 0)
  }

  /** Sleeps until something is to be done, or not at all; tells watchers, then timers. */
  turn(maySleep: boolean): void {
    const timeout = maySleep ? this.#timers.sleepMs(performance.now()) : 0
    const count = this.native.calls.epoll_wait(this.#epoll, this.#eventsPointer, EVENTS_PER_TURN, timeout)
    this.now = performance.now()
    if (count < 0 && this.native.errno[0] !== EINTR) throw this.failure('epoll_wait', '')
    const events = this.#events
    for (let index = 0; index < count; index++) {
      const at = index * EVENT_WORDS
      const fd = events[at + DATA_WORD] as number
      if (fd === this.#wake) this.#drainWake()
      else if (this.#generations[fd] === events[at + DATA_WORD + 1]) this.#watchers[fd]?.ready(events[at] as number)
    }
    this.#timers.advance(this.now)
  }

  [Symbol.dispose](): void {
    if (this.#ownsWake) this.native.calls.close(this.#wake)
    this.native.calls.close(this.#epoll)
  }

  failure(call: string, detail: string): SystemCallError {
    return new SystemCallError(call, this.native.errno[0] as number, detail)
  }

  #drainWake(): void {
    const { calls, errno } = this.native
    if (calls.read(this.#wake, this.#counter.pointer, 8) < 0 && errno[0] !== EAGAIN)
      throw this.failure('read', 'of an eventfd')
  }

  #control(operation: number, fd: number, events: number): void {
    this.#event[0] = events
    this.#event[DATA_WORD] = fd
    this.#event[DATA_WORD + 1] = this.#generations[fd] ?? 0
    if (this.native.calls.epoll_ctl(this.#epoll, operation, fd, this.#eventPointer) < 0) {
      throw this.failure('epoll_ctl', `of descriptor ${fd}`)
    }
  }
}
