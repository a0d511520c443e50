import type { Logger } from '@ambit/core'
import type { Verdict } from '@ambit/policy'

/** Tells which policy decided; at DEBUG, or INFO where the operator asked for it. */
export class PolicyLog {
  readonly #logger: Logger
  readonly #level: 'debug' | 'info'
  /** Names already warned about, so that a missing policy is one line and not one per connection. */
  readonly #missing = new Set<string>()

  constructor(logger: Logger, options: { readonly info: boolean }) {
    this.#logger = logger.scope('rbac')
    this.#level = options.info ? 'info' : 'debug'
  }

  verdict(verdict: Verdict): void {
    for (const name of verdict.missing) this.#warnMissing(name)
    if (!this.#logger.enabled(this.#level)) return
    for (const match of verdict.dryRun) this.#line(`dry-run: ${match.action.toLowerCase()} policy match`, match.policy)
    if (!verdict.allowed)
      this.#line(verdict.policy === undefined ? 'no allow policies matched' : 'deny policy match', verdict.policy)
    else
      this.#line(verdict.reason === 'allow-policy' ? 'allow policy match' : 'no allow policies, allow', verdict.policy)
  }

  #line(message: string, policy: string | undefined): void {
    this.#logger[this.#level](message, { policy })
  }

  #warnMissing(name: string): void {
    if (this.#missing.has(name) || this.#missing.size >= MAX_REMEMBERED) return
    this.#missing.add(name)
    this.#logger.warn('a policy that a workload refers to has not been received and is skipped', { policy: name })
  }
}

/** Policy names remembered as already reported. */
const MAX_REMEMBERED = 1_000
