import type { Treatment } from '@ambit/state'
import { UpstreamError } from './errors.ts'

type Limits = Pick<Treatment, 'maxConnections' | 'maxPendingRequests' | 'maxRequests' | 'maxRetries'>

/** How many requests may be under way in a cluster: of HTTP/1.1 one takes a connection, others wait for theirs; of HTTP/2 none waits. */
export class CircuitBreaker {
  readonly #limits: Limits
  #connections = 0
  #requests = 0
  #retries = 0
  readonly #waiting = new Set<() => void>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Resolves with what ends the request's place; rejects with an UpstreamError `overflow` when there is none. */
  async enter(version: 'HTTP/1.1' | 'HTTP/2', signal: () => AbortSignal): Promise<() => void> {
    const { maxConnections = Number.POSITIVE_INFINITY, maxRequests = Number.POSITIVE_INFINITY } = this.#limits
    if (version === 'HTTP/2') {
      if (this.#requests >= maxRequests) throw overflow(`${maxRequests} requests are under way`)
      this.#requests++
      return once(() => void this.#requests--)
    }
    if (this.#connections < maxConnections) this.#connections++
    else await this.#wait(signal())
    return once(() => this.#leave())
  }

  /** Undefined: no retry may begin now. */
  beginRetry(): (() => void) | undefined {
    const { maxRetries = Number.POSITIVE_INFINITY } = this.#limits
    if (this.#retries >= maxRetries) return undefined
    this.#retries++
    return once(() => void this.#retries--)
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { maxPendingRequests = Number.POSITIVE_INFINITY, maxConnections } = this.#limits
    if (this.#waiting.size >= maxPendingRequests)
      throw overflow(`${maxConnections} connections are in use and ${maxPendingRequests} requests wait`)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const giveUp = (): void =>
      reject(new UpstreamError('terminated', 'given up', { cause: signal.reason, sent: false }))
    this.#waiting.add(resolve)
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
    try {
      await promise
    } finally {
      this.#waiting.delete(resolve)
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** The place goes to who has waited longest. */
  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#connections--
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}

function overflow(why: string): UpstreamError {
  return new UpstreamError('overflow', `circuit breaker: ${why}`, { sent: false })
}

function once(action: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    action()
  }
}
