import test from 'ava'
import type { Node } from '../src/objects/cluster.types.ts'
import type { Pod, PodSpec } from '../src/objects/pod.types.ts'
import { chooseNode, fitsNode, tolerates } from '../src/scheduler/fit.ts'

function node(name: string, more: { labels?: Record<string, string>; spec?: Node['spec'] } = {}): Node {
  const status = { conditions: [{ type: 'Ready', status: 'True' }] }
  const labels = { 'kubernetes.io/hostname': name, ...more.labels }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    ...(more.spec === undefined ? {} : { spec: more.spec }),
    status,
  }
}

function pod(name: string, spec: Partial<PodSpec> = {}, owner?: string): Pod {
  const ownerReferences =
    owner === undefined
      ? []
      : [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'd', labels: { app: name }, ownerReferences },
    spec: { containers: [], ...spec },
  }
}

test('pods of one owner spread', (t) => {
  const nodes = [node('n1'), node('n2')]
  const pods = [pod('a', { nodeName: 'n1' }, 'rs'), pod('b', { nodeName: 'n2' }), pod('c', { nodeName: 'n2' })]
  t.deepEqual(chooseNode(pod('x', {}, 'rs'), { nodes, pods }), { node: 'n2' })
  t.deepEqual(chooseNode(pod('x'), { nodes, pods: pods.slice(0, 1) }), { node: 'n2' })
})

test('node selector, affinity by name and taints keep pods away', (t) => {
  t.false(fitsNode({ containers: [], nodeSelector: { disk: 'ssd' } }, node('n1')).fits)
  t.true(fitsNode({ containers: [], nodeSelector: { disk: 'ssd' } }, node('n1', { labels: { disk: 'ssd' } })).fits)
  const byName = (name: string): PodSpec => ({
    containers: [],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }],
        },
      },
    },
  })
  t.true(fitsNode(byName('n1'), node('n1')).fits)
  t.false(fitsNode(byName('n2'), node('n1')).fits)
  const tainted = node('n1', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } })
  t.false(fitsNode({ containers: [] }, tainted).fits)
  t.true(fitsNode({ containers: [], tolerations: [{ operator: 'Exists' }] }, tainted).fits)
  t.false(fitsNode({ containers: [] }, node('n1', { spec: { unschedulable: true } })).fits)
})

test('a toleration needs the same effect, key and value', (t) => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' }
  t.true(tolerates({ key: 'k', operator: 'Equal', value: 'v' }, taint))
  t.false(tolerates({ key: 'k', operator: 'Equal', value: 'w' }, taint))
  t.false(tolerates({ key: 'k', operator: 'Exists', effect: 'NoExecute' }, taint))
})

test('anti-affinity keeps two of a kind on different hosts, and says so when there is no room', (t) => {
  const terms = [{ labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' }]
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } }
  const placed = {
    ...pod('x', { nodeName: 'n1', affinity }),
    metadata: { name: 'x1', namespace: 'd', labels: { app: 'x' } },
  }
  t.deepEqual(chooseNode(pod('x', { affinity }), { nodes: [node('n1'), node('n2')], pods: [placed] }), { node: 'n2' })
  const nowhere = chooseNode(pod('x', { affinity }), { nodes: [node('n1')], pods: [placed] })
  t.deepEqual(nowhere, { reasons: ["node(s) didn't match pod anti-affinity rules"] })
})
