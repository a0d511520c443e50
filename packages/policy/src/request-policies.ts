import type { HttpAuthorization, HttpPolicySource } from '@ambit/state'
import { compileRequestPolicy } from './compile-request-policy.ts'
import type { CompiledPolicy } from './compiled-policy.types.ts'
import { type FieldsRead, fieldsRead } from './fields-read.ts'
import type { RequestPolicies, RequestPolicyLookup } from './request-verdict.types.ts'
import type { TrustDomains } from './trust-domains.ts'

/**
 * Policies compiled once each, and the candidates of a destination sorted once until a policy changes. A destination's list of names is
 * remembered by the list itself: asking again with the same array costs one look-up.
 */
export class CompiledRequestPolicies implements RequestPolicyLookup, Disposable {
  readonly #source: HttpPolicySource
  readonly #subscription: Disposable
  #domains: TrustDomains | undefined
  #compiled = new WeakMap<HttpAuthorization, CompiledPolicy>()
  #sorted = new WeakMap<readonly string[], RequestPolicies>()
  #read = new WeakMap<readonly string[], FieldsRead>()

  constructor(source: HttpPolicySource, domains?: TrustDomains) {
    this.#source = source
    this.#domains = domains
    this.#subscription = source.subscribe(() => {
      this.#sorted = new WeakMap()
      this.#read = new WeakMap()
    })
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  /** To be told of the waypoint's settings whenever they change. */
  setTrustDomains(domains: TrustDomains): void {
    this.#domains = domains
    this.#compiled = new WeakMap()
    this.#sorted = new WeakMap()
  }

  policiesFor(names: readonly string[]): RequestPolicies {
    const known = this.#sorted.get(names)
    if (known !== undefined) return known
    const sorted = sortPolicies(names, (name) => this.#policy(name))
    this.#sorted.set(names, sorted)
    return sorted
  }

  /** What those of them that are known look at. */
  fieldsRead(names: readonly string[]): FieldsRead {
    const known = this.#read.get(names)
    if (known !== undefined) return known
    const read = fieldsRead(names.flatMap((name) => this.#source.get(name) ?? []))
    this.#read.set(names, read)
    return read
  }

  #policy(name: string): CompiledPolicy | undefined {
    const policy = this.#source.get(name)
    if (policy === undefined) return undefined
    const known = this.#compiled.get(policy)
    if (known !== undefined) return known
    const compiled = compileRequestPolicy(policy, this.#domains)
    this.#compiled.set(policy, compiled)
    return compiled
  }
}

function sortPolicies(names: readonly string[], find: (name: string) => CompiledPolicy | undefined): RequestPolicies {
  const missing: string[] = []
  const found: CompiledPolicy[] = []
  for (const name of new Set(names)) {
    const policy = find(name)
    if (policy === undefined) missing.push(name)
    else found.push(policy)
  }
  const enforced = (action: CompiledPolicy['action']): readonly CompiledPolicy[] =>
    found.filter((policy) => policy.action === action && !policy.dryRun)
  return {
    missing,
    custom: enforced('Custom'),
    audit: enforced('Audit'),
    deny: enforced('Deny'),
    allow: enforced('Allow'),
    dryRun: found.filter(({ dryRun }) => dryRun),
  }
}
