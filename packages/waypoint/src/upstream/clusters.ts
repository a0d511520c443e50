import type { EndpointPick } from '@ambit/route'
import { findTreatment, type Service, type TrafficPolicyStore, type Treatment } from '@ambit/state'
import type { Upstream } from '../request.types.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { OutlierDetector } from './outlier-detector.ts'

/** A service's port, or a subset's, as DestinationRules treat it; lives as long as they say the same of it. */
export interface Cluster {
  readonly treatment: Treatment
  /** Undefined: all endpoints of the service. */
  readonly members: ReadonlySet<string> | undefined
  readonly breaker: CircuitBreaker
  readonly outliers: OutlierDetector | undefined
  pick(hashKey: string | undefined): EndpointPick | undefined
}

export type ClusterVerdict =
  | { readonly kind: 'none' }
  | { readonly kind: 'found'; readonly cluster: Cluster }
  /** Named, and not known here. */
  | { readonly kind: 'missing'; readonly message: string }
  | { readonly kind: 'refused'; readonly message: string }

interface Held {
  readonly treatment: Treatment
  readonly breaker: CircuitBreaker
  readonly outliers: OutlierDetector | undefined
  turn: number
}

const UNTREATED = { trafficPolicy: '', subset: '' }

/** What DestinationRules say, with what has to be remembered for it between two requests. */
export class Clusters implements Disposable {
  readonly #policies: TrafficPolicyStore
  readonly #now: () => number
  /** By traffic policy, then subset and port. */
  readonly #held = new Map<string, Map<string, Held>>()
  readonly #subscription: Disposable

  constructor(components: { readonly policies: TrafficPolicyStore; readonly now: () => number }) {
    this.#policies = components.policies
    this.#now = components.now
    this.#subscription = components.policies.subscribe((names) => {
      for (const name of names) this.#held.delete(name)
    })
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  find(to: { readonly service: Service; readonly port: number }, rules: Upstream['rules']): ClusterVerdict {
    const verdict = findTreatment(this.#policies, to, rules ?? UNTREATED)
    if (verdict.kind !== 'found') return verdict
    const { trafficPolicy, subset } = rules ?? UNTREATED
    const { treatment, members } = verdict
    const held = this.#hold(trafficPolicy, `${subset}:${to.port}`, treatment)
    return { kind: 'found', cluster: { ...held.parts, members, pick: (key) => pickOf(held.state, key) } }
  }

  #hold(
    policy: string,
    key: string,
    treatment: Treatment,
  ): { readonly state: Held; readonly parts: Omit<Cluster, 'members' | 'pick'> } {
    let byKey = this.#held.get(policy)
    if (byKey === undefined) this.#held.set(policy, (byKey = new Map()))
    let state = byKey.get(key)
    if (state === undefined) {
      const { outlierDetection } = treatment
      state = {
        treatment,
        breaker: new CircuitBreaker(treatment),
        outliers: outlierDetection && new OutlierDetector(outlierDetection, this.#now),
        turn: 0,
      }
      byKey.set(key, state)
    }
    const { breaker, outliers } = state
    return { state, parts: { treatment, breaker, outliers } }
  }
}

function pickOf(held: Held, hashKey: string | undefined): EndpointPick | undefined {
  if (hashKey !== undefined) return { kind: 'hash', key: hashKey }
  switch (held.treatment.algorithm) {
    case 'round-robin':
      held.turn = (held.turn + 1) % Number.MAX_SAFE_INTEGER
      return { kind: 'round-robin', turn: held.turn }
    case 'random':
      return { kind: 'random' }
    case 'passthrough':
      return { kind: 'passthrough' }
    case 'least-request':
      return undefined
  }
}
