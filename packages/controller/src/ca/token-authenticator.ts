import { hash } from 'node:crypto'
import type { Clock } from '@ambit/core'
import type { TokenVerdict } from '@ambit/kube'
import { MAX_REVIEWS_IN_FLIGHT, MAX_REVIEWS_WAITING, TOKEN_CACHE_MS, TOKEN_CACHE_SIZE } from '../limits.ts'

/** Audience of the tokens that proxies present (Istio). */
export const TOKEN_AUDIENCE = 'istio-ca'

export type ReviewToken = (token: string) => Promise<TokenVerdict>

interface Remembered {
  readonly verdict: TokenVerdict
  readonly untilMs: number
}

/** Whose token it is, by TokenReview. Positive answers are believed for a few seconds; refusals never. */
export class TokenAuthenticator {
  readonly #review: ReviewToken
  readonly #clock: Clock
  /** Keyed by a digest: tokens are not kept. */
  readonly #remembered = new Map<string, Remembered>()
  readonly #inFlight = new Map<string, Promise<TokenVerdict>>()
  readonly #waiting: (() => void)[] = []

  constructor(components: { readonly review: ReviewToken; readonly clock: Clock }) {
    this.#review = components.review
    this.#clock = components.clock
  }

  async authenticate(token: string): Promise<TokenVerdict> {
    const key = hash('sha256', token)
    const known = this.#remembered.get(key)
    if (known !== undefined && known.untilMs > this.#clock.monotonic()) return known.verdict
    const running = this.#inFlight.get(key)
    if (running !== undefined) return await running
    // Whoever can connect can send tokens made up; proxies that are turned away ask again.
    if (this.#waiting.length >= MAX_REVIEWS_WAITING)
      return { authenticated: false, reason: `${MAX_REVIEWS_WAITING} tokens are waiting for their review already` }
    return await this.#start(key, token)
  }

  #start(key: string, token: string): Promise<TokenVerdict> {
    const running = this.#ask(key, token).finally(() => {
      this.#inFlight.delete(key)
      this.#waiting.shift()?.()
    })
    this.#inFlight.set(key, running)
    return running
  }

  async #ask(key: string, token: string): Promise<TokenVerdict> {
    if (this.#inFlight.size >= MAX_REVIEWS_IN_FLIGHT) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    const verdict = await this.#review(token)
    this.#remembered.delete(key)
    if (!verdict.authenticated) return verdict
    this.#remembered.set(key, { verdict, untilMs: this.#clock.monotonic() + TOKEN_CACHE_MS })
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > TOKEN_CACHE_SIZE && oldest !== undefined) this.#remembered.delete(oldest)
    return verdict
  }
}
