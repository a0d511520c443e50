import { type Clock, type Logger, messageOf, type ReadonlyWatchable, Watchable } from '@ambit/core'
import { statusOf } from './errors.ts'
import { KINDS } from './kinds.ts'
import type { KubeClient } from './kube-client.ts'
import { claimedLease, type Lease } from './lease.ts'

export interface LeaderElectionOptions {
  readonly namespace: string
  readonly name: string
  /** Unique per process: the pod's name. */
  readonly identity: string
  /** How long a silent leader is still believed, ms (client-go as Istio sets it: 15 s / 10 s / 2 s). */
  readonly leaseMs?: number
  /** A leader that could not renew for this long steps down, ms; below `leaseMs`. */
  readonly renewDeadlineMs?: number
  readonly retryMs?: number
}

export interface LeaderElectionComponents {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>
  readonly clock: Clock
  readonly logger: Logger
}

type Observed = { readonly version: string | undefined; readonly atMs: number }

/**
 * One leader among replicas, by a Lease. Time of others is never trusted: a lease is expired when *we* have not seen
 * it change for its duration. A leader steps down before others may take over.
 */
export class LeaderElection {
  readonly #client: LeaderElectionComponents['client']
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: Required<LeaderElectionOptions>
  readonly #leading = new Watchable(false)
  #observed: Observed | undefined

  constructor(components: LeaderElectionComponents, options: LeaderElectionOptions) {
    this.#client = components.client
    this.#clock = components.clock
    this.#logger = components.logger
    this.#options = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, ...options }
  }

  get leading(): ReadonlyWatchable<boolean> {
    return this.#leading
  }

  /**
   * Campaigns until `signal` aborts. Each time this process becomes leader, `lead` is called with a signal that aborts
   * on the loss of leadership; the next campaign starts when `lead` has settled.
   */
  async run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void> | void): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#tryAcquire(signal))) {
        await this.#clock.sleep(this.#options.retryMs, signal).catch(() => undefined)
        continue
      }
      this.#logger.info('became leader', { lease: this.#options.name })
      const term = new AbortController()
      this.#leading.set(true)
      const work = Promise.resolve(lead(term.signal)).catch((error: unknown) => {
        if (!term.signal.aborted)
          this.#logger.error(`leader's work failed: ${messageOf(error)}`, { lease: this.#options.name })
      })
      await this.#holdUntilLost(signal)
      this.#leading.set(false)
      term.abort(new Error(`lost the lease ${this.#options.name}`))
      this.#logger.info('stopped leading', { lease: this.#options.name })
      await work
    }
    await this.#release()
  }

  /** Renews until the deadline passes without success, another holds the lease, or the signal aborts. */
  async #holdUntilLost(signal: AbortSignal): Promise<void> {
    let renewedMs = this.#clock.monotonic()
    while (!signal.aborted) {
      await this.#clock.sleep(this.#options.retryMs, signal).catch(() => undefined)
      if (signal.aborted) return
      const left = renewedMs + this.#options.renewDeadlineMs - this.#clock.monotonic()
      if (left <= 0) return
      const deadline = new AbortController()
      using _timer = this.#clock.after(left, () => deadline.abort(new Error('renew deadline passed')))
      const startedMs = this.#clock.monotonic()
      const outcome = await this.#claim(AbortSignal.any([signal, deadline.signal]))
      if (outcome === 'held') renewedMs = startedMs
      else if (outcome === 'taken') return
    }
  }

  async #tryAcquire(signal: AbortSignal): Promise<boolean> {
    return (await this.#claim(signal)) === 'held'
  }

  async #claim(signal: AbortSignal): Promise<'held' | 'taken' | 'failed'> {
    const { namespace, name, identity, leaseMs } = this.#options
    try {
      const lease = await this.#client.get<Lease>(KINDS.lease, { namespace, name }, signal)
      if (lease !== undefined && this.#isHeldByOther(lease)) return 'taken'
      const claim = { namespace, name, identity, durationMs: leaseMs, nowMs: this.#clock.now() }
      const next = claimedLease(lease, claim)
      if (lease === undefined) await this.#client.create(KINDS.lease, next, signal)
      else await this.#client.update(KINDS.lease, next, { signal })
      return 'held'
    } catch (error) {
      // 409: another replica was faster; the next round sees who.
      if (!signal.aborted && statusOf(error) !== 409)
        this.#logger.warn(`cannot claim lease: ${messageOf(error)}`, { lease: `${namespace}/${name}` })
      return 'failed'
    }
  }

  #isHeldByOther(lease: Lease): boolean {
    const holder = lease.spec?.holderIdentity
    if (!holder || holder === this.#options.identity) return false
    const version = lease.metadata.resourceVersion
    const now = this.#clock.monotonic()
    if (this.#observed === undefined || this.#observed.version !== version) this.#observed = { version, atMs: now }
    const durationMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000 || this.#options.leaseMs
    return now - this.#observed.atMs < durationMs
  }

  /** Hands over at once instead of letting the others wait for expiry. */
  async #release(): Promise<void> {
    const { namespace, name, identity } = this.#options
    try {
      const lease = await this.#client.get<Lease>(KINDS.lease, { namespace, name })
      if (lease?.spec?.holderIdentity !== identity) return
      await this.#client.update(KINDS.lease, {
        ...lease,
        spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 },
      })
    } catch (error) {
      this.#logger.debug(`lease not released: ${messageOf(error)}`, { lease: `${namespace}/${name}` })
    }
  }
}
