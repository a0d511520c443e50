import { closeSync, fstatSync, openSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { CLONE_NEWNET } from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { check } from './system-call-error.ts'

const OWN_NETNS = '/proc/thread-self/ns/net'

/** Namespace this thread is in right now: the home one outside of `run`. Descriptors are for ever. */
let currentFd: number | undefined

function enterUntil<T>(fd: number, synchronous: () => T): T {
  const previous = (currentFd ??= openSync(OWN_NETNS, 'r'))
  check(libc().setns(fd, CLONE_NEWNET), 'setns', `into network namespace by descriptor ${fd}`)
  currentFd = fd
  try {
    const result = synchronous()
    if (result instanceof Promise) throw new TypeError('only synchronous work may run inside a network namespace')
    return result
  } finally {
    // Going on in a stranger's namespace would send this process' own traffic there: better none at all.
    if (libc().setns(previous, CLONE_NEWNET) < 0) process.abort()
    currentFd = previous
  }
}

/** One network namespace, held by a descriptor that keeps it alive. */
export class Netns implements Disposable {
  readonly fd: number
  /** `device:inode`, equal for two handles of the same namespace. */
  readonly id: string
  #closed = false

  private constructor(fd: number) {
    this.fd = fd
    const { dev, ino } = fstatSync(fd, { bigint: true })
    this.id = `${dev}:${ino}`
  }

  /** By a path such as `/run/netns/x` or `/proc/1/ns/net`. */
  static open(path: string): Netns {
    return new Netns(openSync(path, 'r'))
  }

  /** Takes ownership of the descriptor. */
  static fromFd(fd: number): Netns {
    return new Netns(fd)
  }

  /** The one this thread is in. */
  static home(): Netns {
    return Netns.open(OWN_NETNS)
  }

  /** A new, empty one, with a loopback interface that is down. */
  static create(): Netns {
    const home = (currentFd ??= openSync(OWN_NETNS, 'r'))
    check(libc().unshare(CLONE_NEWNET), 'unshare', 'of the network namespace')
    try {
      return Netns.open(OWN_NETNS)
    } finally {
      if (libc().setns(home, CLONE_NEWNET) < 0) process.abort()
    }
  }

  /**
   * Calls the function with this thread inside the namespace. It must do only synchronous things: whatever would
   * start a thread or a timer there leaks the namespace into unrelated work. See {@link warmThreadPool}.
   */
  run<T>(synchronous: () => T): T {
    if (this.#closed) throw new TypeError('network namespace handle is closed')
    return enterUntil(this.fd, synchronous)
  }

  /** A second handle of the same namespace with a life of its own. */
  dup(): Netns {
    return Netns.open(`/proc/self/fd/${this.fd}`)
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.fd)
  }
}

/**
 * Starts the threads libuv starts at its first asynchronous file operation, so that this never happens inside a
 * foreign namespace. Await it once before the first `run`.
 */
export async function warmThreadPool(): Promise<void> {
  await stat('/')
}
