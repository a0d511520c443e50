import type { RejectedResource, ResourceChange } from '../resources.types.ts'
import { decodeSubsetMember, decodeTrafficPolicy } from './decode-traffic-policy.ts'
import type { TrafficPolicy } from './traffic-policy.types.ts'

const NOBODY: ReadonlySet<string> = new Set()

/** How services are treated, and which workloads are in which of their subsets, as the control plane sent it. */
export class TrafficPolicyStore {
  readonly #policies = new Map<string, TrafficPolicy>()
  readonly #subsetsOf = new Map<string, readonly string[]>()
  readonly #members = new Map<string, ReadonlySet<string>>()
  readonly #listeners = new Set<(names: readonly string[]) => void>()

  /** Takes an xDS change for `ambit.waypoint.TrafficPolicy`. One that is refused keeps its last good version; without one it lets none through. */
  applyPolicies(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    const touched: string[] = []
    for (const name of change.removed) if (this.#policies.delete(name)) touched.push(name)
    for (const { name, bytes } of change.upserts) {
      const decoded = decodeTrafficPolicy(bytes)
      if (decoded.ok) {
        this.#policies.set(name, decoded.value)
        touched.push(name)
      } else rejected.push({ name, reason: decoded.rejection.message })
    }
    if (touched.length > 0) for (const listener of [...this.#listeners]) listener(touched)
    return rejected
  }

  /** Takes an xDS change for `ambit.waypoint.SubsetMember`, named by workloads; one that can not be read is in no subset. */
  applyMembers(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    const fresh = new Map<string, Set<string>>()
    for (const uid of change.removed) this.#move(uid, [], fresh)
    for (const { name, bytes } of change.upserts) {
      const decoded = decodeSubsetMember(bytes)
      if (!decoded.ok) rejected.push({ name, reason: decoded.rejection.message })
      this.#move(name, decoded.ok ? decoded.value : [], fresh)
    }
    for (const [subset, members] of fresh) {
      if (members.size === 0) this.#members.delete(subset)
      else this.#members.set(subset, members)
    }
    return rejected
  }

  policy(name: string): TrafficPolicy | undefined {
    return this.#policies.get(name)
  }

  policies(): IterableIterator<[string, TrafficPolicy]> {
    return this.#policies.entries()
  }

  /** Uids of workloads in `traffic-policy/subset`: another set as soon as anything about it changes. */
  members(subset: string): ReadonlySet<string> {
    return this.#members.get(subset) ?? NOBODY
  }

  /** Told the names of policies that changed. */
  subscribe(listener: (names: readonly string[]) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Sets that change are copied once for a whole change. */
  #move(uid: string, subsets: readonly string[], fresh: Map<string, Set<string>>): void {
    const writable = (subset: string): Set<string> => {
      const copied = fresh.get(subset) ?? new Set(this.#members.get(subset))
      fresh.set(subset, copied)
      return copied
    }
    for (const subset of this.#subsetsOf.get(uid) ?? []) writable(subset).delete(uid)
    for (const subset of subsets) writable(subset).add(uid)
    if (subsets.length === 0) this.#subsetsOf.delete(uid)
    else this.#subsetsOf.set(uid, subsets)
  }
}
