import { randomInt } from 'node:crypto'
import type { Clock, Ip, SocketAddress, SocketFactory } from '@ambit/core'
import { AmbitError, formatSocketAddress, ip, ipFamily, messageOf, parseIp } from '@ambit/core'
import { DNS_ATTEMPT_TIMEOUT_MS, DNS_FORWARD_DEADLINE_MS, DNS_MAX_TCP_MESSAGE, DNS_ROUNDS } from '../limits.ts'
import { decodeMessage, type Message } from './wire.ts'

export type DnsTransport = 'udp' | 'tcp'

/** No name server gave a usable answer. */
export class DnsForwardError extends AmbitError {
  override readonly code = 'dns-forward-failed'
}

export interface ForwarderOptions {
  readonly nameservers: readonly SocketAddress[]
  readonly attemptTimeoutMs?: number
  readonly deadlineMs?: number
}

/**
 * Asks the name servers of the node for what the mesh does not own. The bytes of query and answer pass untouched, but for
 * the id, which is drawn anew for every attempt, and the AA bit, which only local answers have.
 */
export class DnsForwarder {
  readonly #sockets: SocketFactory
  readonly #clock: Clock
  readonly #options: Required<ForwarderOptions>

  constructor(components: { readonly sockets: SocketFactory; readonly clock: Clock }, options: ForwarderOptions) {
    this.#sockets = components.sockets
    this.#clock = components.clock
    this.#options = { attemptTimeoutMs: DNS_ATTEMPT_TIMEOUT_MS, deadlineMs: DNS_FORWARD_DEADLINE_MS, ...options }
  }

  /** The answer's bytes under the id of the query; rejects with {@link DnsForwardError}. */
  async forward(query: Uint8Array, transport: DnsTransport, signal: AbortSignal): Promise<Uint8Array> {
    const { nameservers, deadlineMs, attemptTimeoutMs } = this.#options
    const until = this.#clock.monotonic() + deadlineMs
    let last: unknown = 'no name server is configured in resolv.conf'
    for (const to of Array.from({ length: DNS_ROUNDS }, () => nameservers).flat()) {
      const left = until - this.#clock.monotonic()
      if (left <= 0) break
      try {
        return await this.#attempt(query, transport, to, Math.min(left, attemptTimeoutMs), signal)
      } catch (error) {
        signal.throwIfAborted()
        last = error
      }
    }
    throw new DnsForwardError(
      `no answer from ${nameservers.map(formatSocketAddress).join(', ') || 'any name server'} over ${transport}: ${messageOf(last)}`,
      { cause: last },
    )
  }

  async #attempt(
    query: Uint8Array,
    transport: DnsTransport,
    to: SocketAddress,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const asked = Uint8Array.from(query)
    const id = randomInt(0x10000)
    writeId(asked, id)
    using limited = deadline(this.#clock, timeoutMs, signal)
    const exchange = transport === 'udp' ? this.#overUdp : this.#overTcp
    const answer = Uint8Array.from(await exchange.call(this, asked, to, limited.signal))
    writeId(answer, ((query[0] ?? 0) << 8) | (query[1] ?? 0))
    answer[2] = (answer[2] ?? 0) & ~0x04
    return answer
  }

  async #overUdp(query: Uint8Array, to: SocketAddress, signal: AbortSignal): Promise<Uint8Array> {
    const socket = await this.#sockets.bindUdp({ ip: anyOf(to.ip), port: 0 })
    try {
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
      socket.on('error', reject)
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      signal.throwIfAborted()
      socket.on('message', (bytes, from) => {
        // Anything else that arrives is a forgery or late; the wait goes on.
        if (from.port === to.port && parseIp(from.address) === to.ip && answers(bytes, query)) resolve(bytes)
      })
      socket.send(query, to.port, to.ip, (error) => {
        if (error !== null) reject(error)
      })
      return await promise
    } finally {
      socket.close()
    }
  }

  async #overTcp(query: Uint8Array, to: SocketAddress, signal: AbortSignal): Promise<Uint8Array> {
    const socket = await this.#sockets.dial({ to, timeoutMs: this.#options.attemptTimeoutMs, signal })
    try {
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('connection closed before the answer')))
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      signal.throwIfAborted()
      const framer = new TcpFramer()
      socket.on('data', (chunk: Buffer) => {
        for (const bytes of framer.push(chunk)) if (answers(bytes, query)) resolve(bytes)
      })
      socket.write(framed(query))
      return await promise
    } finally {
      socket.destroy()
    }
  }
}

/** DNS over TCP: two bytes of length before each message (RFC 1035 §4.2.2). */
export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(message.length)
  return Buffer.concat([head, message])
}

/** Collects the messages of a DNS TCP stream. Holds at most one incomplete message. */
export class TcpFramer {
  #pending: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Uint8Array[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const messages: Uint8Array[] = []
    while (this.#pending.length >= 2) {
      const end = 2 + Math.min(this.#pending.readUInt16BE(0), DNS_MAX_TCP_MESSAGE)
      if (this.#pending.length < end) break
      messages.push(this.#pending.subarray(2, end))
      this.#pending = this.#pending.subarray(end)
    }
    return messages
  }
}

/** Whether the bytes can be the answer to this very question. */
function answers(bytes: Uint8Array, query: Uint8Array): boolean {
  if (bytes.length < 12 || bytes[0] !== query[0] || bytes[1] !== query[1] || ((bytes[2] ?? 0) & 0x80) === 0)
    return false
  const asked = decodeMessage(query)
  const answer = questionsOf(bytes)
  if (asked === undefined || answer === undefined) return false
  const [want, ...more] = asked.questions
  const [have] = answer
  // Servers that refuse early may leave the question out.
  if (answer.length === 0) return ((bytes[3] ?? 0) & 0xf) !== 0
  if (want === undefined || have === undefined || more.length > 0) return false
  return have.type === want.type && have.class === want.class && sameName(have.name, want.name)
}

/** The questions alone: records of types we do not know, however odd, are the client's business. */
function questionsOf(bytes: Uint8Array): Message['questions'] | undefined {
  const head = Uint8Array.from(bytes)
  head.fill(0, 6, 12)
  // The end of one question: a name without pointers, then four bytes.
  let end = 12
  if ((((bytes[4] ?? 0) << 8) | (bytes[5] ?? 0)) === 0) return []
  while (end < bytes.length && bytes[end] !== 0) end += (bytes[end] ?? 0) + 1
  return decodeMessage(head.subarray(0, end + 5))?.questions
}

function sameName(a: readonly string[], b: readonly string[]): boolean {
  return a.join('.').toLowerCase() === b.join('.').toLowerCase()
}

function writeId(bytes: Uint8Array, id: number): void {
  bytes[0] = id >> 8
  bytes[1] = id & 0xff
}

function anyOf(to: Ip): Ip {
  return ip(ipFamily(to) === 4 ? '0.0.0.0' : '::')
}

function deadline(clock: Clock, ms: number, signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  const timer = clock.after(ms, () => controller.abort(new Error(`no answer within ${Math.round(ms)} ms`)))
  return {
    signal: AbortSignal.any([controller.signal, signal]),
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  }
}
