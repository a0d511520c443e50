import { TimeSlices } from '@ambit/core'
import { type Authorization, policyKey } from './authorization.types.ts'
import { decodeAuthorization } from './decode-authorization.ts'
import { MAX_RESOURCES_PER_STEP, SLICE_MS } from './limits.ts'
import { PolicyChange } from './policy-change.ts'
import type { PolicyGroup } from './policy-group.ts'
import { type HeldPolicy, type PoliciesInForce, PolicyTables } from './policy-tables.ts'
import type { ReceivedResource, RejectedResource, ResourceChange } from './resources.types.ts'
import type { Workload } from './workload.types.ts'

/** What a verdict needs of a store. */
export interface PolicyLookup {
  /** Policies that may apply to the workload, and the names it lists that are not known here. */
  policiesFor(workload: Workload): CandidatePolicies
}

/** The policies that apply to one workload, until one of any workload changes. */
export class CandidatePolicies {
  /** In the order their policies are asked in, each indexed by what its policies name. */
  readonly groups: readonly PolicyGroup[]
  readonly missing: readonly string[]
  #policies: readonly Authorization[] | undefined
  #allowNames: readonly string[] | undefined

  constructor({ groups, missing }: PoliciesInForce) {
    this.groups = groups
    this.missing = missing
  }

  get policies(): readonly Authorization[] {
    return (this.#policies ??= this.groups.flatMap((group) => group.policies))
  }

  /** Of the ALLOW policies that count; the same list whenever it is asked for. */
  get allowNames(): readonly string[] {
    return (this.#allowNames ??= this.groups.flatMap((group) => group.allowNames))
  }
}

/** L4 authorization policies by the xDS name they came under, indexed by scope and by what they name. */
export class PolicyStore implements PolicyLookup {
  #tables = new PolicyTables()
  #candidates = new WeakMap<Workload, CandidatePolicies>()
  readonly #listeners = new Set<(change: PolicyChange) => void>()

  /**
   * Takes an xDS change for `istio.security.Authorization`. A policy that is refused keeps its last good version; when there
   * is none its strict reading takes the place, so that a restart never opens what was closed.
   */
  apply(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    const noted = new PolicyChange()
    for (const name of change.removed) this.#remove(name, noted)
    for (const resource of change.upserts) {
      const held = heldOf(resource, this.#tables.get(resource.name), rejected)
      if (held !== undefined) this.#put(resource.name, held, noted)
    }
    this.#announce(noted)
    return rejected
  }

  /**
   * As {@link apply}; a large change is read piece by piece while the former policies stay in force, and takes their place in one step.
   * Until it is through, no other change may be given.
   */
  applyInPieces(change: ResourceChange): readonly RejectedResource[] | Promise<readonly RejectedResource[]> {
    const size = change.upserts.length + change.removed.length
    return size <= MAX_RESOURCES_PER_STEP ? this.apply(change) : this.#applyLarge(change)
  }

  /** Takes already decoded policies, as a local file holds them. */
  put(policies: readonly Authorization[]): void {
    const noted = new PolicyChange()
    for (const policy of policies) this.#put(policyKey(policy), { policy, standIn: false }, noted)
    this.#announce(noted)
  }

  /** Called once after every change that altered a policy: connections are to be judged again. */
  subscribe(listener: (change: PolicyChange) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  get(name: string): Authorization | undefined {
    return this.#tables.get(name)?.policy
  }

  *policies(): IterableIterator<Authorization> {
    for (const [, { policy }] of this.#tables.entries()) yield policy
  }

  policiesFor(workload: Workload): CandidatePolicies {
    const known = this.#candidates.get(workload)
    if (known !== undefined) return known
    const candidates = new CandidatePolicies(this.#tables.inForce(workload))
    this.#candidates.set(workload, candidates)
    return candidates
  }

  /** Beside the tables in use, in the order that the one-step way gives: what stays, then what is new. */
  async #applyLarge(change: ResourceChange): Promise<readonly RejectedResource[]> {
    const slices = new TimeSlices(SLICE_MS)
    const rejected: RejectedResource[] = []
    const noted = new PolicyChange()
    const gone = new Set(change.removed)
    const coming = new Map<string, HeldPolicy>()
    for (const resource of change.upserts) {
      const { name } = resource
      const before = coming.get(name) ?? (gone.has(name) ? undefined : this.#tables.get(name))
      const held = heldOf(resource, before, rejected)
      if (held !== undefined) {
        // The last of one name counts, at its place.
        coming.delete(name)
        coming.set(name, held)
      }
      if (slices.isOver) await slices.next()
    }
    const tables = new PolicyTables()
    for (const [name, held] of this.#tables.entries()) {
      if (gone.has(name) || coming.has(name)) noted.note(name, held.policy)
      else tables.put(name, held)
      if (slices.isOver) await slices.next()
    }
    for (const [name, held] of coming) {
      noted.note(name, held.policy)
      tables.put(name, held)
      if (slices.isOver) await slices.next()
    }
    this.#tables = tables
    this.#announce(noted)
    return rejected
  }

  #put(name: string, held: HeldPolicy, noted: PolicyChange): void {
    this.#remove(name, noted)
    this.#tables.put(name, held)
    noted.note(name, held.policy)
  }

  #remove(name: string, noted: PolicyChange): void {
    const old = this.#tables.remove(name)
    if (old !== undefined) noted.note(name, old)
  }

  #announce(change: PolicyChange): void {
    if (change.isEmpty) return
    this.#candidates = new WeakMap()
    for (const listener of [...this.#listeners]) listener(change)
  }
}

/** What is to be held from now on; undefined when that is what is held already. */
function heldOf(
  { name, bytes }: ReceivedResource,
  before: HeldPolicy | undefined,
  rejected: RejectedResource[],
): HeldPolicy | undefined {
  const decoded = decodeAuthorization(bytes)
  if (decoded.ok) return { policy: decoded.value, standIn: false }
  rejected.push({ name, reason: decoded.rejection.message })
  if (decoded.standIn === undefined || (before !== undefined && !before.standIn)) return undefined
  return { policy: decoded.standIn, standIn: true }
}
