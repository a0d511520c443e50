import { closeSync, writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { EPOLL_EVENT_LENGTH, encodeEpollEvent } from './epoll-event.ts'
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
} from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { check } from './system-call-error.ts'

/** What the worker needs to wait on the same epoll. */
export interface PollerWorkerData {
  readonly epoll: number
  readonly stopFd: number
}

/** Node joins its threads before it exits, and a poller's sleeps in the kernel: those that live are woken then. */
const living = new Set<FdPoller>()
const wakeAll = (): void => {
  for (const poller of living) poller.wake()
}

type Direction = 'read' | 'write'
type Waiting = Partial<Record<Direction, () => void>>

/**
 * Tells when a non-blocking descriptor may be read or written, for kinds of sockets Node's loop does not take.
 * A thread of its own sleeps in epoll_wait and only reports; every read and write stays with the owner.
 */
export class FdPoller {
  readonly #epoll: number
  readonly #stopFd: number
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #known = new Set<number>()
  #closed = false

  constructor() {
    this.#epoll = check(libc().epollCreate(EPOLL_CLOEXEC), 'epoll_create1', '')
    this.#stopFd = check(libc().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd', '')
    this.#control(EPOLL_CTL_ADD, this.#stopFd, EPOLLIN)
    const workerData: PollerWorkerData = { epoll: this.#epoll, stopFd: this.#stopFd }
    this.#worker = new Worker(new URL('./fd-poller-worker.ts', import.meta.url), { workerData })
    this.#worker.on('message', (fds: readonly number[]) => {
      for (const fd of fds) this.#report(fd)
    })
    if (living.size === 0) process.on('exit', wakeAll)
    living.add(this)
  }

  /**
   * Resolves when the descriptor may be ready: try, and wait again if it is not. Also resolves when it is forgotten
   * or the poller closed, which the next try tells. One wait per direction.
   */
  ready(fd: number, direction: Direction): Promise<void> {
    if (this.#closed) return Promise.resolve()
    const waiting = this.#waiting.get(fd) ?? {}
    if (waiting[direction] !== undefined) throw new TypeError(`already waiting to ${direction} descriptor ${fd}`)
    return new Promise((resolve) => {
      waiting[direction] = resolve
      this.#waiting.set(fd, waiting)
      const operation = this.#known.has(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD
      this.#known.add(fd)
      const events = (waiting.read === undefined ? 0 : EPOLLIN) | (waiting.write === undefined ? 0 : EPOLLOUT)
      this.#control(operation, fd, events | EPOLLONESHOT)
    })
  }

  /** To be called before the descriptor is closed. */
  forget(fd: number): void {
    if (this.#known.delete(fd) && !this.#closed) this.#control(EPOLL_CTL_DEL, fd, 0)
    this.#report(fd)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    living.delete(this)
    if (living.size === 0) process.off('exit', wakeAll)
    for (const fd of [...this.#waiting.keys()]) this.#report(fd)
    const gone = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.wake()
    await gone
    closeSync(this.#stopFd)
    closeSync(this.#epoll)
  }

  /** Ends the thread. */
  wake(): void {
    const one = Buffer.alloc(8)
    one.writeBigUInt64LE(1n)
    writeSync(this.#stopFd, one)
  }

  #report(fd: number): void {
    const waiting = this.#waiting.get(fd)
    this.#waiting.delete(fd)
    waiting?.read?.()
    waiting?.write?.()
  }

  #control(operation: number, fd: number, events: number): void {
    const event = Buffer.alloc(EPOLL_EVENT_LENGTH)
    encodeEpollEvent(event, events, fd)
    check(libc().epollCtl(this.#epoll, operation, fd, event), 'epoll_ctl', `of descriptor ${fd}`)
  }
}
