import type { SocketAddress } from '@ambit/core'
import {
  EAGAIN,
  ECONNABORTED,
  EINPROGRESS,
  EINTR,
  EMFILE,
  ENFILE,
  IPPROTO_TCP,
  SHUT_WR,
  SO_ERROR,
  SO_LINGER,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  TCP_NODELAY,
} from '../libc/constants.ts'
import { decodeSockaddr, encodeSockaddr, SOCKADDR_IN6_LENGTH } from '../sockaddr.ts'
import type { EventLoop, Watcher } from './event-loop.ts'
import type { IoVectors } from './io-vectors.ts'
import { nativeBytes } from './native.ts'

/** Nothing now; the watcher is told when there is more. */
export const WOULD_BLOCK: number = -EAGAIN

/** A descriptor with one owner, who closes it once. Results below zero are error numbers. */
export class ReactorSocket {
  readonly fd: number
  readonly #loop: EventLoop
  #isOpen = true

  /** Takes the descriptor over, which must not block; should this throw, it still belongs to the caller. */
  constructor(loop: EventLoop, fd: number, watcher: Watcher) {
    this.fd = fd
    this.#loop = loop
    loop.watch(fd, watcher)
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  read(pointer: bigint, length: number): number {
    if (!this.#isOpen) return 0
    const { calls, errno } = this.#loop.native
    for (;;) {
      const count = calls.read(this.fd, pointer, length)
      if (count >= 0) return count
      if (errno[0] !== EINTR) return -(errno[0] as number)
    }
  }

  write(vectors: IoVectors): number {
    if (!this.#isOpen) return vectors.length
    const { calls, errno } = this.#loop.native
    for (;;) {
      const count = calls.writev(this.fd, vectors.pointer, vectors.count)
      if (count >= 0) return count
      if (errno[0] !== EINTR) return -(errno[0] as number)
    }
  }

  /** FIN behind everything written. */
  endWriting(): void {
    if (this.#isOpen) this.#loop.native.calls.shutdown(this.fd, SHUT_WR)
  }

  /** Begins to connect; 0 or what is wrong at once. `pendingError` tells how it went, when the watcher is told. */
  connect(to: SocketAddress): number {
    const { calls, errno } = this.#loop.native
    const { bytes, pointer } = scratchOf(this.#loop)
    const address = encodeSockaddr(to.ip, to.port)
    address.copy(bytes)
    if (calls.connect(this.fd, pointer, address.length) === 0) return 0
    return errno[0] === EINPROGRESS || errno[0] === EINTR ? 0 : -(errno[0] as number)
  }

  /** SO_ERROR, as an error number; 0 for none. Reading it clears it. */
  pendingError(): number {
    const { calls } = this.#loop.native
    const { bytes, pointer, lengthPointer } = scratchOf(this.#loop)
    bytes.writeUInt32LE(4, LENGTH_AT)
    return calls.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, pointer, lengthPointer) < 0 ? 0 : bytes.readInt32LE(0)
  }

  local(): SocketAddress | undefined {
    return this.#name('getsockname')
  }

  /** Undefined when the peer is gone, or not there yet. */
  remote(): SocketAddress | undefined {
    return this.#name('getpeername')
  }

  setNoDelay(): void {
    this.#setWords(IPPROTO_TCP, TCP_NODELAY, 1)
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#loop.forget(this.fd)
    this.#loop.native.calls.close(this.fd)
  }

  /** The descriptor has another owner from now on. */
  surrender(): number {
    this.#isOpen = false
    this.#loop.forget(this.fd)
    return this.fd
  }

  /** RST, and what is not sent yet is lost. */
  reset(): void {
    if (!this.#isOpen) return
    this.#setWords(SOL_SOCKET, SO_LINGER, 1, 0)
    this.close()
  }

  #setWords(level: number, option: number, ...words: readonly number[]): void {
    const { bytes, pointer } = scratchOf(this.#loop)
    for (const [index, word] of words.entries()) bytes.writeInt32LE(word, index * 4)
    this.#loop.native.calls.setsockopt(this.fd, level, option, pointer, words.length * 4)
  }

  #name(call: 'getsockname' | 'getpeername'): SocketAddress | undefined {
    if (!this.#isOpen) return undefined
    const { bytes, pointer, lengthPointer } = scratchOf(this.#loop)
    bytes.writeUInt32LE(SOCKADDR_IN6_LENGTH, LENGTH_AT)
    const failed = this.#loop.native.calls[call](this.fd, pointer, lengthPointer) < 0
    return failed ? undefined : decodeSockaddr(bytes.subarray(0, bytes.readUInt32LE(LENGTH_AT)))
  }
}

/** Connections from a listening descriptor; 'again' when there are none now, 'full' when this process has no descriptors left. */
export function acceptFrom(loop: EventLoop, fd: number): number | 'again' | 'full' {
  const { calls, errno } = loop.native
  for (;;) {
    const accepted = calls.accept4(fd, 0n, 0n, SOCK_NONBLOCK | SOCK_CLOEXEC)
    if (accepted >= 0) return accepted
    const error = errno[0] as number
    if (error === EMFILE || error === ENFILE) return 'full'
    // What is wrong with one connection is no reason to leave the others (accept(2)).
    if (error === EAGAIN) return 'again'
    if (error !== EINTR && error !== ECONNABORTED) return 'again'
  }
}

/** Room for a struct sockaddr_in6 or an option, and behind it for a socklen_t. */
interface Scratch {
  readonly bytes: Buffer
  readonly pointer: bigint
  readonly lengthPointer: bigint
}

const LENGTH_AT = 32
const scratches = new WeakMap<EventLoop, Scratch>()

function scratchOf(loop: EventLoop): Scratch {
  const known = scratches.get(loop)
  if (known !== undefined) return known
  const { bytes, pointer } = nativeBytes(loop.native.ffi, LENGTH_AT + 4)
  const made = { bytes, pointer, lengthPointer: pointer + BigInt(LENGTH_AT) }
  scratches.set(loop, made)
  return made
}
