import { type Authorization, policyKey } from './authorization.types.ts'
import { decodeAuthorization } from './decode-authorization.ts'
import type { RejectedResource, ResourceChange } from './resources.types.ts'
import type { Workload } from './workload.types.ts'

/** What a verdict needs of a store. */
export interface PolicyLookup {
  /** Policies that may apply to the workload, and the names it lists that are not known here. */
  policiesFor(workload: Workload): CandidatePolicies
}

export interface CandidatePolicies {
  readonly policies: readonly Authorization[]
  readonly missing: readonly string[]
}

interface Held {
  readonly policy: Authorization
  /** True for the strict reading of a policy that could not be decoded; a good version replaces it. */
  readonly standIn: boolean
}

/** L4 authorization policies by the xDS name they came under, indexed by scope. */
export class PolicyStore implements PolicyLookup {
  readonly #byName = new Map<string, Held>()
  /** Names of Global (under '') and Namespace policies. A namespace is never empty in Kubernetes. */
  readonly #byScope = new Map<string, Map<string, Authorization>>()
  readonly #listeners = new Set<() => void>()

  /**
   * Takes an xDS change for `istio.security.Authorization`. A policy that is refused keeps its last good version; when there
   * is none its strict reading takes the place, so that a restart never opens what was closed.
   */
  apply(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    let changed = false
    for (const name of change.removed) changed = this.#remove(name) || changed
    for (const { name, bytes } of change.upserts) {
      const decoded = decodeAuthorization(bytes)
      if (decoded.ok) {
        this.#put(name, { policy: decoded.value, standIn: false })
        changed = true
        continue
      }
      rejected.push({ name, reason: decoded.rejection.message })
      const held = this.#byName.get(name)
      if (decoded.standIn === undefined || (held !== undefined && !held.standIn)) continue
      this.#put(name, { policy: decoded.standIn, standIn: true })
      changed = true
    }
    if (changed) this.#announce()
    return rejected
  }

  /** Takes already decoded policies, as a local file holds them. */
  put(policies: readonly Authorization[]): void {
    for (const policy of policies) this.#put(policyKey(policy), { policy, standIn: false })
    if (policies.length > 0) this.#announce()
  }

  /** Called once after every change that altered a policy: connections are to be judged again. */
  subscribe(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  get(name: string): Authorization | undefined {
    return this.#byName.get(name)?.policy
  }

  *policies(): IterableIterator<Authorization> {
    for (const { policy } of this.#byName.values()) yield policy
  }

  policiesFor(workload: Workload): CandidatePolicies {
    const policies: Authorization[] = [...(this.#byScope.get('')?.values() ?? [])]
    // An empty namespace would otherwise take the global policies a second time.
    if (workload.namespace !== '') policies.push(...(this.#byScope.get(workload.namespace)?.values() ?? []))
    const missing: string[] = []
    for (const name of workload.authorizationPolicies) {
      const policy = this.#byName.get(name)?.policy
      if (policy === undefined) missing.push(name)
      // A name listed by a workload attaches a selector policy only; the wider scopes are already in.
      else if (policy.scope === 'WorkloadSelector') policies.push(policy)
    }
    return { policies, missing }
  }

  #put(name: string, held: Held): void {
    this.#remove(name)
    this.#byName.set(name, held)
    const scope = scopeKey(held.policy)
    if (scope === undefined) return
    const inScope = this.#byScope.get(scope)
    if (inScope === undefined) this.#byScope.set(scope, new Map([[name, held.policy]]))
    else inScope.set(name, held.policy)
  }

  #remove(name: string): boolean {
    const old = this.#byName.get(name)
    if (old === undefined) return false
    this.#byName.delete(name)
    const scope = scopeKey(old.policy)
    if (scope === undefined) return true
    const inScope = this.#byScope.get(scope)
    inScope?.delete(name)
    if (inScope?.size === 0) this.#byScope.delete(scope)
    return true
  }

  #announce(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

function scopeKey({ scope, namespace }: Authorization): string | undefined {
  if (scope === 'Global') return ''
  return scope === 'Namespace' && namespace !== '' ? namespace : undefined
}
