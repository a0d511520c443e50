import { closeSync } from 'node:fs'
import { AmbitError } from '@ambit/core'
import { FdPoller } from './fd-poller.ts'
import {
  AF_UNIX,
  EAGAIN,
  ECONNRESET,
  EPIPE,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_TRUNC,
  SHUT_RDWR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
} from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { MAX_PACKET_BYTES, MAX_PACKET_FDS } from './limits.ts'
import {
  controlSpace,
  decodeRights,
  encodeRights,
  messageHeader,
  receivedControlLength,
  receivedFlags,
} from './message-header.ts'
import { encodeUnixAddress } from './sockaddr.ts'
import { check, SystemCallError } from './system-call-error.ts'

/** A packet did not fit the limits, so its content is lost; the connection is unusable for a strict protocol. */
export class PacketTruncatedError extends AmbitError {
  override readonly code = 'PACKET_TRUNCATED'
}

export interface Packet {
  readonly bytes: Uint8Array
  /** Descriptors that came with it; the receiver owns and closes them. */
  readonly fds: readonly number[]
}

/** A unix SOCK_SEQPACKET connection: one send is one receive, with descriptors riding along. */
export class SeqpacketConnection implements Disposable {
  readonly #fd: number
  readonly #poller: FdPoller
  readonly #ownsPoller: boolean
  #sending: Promise<void> = Promise.resolve()
  #receiving = false
  #closed = false

  /** Takes ownership of a non-blocking descriptor. */
  constructor(fd: number, poller: FdPoller, ownsPoller: boolean) {
    this.#fd = fd
    this.#poller = poller
    this.#ownsPoller = ownsPoller
  }

  /** Connects to a listener; ECONNREFUSED and ENOENT mean that nobody listens, EAGAIN that its backlog is full. */
  static async connect(path: string, signal?: AbortSignal): Promise<SeqpacketConnection> {
    signal?.throwIfAborted()
    const fd = check(
      libc().socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
      'socket',
      'of type SEQPACKET',
    )
    try {
      const address = encodeUnixAddress(path)
      check(libc().connect(fd, address, address.length), 'connect', `to ${path}`)
      return new SeqpacketConnection(fd, new FdPoller(), true)
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Sends one packet, waiting while the peer's buffer is full. Packets keep the order of the calls. */
  send(bytes: Uint8Array, fd?: number): Promise<void> {
    // Copied, since the caller may reuse both before a delayed attempt; the descriptor must stay open until done.
    const data = Uint8Array.from(bytes)
    const sent = this.#sending.then(() => this.#sendNow(data, fd === undefined ? [] : [fd]))
    this.#sending = sent.catch(() => undefined)
    return sent
  }

  /** The next packet; undefined once the peer or this side has closed. One call at a time. */
  async receive(signal?: AbortSignal): Promise<Packet | undefined> {
    if (this.#receiving) throw new TypeError('a receive is already under way')
    signal?.throwIfAborted()
    const onAbort = (): void => this.#poller.forget(this.#fd)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#receiving = true
    try {
      while (!this.#closed) {
        const result = this.#receiveNow()
        if (result !== 'again') return result
        await this.#poller.ready(this.#fd, 'read')
        signal?.throwIfAborted()
      }
      return undefined
    } finally {
      this.#receiving = false
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Ends both directions at once; a waiting `receive` resolves with undefined. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#poller.forget(this.#fd)
    libc().shutdown(this.#fd, SHUT_RDWR)
    closeSync(this.#fd)
    if (this.#ownsPoller) void this.#poller.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #sendNow(data: Uint8Array, fds: readonly number[]): Promise<void> {
    const header = messageHeader(data, encodeRights(fds), libc().addressOf)
    for (;;) {
      if (this.#closed) throw new SystemCallError('sendmsg', EPIPE, 'on a closed connection')
      if (libc().sendmsg(this.#fd, header.bytes, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return
      const errno = libc().errno()
      if (errno !== EAGAIN) throw new SystemCallError('sendmsg', errno, `of ${data.length} bytes`)
      await this.#poller.ready(this.#fd, 'write')
    }
  }

  #receiveNow(): Packet | undefined | 'again' {
    const data = Buffer.alloc(MAX_PACKET_BYTES)
    const header = messageHeader(data, Buffer.alloc(controlSpace(MAX_PACKET_FDS)), libc().addressOf)
    const length = libc().recvmsg(this.#fd, header.bytes, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
    if (length < 0) {
      const errno = libc().errno()
      if (errno === EAGAIN) return 'again'
      if (errno === ECONNRESET) return undefined
      throw new SystemCallError('recvmsg', errno, '')
    }
    const fds = decodeRights(header.control, receivedControlLength(header))
    const flags = receivedFlags(header)
    if ((flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0) {
      closeAll(fds)
      const what =
        (flags & MSG_TRUNC) !== 0
          ? `longer than ${MAX_PACKET_BYTES} bytes`
          : `with more than ${MAX_PACKET_FDS} descriptors`
      throw new PacketTruncatedError(`received a packet ${what}; the peer does not keep to the protocol`)
    }
    // The end of the connection reads as an empty packet; no protocol here sends one.
    if (length === 0 && fds.length === 0) return undefined
    return { bytes: data.subarray(0, length), fds }
  }
}

/** Closes descriptors nobody wants. */
export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd)
}
