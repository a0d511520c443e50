import { ip, silentLogger, systemClock } from '../../../packages/core/src/index.ts'
import { PolicyStore, type Workload } from '../../../packages/state/src/index.ts'
import { Connections } from '../../../packages/ztunnel/src/connections.ts'
import { Rejudging } from '../../../packages/ztunnel/src/rejudging.ts'
import { LoopWatch, threadCpuUs } from './loop-watch.ts'
import { clientIpOf, clientOf, policySet } from './policies.ts'

/** What one changed policy cost a node whose connections are open. */
export interface PolicyChangeSample {
  readonly cpuMs: number
  readonly longestCpuMs: number
  readonly cut: number
}

const PODS = 100

/** A policy changes under open connections of a hundred pods in as many namespaces, each with policies of its own. */
export async function measurePolicyChange(
  connections: number,
  policiesPerNamespace: number,
  scope: 'Global' | 'Namespace',
): Promise<PolicyChangeSample> {
  const policies = new PolicyStore()
  const rejudging = new Rejudging()
  const set = policySet({ count: policiesPerNamespace, scope: 'Namespace', action: 'Allow', subject: 'principals' })
  const pods = Array.from({ length: PODS }, (_, pod) => {
    const workload = { uid: `pod-${pod}`, namespace: `ns-${pod}`, authorizationPolicies: [] } as unknown as Workload
    const components = {
      rejudging,
      policies,
      currentWorkload: () => workload,
      clock: systemClock,
      logger: silentLogger,
    }
    return { workload, open: new Connections(components) }
  })
  policies.put(pods.flatMap(({ workload: { namespace } }) => set.map((policy) => ({ ...policy, namespace }))))
  let cut = 0
  for (let i = 0; i < connections; i++) {
    const pod = pods[i % PODS]
    if (pod === undefined) continue
    const about = i % policiesPerNamespace
    const destination = { ip: ip('10.0.1.9'), port: 8080 }
    const source = { ip: ip(clientIpOf(i)), port: 40_000 }
    const tracked = pod.open.trackInbound(
      { source, sourceIdentity: clientOf(about), destination, workload: pod.workload },
      {
        source,
        originalDestination: undefined,
        actualDestination: destination,
        protocol: 'HBONE',
        bytes: { fromDownstream: 0, toDownstream: 0 },
      },
      () => {
        cut++
        tracked.release()
      },
    )
  }
  using _following = policies.subscribe((change) => {
    for (const { open } of pods) open.reevaluate(change)
  })
  const denial = policySet({ count: 1, scope, action: 'Deny', subject: 'principals' }).map((policy) => ({
    ...policy,
    name: 'denial',
    namespace: scope === 'Global' ? policy.namespace : 'ns-0',
  }))
  // The shape of the code that is measured, not of its first run.
  policies.put(denial.map((policy) => ({ ...policy, rules: [] })))
  await turns()
  using watch = new LoopWatch()
  const started = threadCpuUs()
  policies.put(denial)
  await turns()
  return { cpuMs: (threadCpuUs() - started) / 1000, longestCpuMs: watch.longestCpuMs, cut }
}

/** As many turns of the loop as what follows a change may need. */
async function turns(): Promise<void> {
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
}
