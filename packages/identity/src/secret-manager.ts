import {
  abortable,
  Backoff,
  type Clock,
  type Closable,
  formatSpiffeId,
  type Logger,
  messageOf,
  type SpiffeId,
} from '@ambit/core'
import type { CaClient } from './ca-client.types.ts'
import { createCsr } from './csr.ts'
import {
  DEFAULT_WORKLOAD_TTL_SECONDS,
  DEMANDED_RETRY_MS,
  MAX_RENEWAL_SLEEP_MS,
  MIN_RENEWAL_MS,
  RETRY_BACKOFF,
} from './defaults.ts'
import { IdentityError, IdentityForgottenError, TooManyIdentitiesError } from './errors.ts'
import { MAX_CA_REQUESTS_IN_FLIGHT, MAX_IDENTITIES } from './limits.ts'
import { type WorkloadCertificate, workloadCertificate } from './workload-certificate.ts'

export interface CertificateState {
  readonly identity: SpiffeId
  readonly state: 'Initializing' | 'Available' | `Unavailable: ${string}`
  readonly certificate?: WorkloadCertificate | undefined
}

export interface SecretManagerComponents {
  readonly ca: CaClient
  readonly clock: Clock
  readonly logger: Logger
  readonly random?: (() => number) | undefined
}

export interface SecretManagerOptions {
  readonly ttlSeconds?: number | undefined
  readonly maxInFlight?: number | undefined
  readonly maxIdentities?: number | undefined
}

export type CertificateListener = (identity: SpiffeId, certificate: WorkloadCertificate) => void

/** Order in which waiting requests go to the CA; lower is sooner (Istio). */
const PRIORITY = { realTime: 0, warmup: 1, background: 2 } as const
type Priority = (typeof PRIORITY)[keyof typeof PRIORITY]

interface Entry {
  readonly identity: SpiffeId
  readonly key: string
  readonly backoff: Backoff
  certificate: WorkloadCertificate | undefined
  lastError: Error | undefined
  phase: Phase
  /** Settles with the attempt that is queued or in flight. */
  attempt: PromiseWithResolvers<WorkloadCertificate>
}

type Phase =
  | { readonly kind: 'queued'; priority: Priority }
  | { readonly kind: 'fetching'; readonly abort: AbortController }
  | { readonly kind: 'sleeping'; readonly timer: Disposable; readonly dueMs: number; readonly startedMs: number }
  | { readonly kind: 'forgotten' }

/**
 * Keeps one certificate per identity fresh: renews at half life, keeps the last valid one when the CA is away,
 * asks for one identity once however many wait for it. Keys live in this process's memory only.
 */
export class SecretManager implements Closable {
  readonly #ca: CaClient
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #random: (() => number) | undefined
  readonly #ttlSeconds: number
  readonly #maxInFlight: number
  readonly #maxIdentities: number
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<CertificateListener>()
  #inFlight = 0
  #closed = false

  constructor(components: SecretManagerComponents, options: SecretManagerOptions = {}) {
    this.#ca = components.ca
    this.#clock = components.clock
    this.#logger = components.logger.scope('identity')
    this.#random = components.random
    this.#ttlSeconds = options.ttlSeconds ?? DEFAULT_WORKLOAD_TTL_SECONDS
    this.#maxInFlight = options.maxInFlight ?? MAX_CA_REQUESTS_IN_FLIGHT
    this.#maxIdentities = options.maxIdentities ?? MAX_IDENTITIES
  }

  /**
   * The valid certificate at hand, or the outcome of the attempt under way. While the CA is away it rejects at once with
   * the last failure, and makes sure that the next attempt is soon.
   */
  async get(identity: SpiffeId, signal?: AbortSignal): Promise<WorkloadCertificate> {
    const entry = this.#demand(identity, PRIORITY.realTime)
    const valid = this.#valid(entry)
    if (valid !== undefined) return valid
    if (entry.phase.kind === 'sleeping' && entry.lastError !== undefined) {
      this.#hurry(entry)
      if (entry.phase.kind === 'sleeping') throw entry.lastError
    }
    return await abortable(entry.attempt.promise, signal)
  }

  /** Fetches ahead of need; never fails. */
  prefetch(identity: SpiffeId): void {
    const full = this.#entries.size >= this.#maxIdentities && this.#find(identity) === undefined
    if (this.#closed || full) return
    this.#demand(identity, PRIORITY.warmup)
  }

  /** Drops the certificate and everything under way for it; who waits is told. */
  forget(identity: SpiffeId): void {
    const entry = this.#find(identity)
    if (entry !== undefined) this.#drop(entry)
  }

  /** The valid certificate at hand, without asking for one. */
  current(identity: SpiffeId): WorkloadCertificate | undefined {
    const entry = this.#find(identity)
    return entry && this.#valid(entry)
  }

  states(): readonly CertificateState[] {
    return Array.from(this.#entries.values(), (entry): CertificateState => {
      const { identity } = entry
      const certificate = this.#valid(entry)
      if (certificate !== undefined) return { identity, state: 'Available', certificate }
      return {
        identity,
        state: entry.lastError === undefined ? 'Initializing' : `Unavailable: ${entry.lastError.message}`,
      }
    })
  }

  /** Calls back with every new certificate, first ones and renewals. */
  subscribe(listener: CertificateListener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  close(): Promise<void> {
    this.#closed = true
    for (const entry of [...this.#entries.values()]) this.#drop(entry)
    this.#listeners.clear()
    return Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #find(identity: SpiffeId): Entry | undefined {
    return this.#entries.get(formatSpiffeId(identity))
  }

  #valid(entry: Entry): WorkloadCertificate | undefined {
    const { certificate } = entry
    return certificate !== undefined && certificate.notAfterMs > this.#clock.now() ? certificate : undefined
  }

  /** The identity's entry, created on first demand; a queued request takes the more urgent of the two priorities. */
  #demand(identity: SpiffeId, priority: Priority): Entry {
    if (this.#closed) throw new IdentityForgottenError(identity)
    const found = this.#find(identity)
    if (found !== undefined) {
      if (found.phase.kind === 'queued') found.phase.priority = earlier(found.phase.priority, priority)
      return found
    }
    if (this.#entries.size >= this.#maxIdentities) {
      throw new TooManyIdentitiesError(
        `more than ${this.#maxIdentities} identities on this node: no certificate for ${formatSpiffeId(identity)}`,
      )
    }
    const entry: Entry = {
      identity,
      key: formatSpiffeId(identity),
      backoff: new Backoff(RETRY_BACKOFF, this.#random),
      certificate: undefined,
      lastError: undefined,
      phase: { kind: 'queued', priority },
      attempt: newAttempt(),
    }
    this.#entries.set(entry.key, entry)
    this.#startQueued()
    return entry
  }

  #startQueued(): void {
    while (this.#inFlight < this.#maxInFlight) {
      const next = this.#mostUrgent()
      if (next === undefined) return
      this.#inFlight++
      void this.#fetch(next).finally(() => {
        this.#inFlight--
        this.#startQueued()
      })
    }
  }

  #mostUrgent(): Entry | undefined {
    let best: { entry: Entry; priority: Priority } | undefined
    for (const entry of this.#entries.values()) {
      if (entry.phase.kind !== 'queued') continue
      if (best === undefined || entry.phase.priority < best.priority) best = { entry, priority: entry.phase.priority }
    }
    return best?.entry
  }

  async #fetch(entry: Entry): Promise<void> {
    const abort = new AbortController()
    entry.phase = { kind: 'fetching', abort }
    const startedMs = this.#clock.monotonic()
    const { identity } = entry
    try {
      const { privateKey, csrPem } = createCsr(identity)
      const request = { csrPem, identity, ttlSeconds: this.#ttlSeconds, signal: abort.signal }
      const certChain = await abortable(this.#ca.createCertificate(request), abort.signal)
      const certificate = workloadCertificate({ identity, privateKey, certChain, now: this.#clock.now() })
      if (isForgotten(entry)) return
      this.#succeeded(entry, certificate, startedMs)
    } catch (error) {
      if (!isForgotten(entry)) this.#failed(entry, error, startedMs)
    }
  }

  #succeeded(entry: Entry, certificate: WorkloadCertificate, startedMs: number): void {
    if (certificate.roots.length === 0) {
      this.#logger.warn('the CA sent no root certificates: no peer of this identity can be verified', {
        identity: entry.key,
      })
    }
    entry.certificate = certificate
    entry.lastError = undefined
    entry.backoff.reset()
    const { resolve } = entry.attempt
    entry.attempt = newAttempt()
    this.#sleepUntil(entry, renewalMs(certificate, this.#clock.now()), startedMs)
    this.#logger.debug('certificate received', {
      identity: entry.key,
      expires: new Date(certificate.notAfterMs).toISOString(),
    })
    resolve(certificate)
    for (const listener of [...this.#listeners]) listener(entry.identity, certificate)
  }

  #failed(entry: Entry, error: unknown, startedMs: number): void {
    const failure = new IdentityError(entry.identity, messageOf(error), { cause: error })
    entry.lastError = failure
    const delay = entry.backoff.next()
    const now = this.#clock.now()
    const valid = this.#valid(entry)
    // Istio: retry at the backoff or when the certificate expires, whichever is sooner.
    const dueMs = valid === undefined ? now + delay : Math.min(now + delay, valid.notAfterMs)
    this.#logger.warn('certificate request failed', {
      identity: entry.key,
      error: failure.message,
      retryMs: Math.round(dueMs - now),
      stillValid: valid !== undefined,
    })
    const { reject } = entry.attempt
    entry.attempt = newAttempt()
    this.#sleepUntil(entry, dueMs, startedMs)
    reject(failure)
  }

  /** Wall clock decides, because that is what certificates end by; timers are only a way to look at it again. */
  #sleepUntil(entry: Entry, dueMs: number, startedMs: number): void {
    const wait = Math.min(Math.max(0, dueMs - this.#clock.now()), MAX_RENEWAL_SLEEP_MS)
    const timer = this.#clock.after(wait, () => {
      if (isForgotten(entry)) return
      if (this.#clock.now() < dueMs) this.#sleepUntil(entry, dueMs, startedMs)
      else this.#queue(entry, PRIORITY.background)
    })
    entry.phase = { kind: 'sleeping', timer, dueMs, startedMs }
  }

  /** Brings a sleeping retry forward for a waiting connection, without letting many of them hammer the CA. */
  #hurry(entry: Entry): void {
    if (entry.phase.kind !== 'sleeping') return
    const { timer, dueMs, startedMs } = entry.phase
    const allowedIn = DEMANDED_RETRY_MS - (this.#clock.monotonic() - startedMs)
    if (allowedIn > 0 && dueMs <= this.#clock.now() + allowedIn) return
    timer[Symbol.dispose]()
    if (allowedIn <= 0) this.#queue(entry, PRIORITY.realTime)
    else this.#sleepUntil(entry, this.#clock.now() + allowedIn, startedMs)
  }

  #queue(entry: Entry, priority: Priority): void {
    entry.phase = { kind: 'queued', priority }
    this.#startQueued()
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.key)
    const { phase } = entry
    entry.phase = { kind: 'forgotten' }
    entry.attempt.reject(new IdentityForgottenError(entry.identity))
    if (phase.kind === 'sleeping') phase.timer[Symbol.dispose]()
    if (phase.kind === 'fetching') phase.abort.abort(new IdentityForgottenError(entry.identity))
  }
}

/**
 * Half of the certificate's life (Istio). Lives so short that the half is over when they arrive, because notBefore lies a
 * little back, are renewed at half of what remains: never in a loop.
 */
function renewalMs({ notBeforeMs, notAfterMs }: WorkloadCertificate, now: number): number {
  const half = (notBeforeMs + notAfterMs) / 2
  return half > now ? half : now + Math.max(MIN_RENEWAL_MS, (notAfterMs - now) / 2)
}

function isForgotten(entry: Entry): boolean {
  return entry.phase.kind === 'forgotten'
}

function earlier(a: Priority, b: Priority): Priority {
  return a < b ? a : b
}

/** Nobody may be waiting: its rejection is not an unhandled one. */
function newAttempt(): PromiseWithResolvers<WorkloadCertificate> {
  const attempt = Promise.withResolvers<WorkloadCertificate>()
  attempt.promise.catch(() => undefined)
  return attempt
}
