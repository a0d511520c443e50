import { type Authorization, policyKey } from './authorization.types.ts'
import type { Workload } from './workload.types.ts'

/** Which workloads may be judged differently since. */
export class PolicyChange {
  readonly #namespaces = new Set<string>()
  /** Selector policies, by the names workloads list them under. */
  readonly #names = new Set<string>()
  #everywhere = false
  #isEmpty = true

  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** Notes that a policy came or went under the name. */
  note(name: string, policy: Authorization): void {
    this.#isEmpty = false
    switch (policy.scope) {
      case 'Global':
        this.#everywhere = true
        break
      case 'Namespace':
        this.#namespaces.add(policy.namespace)
        break
      case 'WorkloadSelector':
        this.#names.add(name)
        this.#names.add(policyKey(policy))
        break
    }
  }

  affects({ namespace, authorizationPolicies }: Workload): boolean {
    if (this.#everywhere || this.#namespaces.has(namespace)) return true
    return this.#names.size > 0 && authorizationPolicies.some((name) => this.#names.has(name))
  }
}
