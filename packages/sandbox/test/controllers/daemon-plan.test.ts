import test from 'ava'
import { planDaemons } from '../../src/controllers/daemon-plan.ts'
import type { DaemonSet } from '../../src/objects/cluster.types.ts'
import type { Pod } from '../../src/objects/pod.types.ts'

function set(updateStrategy: NonNullable<DaemonSet['spec']['updateStrategy']> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd' },
    spec: { selector: {}, template: { spec: { containers: [] } }, updateStrategy },
  }
}

function pod(name: string, nodeName: string, hash: string, ready = true, deleting = false): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { 'controller-revision-hash': hash },
      ...(deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { nodeName, containers: [] },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

const plan = (of: DaemonSet, pods: Pod[]): { create: readonly string[]; remove: (string | undefined)[] } => {
  const { create, remove } = planDaemons({ set: of, nodes: ['n1', 'n2'], pods, hash: 'new', nowMs: 0 })
  return { create, remove: remove.map(({ metadata }) => metadata.name) }
}

test('every node gets one, misplaced ones go', (t) => {
  t.deepEqual(plan(set(), [pod('a', 'n1', 'new'), pod('x', 'gone', 'new')]), { create: ['n2'], remove: ['x'] })
})

test('an update replaces one at a time by default', (t) => {
  t.deepEqual(plan(set(), [pod('a', 'n1', 'old'), pod('b', 'n2', 'old')]), { create: [], remove: ['a'] })
  t.deepEqual(plan(set(), [pod('a', 'n1', 'old', true, true), pod('b', 'n2', 'old')]), { create: [], remove: [] })
  t.deepEqual(plan(set(), [pod('a', 'n1', 'new', false), pod('b', 'n2', 'old')]), { create: [], remove: [] })
})

test('with surge the new pod comes first and the old one goes when it is available', (t) => {
  const surge = set({ rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } })
  t.deepEqual(plan(surge, [pod('a', 'n1', 'old'), pod('b', 'n2', 'old')]), { create: ['n1'], remove: [] })
  t.deepEqual(plan(surge, [pod('a', 'n1', 'old'), pod('c', 'n1', 'new', false), pod('b', 'n2', 'old')]), {
    create: [],
    remove: [],
  })
  t.deepEqual(plan(surge, [pod('a', 'n1', 'old'), pod('c', 'n1', 'new'), pod('b', 'n2', 'old')]), {
    create: [],
    remove: ['a'],
  })
})

test('OnDelete leaves outdated pods alone', (t) => {
  t.deepEqual(plan(set({ type: 'OnDelete' }), [pod('a', 'n1', 'old'), pod('b', 'n2', 'old')]), {
    create: [],
    remove: [],
  })
})
