import type { Authorization } from './authorization.types.ts'
import { type GroupedPolicy, PolicyGroup } from './policy-group.ts'
import type { Workload } from './workload.types.ts'

export interface HeldPolicy {
  readonly policy: Authorization
  /** True for the strict reading of a policy that could not be decoded; a good version replaces it. */
  readonly standIn: boolean
}

interface Entry extends HeldPolicy {
  /** Where it is indexed; a selector policy is so under those who list it. */
  readonly grouped: { readonly in: PolicyGroup; readonly as: GroupedPolicy } | undefined
}

/** Groups in the order their policies are asked in: global, of the namespace, listed by the workload. */
export interface PoliciesInForce {
  readonly groups: readonly PolicyGroup[]
  readonly missing: readonly string[]
}

/** Policies by name, and by scope with their literals. */
export class PolicyTables {
  readonly #byName = new Map<string, Entry>()
  /** Global (under '') and Namespace policies. A namespace is never empty in Kubernetes. */
  readonly #byScope = new Map<string, PolicyGroup>()
  /** What lists of names stand for; forgotten when a selector policy changes. Pods of one kind share their list. */
  #listed = new WeakMap<readonly string[], PolicyGroup>()

  get(name: string): HeldPolicy | undefined {
    return this.#byName.get(name)
  }

  entries(): IterableIterator<readonly [string, HeldPolicy]> {
    return this.#byName.entries()
  }

  put(name: string, held: HeldPolicy): void {
    this.remove(name)
    this.#byName.set(name, { ...held, grouped: this.#group(held.policy) })
    if (held.policy.scope === 'WorkloadSelector') this.#listed = new WeakMap()
  }

  remove(name: string): Authorization | undefined {
    const old = this.#byName.get(name)
    if (old === undefined) return undefined
    const { policy, grouped } = old
    this.#byName.delete(name)
    if (policy.scope === 'WorkloadSelector') this.#listed = new WeakMap()
    grouped?.in.remove(grouped.as)
    const scope = scopeKey(policy)
    if (scope !== undefined && grouped?.in.size === 0) this.#byScope.delete(scope)
    return policy
  }

  inForce({ namespace, authorizationPolicies: names }: Workload): PoliciesInForce {
    const global = this.#byScope.get('')
    // An empty namespace would otherwise take the global policies a second time.
    const own = namespace === '' ? undefined : this.#byScope.get(namespace)
    const listed = names.length === 0 ? undefined : this.#listedBy(names)
    return {
      groups: [global, own, listed].filter((group) => group !== undefined && group.size > 0) as PolicyGroup[],
      missing: names.filter((name) => !this.#byName.has(name)),
    }
  }

  #listedBy(names: readonly string[]): PolicyGroup {
    const known = this.#listed.get(names)
    if (known !== undefined) return known
    // A name listed by a workload attaches a selector policy only; the wider scopes are already in.
    const group = PolicyGroup.of(
      names
        .map((name) => this.#byName.get(name)?.policy)
        .filter((policy): policy is Authorization => policy?.scope === 'WorkloadSelector'),
    )
    this.#listed.set(names, group)
    return group
  }

  #group(policy: Authorization): Entry['grouped'] {
    const scope = scopeKey(policy)
    if (scope === undefined) return undefined
    let group = this.#byScope.get(scope)
    if (group === undefined) {
      group = new PolicyGroup()
      this.#byScope.set(scope, group)
    }
    return { in: group, as: group.add(policy) }
  }
}

function scopeKey({ scope, namespace }: Authorization): string | undefined {
  if (scope === 'Global') return ''
  return scope === 'Namespace' && namespace !== '' ? namespace : undefined
}
