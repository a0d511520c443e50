import { chmodSync, closeSync, rmSync } from 'node:fs'
import type { Closable } from '@ambit/core'
import { FdPoller } from './fd-poller.ts'
import { AF_UNIX, EAGAIN, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET } from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { ACCEPT_RETRY_MS, SEQPACKET_BACKLOG } from './limits.ts'
import { SeqpacketConnection } from './seqpacket-connection.ts'
import { encodeUnixAddress } from './sockaddr.ts'
import { check } from './system-call-error.ts'

export interface SeqpacketListenOptions {
  /** Permissions of the socket file; by default only the owner may connect. */
  readonly mode?: number | undefined
}

const OWNER_ONLY = 0o600

/** Accepts unix SOCK_SEQPACKET connections at a path. */
export class SeqpacketListener implements Closable {
  readonly #fd: number
  readonly #path: string
  readonly #poller = new FdPoller()
  readonly #connections = new Set<SeqpacketConnection>()
  #accepting = false
  #closed = false

  private constructor(fd: number, path: string) {
    this.#fd = fd
    this.#path = path
  }

  /** Takes the path over: a socket file a dead process left there is removed. */
  static async listen(path: string, options: SeqpacketListenOptions = {}): Promise<SeqpacketListener> {
    const address = encodeUnixAddress(path)
    const type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK
    const fd = check(libc().socket(AF_UNIX, type, 0), 'socket', 'of type SEQPACKET')
    try {
      rmSync(path, { force: true })
      check(libc().bind(fd, address, address.length), 'bind', `to ${path}`)
      chmodSync(path, options.mode ?? OWNER_ONLY)
      check(libc().listen(fd, SEQPACKET_BACKLOG), 'listen', `at ${path}`)
      return new SeqpacketListener(fd, path)
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** Starts accepting; to be called once. Connections made before wait in the backlog. */
  onConnection(callback: (connection: SeqpacketConnection) => void): void {
    if (this.#accepting) throw new TypeError('the listener already has an owner of its connections')
    this.#accepting = true
    void this.#acceptLoop(callback)
  }

  /** Stops accepting and closes every connection that is still open. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const connection of this.#connections) connection.close()
    this.#poller.forget(this.#fd)
    closeSync(this.#fd)
    rmSync(this.#path, { force: true })
    await this.#poller.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #acceptLoop(callback: (connection: SeqpacketConnection) => void): Promise<void> {
    while (!this.#closed) {
      const fd = libc().accept4(this.#fd, SOCK_CLOEXEC | SOCK_NONBLOCK)
      if (fd >= 0) {
        for (const known of this.#connections) if (known.closed) this.#connections.delete(known)
        const connection = new SeqpacketConnection(fd, this.#poller, false)
        this.#connections.add(connection)
        callback(connection)
      } else if (libc().errno() === EAGAIN) {
        await this.#poller.ready(this.#fd, 'read')
      } else {
        // A client that gave up meanwhile, or no descriptors left: neither ends the listener.
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS))
      }
    }
  }
}
