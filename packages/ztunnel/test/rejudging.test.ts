import { ip, systemClock } from '@ambit/core'
import { type Authorization, EMPTY_MATCH, PolicyStore, type Workload } from '@ambit/state'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import { Connections } from '../src/connections.ts'
import { REJUDGING_SLICE_MS } from '../src/limits.ts'
import { Rejudging } from '../src/rejudging.ts'

const LOCAL = ip('10.0.0.1')
const workload = (uid: string, namespace: string, authorizationPolicies: readonly string[] = []): Workload =>
  ({ uid, namespace, authorizationPolicies }) as unknown as Workload

const denial = (over: Partial<Authorization> = {}): Authorization => ({
  name: 'denial',
  namespace: 'a',
  scope: 'Namespace',
  action: 'Deny',
  dryRun: false,
  rules: [{ clauses: [{ matches: [{ ...EMPTY_MATCH, destinationPorts: [80] }] }] }],
  ...over,
})

/** Connections to workloads, what each was asked, and who was cut. */
function open(policies: PolicyStore, workloads: Workload[], ports: readonly number[] = [80]) {
  const asked: string[] = []
  const cut: string[] = []
  const connections = new Connections({
    policies: {
      policiesFor: (one) => {
        asked.push(one.uid)
        return policies.policiesFor(one)
      },
    },
    currentWorkload: (uid) => workloads.find((one) => one.uid === uid),
    clock: systemClock,
    logger: new RecordingLogger(),
    rejudging: new Rejudging(),
  })
  for (const one of workloads) {
    for (const port of ports) {
      const row = {
        source: { ip: LOCAL, port: 1 },
        originalDestination: undefined,
        actualDestination: { ip: LOCAL, port },
        protocol: 'HBONE' as const,
        bytes: { fromDownstream: 0, toDownstream: 0 },
      }
      const facts = { source: row.source, destination: row.actualDestination, workload: one }
      const tracked = connections.trackInbound(facts, row, () => {
        cut.push(`${one.uid}:${port}`)
        tracked.release()
      })
    }
  }
  policies.subscribe((change) => connections.reevaluate(change))
  return { connections, asked, cut }
}

test('a policy has only connections judged again to which it may apply', (t) => {
  const policies = new PolicyStore()
  const { asked, cut } = open(policies, [workload('w1', 'a'), workload('w2', 'b'), workload('w3', 'b', ['a/listed'])])
  policies.put([denial()])
  t.deepEqual(asked, ['w1'])
  t.deepEqual(cut, ['w1:80'])
  policies.put([denial({ name: 'listed', scope: 'WorkloadSelector' })])
  t.deepEqual(asked, ['w1', 'w3'])
  policies.put([denial({ name: 'global', scope: 'Global' })])
  t.deepEqual(asked, ['w1', 'w3', 'w2'])
  t.deepEqual(cut, ['w1:80', 'w3:80', 'w2:80'])
})

test('a policy that moves to another scope is asked about in both', (t) => {
  const policies = new PolicyStore()
  policies.put([denial({ rules: [] })])
  const { asked } = open(policies, [workload('w1', 'a'), workload('w2', 'b', ['a/denial'])])
  policies.put([denial({ scope: 'WorkloadSelector', rules: [] })])
  t.deepEqual(asked, ['w1', 'w2'])
  policies.apply({ upserts: [], removed: ['a/denial'] })
  t.deepEqual(asked, ['w1', 'w2', 'w2'])
})

test('connections to a workload that is gone are judged whatever the change', (t) => {
  const policies = new PolicyStore()
  const workloads = [workload('w1', 'a')]
  const { cut } = open(policies, workloads)
  workloads.length = 0
  policies.put([denial()])
  t.deepEqual(cut, ['w1:80'])
})

test('a workload that changes has only its own connections judged again', (t) => {
  const policies = new PolicyStore()
  policies.put([denial({ scope: 'WorkloadSelector' })])
  const workloads = [workload('w1', 'a'), workload('w2', 'a')]
  const { connections, asked, cut } = open(policies, workloads)
  workloads[0] = workload('w1', 'a', ['a/denial'])
  connections.reevaluateTo(['other', 'w1'])
  t.deepEqual(asked, ['w1'])
  t.deepEqual(cut, ['w1:80'])
})

test('many connections are judged in pieces, each by what is in force then', async (t) => {
  const rejudging = new Rejudging()
  const judged: number[] = []
  const spin = (): void => {
    const endMs = performance.now() + REJUDGING_SLICE_MS
    while (performance.now() < endMs);
  }
  const entries = [0, 1, 2, 3].map((id) => ({
    judgeAgain: () => {
      judged.push(id)
      spin()
    },
  }))
  rejudging.add(entries)
  t.deepEqual(judged, [0])
  // It has been judged and is to be again; another has ended meanwhile.
  rejudging.add(entries.slice(0, 1))
  if (entries[2] !== undefined) rejudging.drop(entries[2])
  while (judged.length < 4) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(judged, [0, 1, 3, 0])
})
