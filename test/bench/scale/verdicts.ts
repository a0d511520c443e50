import { ip } from '../../../packages/core/src/index.ts'
import { authorizeConnection, authorizeRequest, CompiledRequestPolicies } from '../../../packages/policy/src/index.ts'
import {
  type Authorization,
  type HttpAuthorization,
  type HttpPolicySource,
  type PolicyScope,
  PolicyStore,
  policyKey,
  type Workload,
} from '../../../packages/state/src/index.ts'
import { perCallUs } from './per-call.ts'
import { clientIpOf, clientOf, httpPolicySet, NAMESPACE, policySet, type Subject } from './policies.ts'

/** CPU of a verdict and how many policies were looked at for it, by whether one of them is about the client. */
export interface VerdictSample {
  readonly hitUs: number
  readonly missUs: number
  readonly hitLookedAt: number
  readonly missLookedAt: number
}

export interface VerdictCase {
  readonly count: number
  readonly scope: PolicyScope
  readonly action: Authorization['action']
  readonly subject: Subject
}

/** CPU of them. */
export function measureVerdicts(given: VerdictCase, budgetMs: number): VerdictSample {
  const { hit, miss, hitLookedAt, missLookedAt } = verdictCalls(given)
  return { hitUs: perCallUs(hit, budgetMs), missUs: perCallUs(miss, budgetMs), hitLookedAt, missLookedAt }
}

export interface VerdictCalls extends Pick<VerdictSample, 'hitLookedAt' | 'missLookedAt'> {
  readonly hit: (round: number) => void
  readonly miss: (round: number) => void
}

/** Verdicts of connections of one client after another, so that nothing is remembered of the last. */
export function verdictCalls(given: VerdictCase): VerdictCalls {
  const counter = { lookedAt: 0 }
  const policies = policySet(given)
  const workload = destination(given.scope === 'WorkloadSelector' ? policies.map(policyKey) : [])
  const ask = (store: PolicyStore) => {
    const facts = Array.from({ length: 64 }, (_, i) => {
      const about = Math.floor((i * given.count) / 64)
      return { hit: factsOf(about, workload), miss: factsOf(given.count + i, workload) }
    })
    return (kind: 'hit' | 'miss') => (round: number) => {
      const asked = facts[round & 63]
      if (asked === undefined) return
      const { allowed } = authorizeConnection(asked[kind], store)
      const expected = (given.action === 'Allow') === (kind === 'hit')
      if (allowed !== expected) throw new Error(`${kind} of ${given.scope} ${given.action} was allowed: ${allowed}`)
    }
  }
  const timed = ask(storeOf(policies))
  const counted = ask(storeOf(policies.map((policy) => countedPolicy(policy, counter))))
  return {
    hit: timed('hit'),
    miss: timed('miss'),
    hitLookedAt: lookedAt(counted('hit'), counter),
    missLookedAt: lookedAt(counted('miss'), counter),
  }
}

/** The mean over the clients. */
function lookedAt(call: (round: number) => void, counter: { lookedAt: number }): number {
  // The first may prepare what the others use.
  call(0)
  counter.lookedAt = 0
  for (let round = 0; round < 64; round++) call(round)
  return counter.lookedAt / 64
}

function countedPolicy(policy: Authorization, counter: { lookedAt: number }): Authorization {
  const rules = policy.rules.map(({ clauses }) => ({
    get clauses() {
      counter.lookedAt++
      return clauses
    },
  }))
  return { ...policy, rules }
}

function storeOf(policies: readonly Authorization[]): PolicyStore {
  const store = new PolicyStore()
  store.put(policies)
  return store
}

function destination(authorizationPolicies: readonly string[]): Workload {
  return { uid: 'w', namespace: NAMESPACE, authorizationPolicies } as unknown as Workload
}

function factsOf(index: number, workload: Workload) {
  return {
    source: { ip: ip(clientIpOf(index)), port: 40_000 },
    sourceIdentity: clientOf(index),
    destination: { ip: ip('10.0.1.9'), port: 10_000 + index },
    workload,
  }
}

/** A request judged by a waypoint whose destination lists all of the policies. */
export function measureHttpVerdicts(
  count: number,
  action: HttpAuthorization['action'],
  budgetMs: number,
): Pick<VerdictSample, 'hitUs' | 'missUs'> {
  const policies = new Map(httpPolicySet(count, action).map((policy) => [policyKey(policy), policy]))
  const source: HttpPolicySource = {
    get: (name) => policies.get(name),
    subscribe: () => ({ [Symbol.dispose]: () => undefined }),
  }
  using compiled = new CompiledRequestPolicies(source)
  const names = [...policies.keys()]
  const facts = Array.from({ length: 64 }, (_, i) => {
    const about = Math.floor((i * count) / 64)
    return { hit: requestOf(about), miss: requestOf(count + i) }
  })
  const ask = (kind: 'hit' | 'miss') => (round: number) => {
    const asked = facts[round & 63]
    if (asked === undefined) return
    const { allowed } = authorizeRequest(asked[kind], compiled.policiesFor(names))
    if (allowed !== ((action === 'Allow') === (kind === 'hit'))) throw new Error(`${kind} of ${action}: ${allowed}`)
  }
  return { hitUs: perCallUs(ask('hit'), budgetMs), missUs: perCallUs(ask('miss'), budgetMs) }
}

function requestOf(index: number) {
  const clientIp = ip(clientIpOf(index))
  return {
    sourceIdentity: clientOf(index),
    sourceIp: clientIp,
    remoteIp: clientIp,
    destinationIp: ip('10.96.0.1'),
    destinationPort: 80,
    http: {
      method: 'GET',
      path: '/api/things',
      authority: 'web.shop.svc.cluster.local',
      header: () => undefined,
    },
  }
}
