import test from 'ava'
import fc from 'fast-check'
import type { Node, PersistentVolume } from '../src/objects/cluster.types.ts'
import type { Pod, PodSpec } from '../src/objects/pod.types.ts'
import { type Choice, chooseNode, type Surroundings } from '../src/scheduler/choose-node.ts'
import { tolerates } from '../src/scheduler/node-fit.ts'
import { choosePreemption } from '../src/scheduler/preemption.ts'
import { requestsOf } from '../src/scheduler/requests.ts'
import { Snapshot } from '../src/scheduler/snapshot.ts'
import { unschedulableMessage } from '../src/scheduler/unschedulable.ts'

interface More {
  readonly labels?: Record<string, string>
  readonly spec?: Node['spec']
  readonly allocatable?: Record<string, string>
  readonly ready?: boolean
}

function node(name: string, more: More = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...more.labels } },
    ...(more.spec === undefined ? {} : { spec: more.spec }),
    status: {
      conditions: [{ type: 'Ready', status: more.ready === false ? 'False' : 'True' }],
      allocatable: { cpu: '4', memory: '8Gi', pods: '10', ...more.allocatable },
    },
  }
}

function pod(
  name: string,
  spec: Partial<PodSpec> = {},
  more: { owner?: string; labels?: Record<string, string> } = {},
): Pod {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'o', uid: more.owner ?? '', controller: true }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'd',
      uid: name,
      labels: more.labels ?? { app: name },
      ...(more.owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    spec: { containers: [], ...spec },
  }
}

const asking = (requests: Record<string, string>): Partial<PodSpec> => ({
  containers: [{ name: 'c', resources: { requests } }],
})

const ALONE: Surroundings = { namespaceLabels: () => undefined, volumesOf: () => [] }

function choose(
  wanted: Pod,
  nodes: readonly Node[],
  pods: readonly Pod[] = [],
  volumes: readonly PersistentVolume[] = [],
): Choice {
  const snapshot = new Snapshot()
  for (const one of nodes) snapshot.setNode(one)
  for (const one of pods) snapshot.setPod(one)
  return chooseNode(wanted, snapshot.nodes(), {
    namespaceLabels: (name) => ({ team: name === 'd' ? 'ours' : 'theirs' }),
    volumesOf: () => volumes,
  })
}

const told = (choice: Choice, nodes: number): string =>
  'node' in choice ? `placed on ${choice.node}` : unschedulableMessage(nodes, choice.refusals, undefined)

test('pods of one owner spread, and otherwise the emptiest node is taken', (t) => {
  const nodes = [node('n1'), node('n2')]
  const pods = [
    pod('a', { nodeName: 'n1' }, { owner: 'rs' }),
    pod('b', { nodeName: 'n2' }),
    pod('c', { nodeName: 'n2' }),
  ]
  t.deepEqual(choose(pod('x', {}, { owner: 'rs' }), nodes, pods), { node: 'n2' })
  t.deepEqual(choose(pod('x'), nodes, pods), { node: 'n1' })
})

test('node selector, affinity by name, taints and cordons keep pods away', (t) => {
  const selecting = { nodeSelector: { disk: 'ssd' } }
  t.is(
    told(choose(pod('x', selecting), [node('n1')]), 1),
    "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. " +
      'preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  )
  t.deepEqual(choose(pod('x', selecting), [node('n1', { labels: { disk: 'ssd' } })]), { node: 'n1' })
  const nodeSelectorTerms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n2'] }] }]
  const byName = {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  }
  t.deepEqual(choose(pod('x', byName), [node('n1'), node('n2')]), { node: 'n2' })
  const tainted = node('n1', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } })
  const both = [tainted, node('n2', { spec: { unschedulable: true } })]
  t.regex(
    told(choose(pod('x'), both), 2),
    /^0\/2 nodes are available: 1 node\(s\) had untolerated taint \{k: v\}, 1 node\(s\) were unschedulable\. /,
  )
  t.deepEqual(choose(pod('x', { tolerations: [{ key: 'k', operator: 'Exists' }] }), both), { node: 'n1' })
  t.regex(
    told(choose(pod('x'), [node('n1', { ready: false })]), 1),
    /untolerated taint \{node.kubernetes.io\/not-ready: \}/,
  )
  t.is(told(choose(pod('x'), []), 0), 'no nodes available to schedule pods')
})

test('a toleration needs the same effect, key and value', (t) => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' }
  t.true(tolerates({ key: 'k', operator: 'Equal', value: 'v' }, taint))
  t.false(tolerates({ key: 'k', operator: 'Equal', value: 'w' }, taint))
  t.false(tolerates({ key: 'k', operator: 'Exists', effect: 'NoExecute' }, taint))
})

test('what pods ask for counts against a node: processors, memory, ports of the host, places', (t) => {
  const nodes = [node('n1', { allocatable: { cpu: '1' } })]
  const taken = [pod('a', { nodeName: 'n1', ...asking({ cpu: '600m' }) })]
  t.is(
    told(choose(pod('x', asking({ cpu: '500m', memory: '9Gi' })), nodes, taken), 1),
    '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. ' +
      'preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  )
  t.deepEqual(choose(pod('x', asking({ cpu: '400m' })), nodes, taken), { node: 'n1' })
  const ended = { ...taken[0]!, status: { phase: 'Succeeded' } }
  t.deepEqual(choose(pod('x', asking({ cpu: '1' })), nodes, [ended]), { node: 'n1' })
  const port = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] }
  t.regex(told(choose(pod('x', port), nodes, [pod('b', { nodeName: 'n1', ...port })]), 1), /free ports/)
  t.regex(told(choose(pod('x'), [node('n1', { allocatable: { pods: '1' } })], taken), 1), /1 Too many pods/)
})

test('a pod asks for its containers together, or for its greatest init container beside the sidecars', (t) => {
  const container = (cpu: string, more = {}): PodSpec['containers'][number] => ({
    name: cpu,
    resources: { requests: { cpu } },
    ...more,
  })
  const cpu = (spec: PodSpec): number | undefined => requestsOf(spec).get('cpu')
  t.is(cpu({ containers: [container('1'), container('500m')] }), 1.5)
  t.is(cpu({ containers: [container('1')], initContainers: [container('3'), container('2')] }), 3)
  const sidecar = container('1', { restartPolicy: 'Always' })
  t.is(cpu({ containers: [container('1')], initContainers: [sidecar, container('2')] }), 3)
  t.is(cpu({ containers: [container('4')], initContainers: [sidecar, container('2')] }), 5)
})

test('pods are kept apart and together by what runs where, both ways and across namespaces', (t) => {
  const term = { labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' }
  const rules = { requiredDuringSchedulingIgnoredDuringExecution: [term] }
  const apart = { affinity: { podAntiAffinity: rules } }
  const together = { affinity: { podAffinity: rules } }
  const nodes = [node('n1'), node('n2')]
  const there = pod('x', { nodeName: 'n1' })
  t.deepEqual(choose(pod('y', apart), nodes, [there]), { node: 'n2' })
  t.deepEqual(choose(pod('y', together), nodes, [there, pod('z', { nodeName: 'n1' })]), { node: 'n1' })
  t.regex(told(choose(pod('y', apart), nodes.slice(0, 1), [there]), 1), /didn't match pod anti-affinity rules/)
  t.regex(told(choose(pod('y', together), nodes), 2), /2 node\(s\) didn't match pod affinity rules/)
  t.true('node' in choose(pod('x', together), nodes))
  const loner = pod('y', { ...apart, nodeName: 'n1' })
  t.regex(told(choose(pod('x'), nodes.slice(0, 1), [loner]), 1), /didn't satisfy existing pods anti-affinity rules/)
  const elsewhere = { ...there, metadata: { ...there.metadata, namespace: 'other' } }
  t.true('node' in choose(pod('y', apart), nodes.slice(0, 1), [elsewhere]))
  const everywhere = { ...term, namespaceSelector: { matchLabels: { team: 'theirs' } } }
  const wide = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [everywhere] } } }
  t.true('refusals' in choose(pod('y', wide), nodes.slice(0, 1), [elsewhere]))
})

test('wishes decide among nodes that fit', (t) => {
  const nodes = [node('n1'), node('n2', { labels: { disk: 'ssd' } })]
  const preference = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] }
  const ssd = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference }] }
  t.deepEqual(choose(pod('x', { affinity: { nodeAffinity: ssd } }), nodes, [pod('a', { nodeName: 'n2' })]), {
    node: 'n2',
  })
  const podAffinityTerm = { labelSelector: { matchLabels: { app: 'a' } }, topologyKey: 'kubernetes.io/hostname' }
  const away = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm }] }
  t.deepEqual(choose(pod('x', { affinity: { podAntiAffinity: away } }), nodes, [pod('a', { nodeName: 'n1' })]), {
    node: 'n2',
  })
  const soft = node('n1', { spec: { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] } })
  t.deepEqual(choose(pod('x'), [soft, node('n2')], [pod('a', { nodeName: 'n2' })]), { node: 'n2' })
})

test('topology spread: no domain gets ahead of the emptiest by more than the skew', (t) => {
  const constraint = {
    maxSkew: 1,
    topologyKey: 'zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app: 'x' } },
  }
  const topologySpreadConstraints = [constraint]
  const zoned = (name: string, zone: string, more = {}): Node => node(name, { labels: { zone }, ...more })
  const spread = pod('new', { topologySpreadConstraints }, { labels: { app: 'x' } })
  const there = [pod('a', { nodeName: 'n1' }, { labels: { app: 'x' } })]
  t.deepEqual(choose(spread, [zoned('n1', 'a'), zoned('n2', 'b')], there), { node: 'n2' })
  const full = zoned('n2', 'b', { spec: { unschedulable: true } })
  t.regex(
    told(choose(spread, [zoned('n1', 'a'), full, node('n3')], there), 3),
    /1 node\(s\) didn't match pod topology spread constraints, 1 node\(s\) didn't match pod topology spread constraints \(missing required label\), 1 node\(s\) were unschedulable\./,
  )
})

test('whatever fits is placed so that nothing is given twice', (t) => {
  const size = fc.record({ cpu: fc.integer({ min: 1, max: 30 }), memory: fc.integer({ min: 1, max: 30 }) })
  fc.assert(
    fc.property(fc.array(size, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (sizes, count) => {
      const snapshot = new Snapshot()
      const allocatable = { cpu: '5', memory: '50Mi', pods: '8' }
      for (let i = 0; i < count; i++) snapshot.setNode(node(`n${i}`, { allocatable }))
      sizes.forEach(({ cpu, memory }, i) => {
        const wanted = pod(`p${i}`, asking({ cpu: `${cpu}00m`, memory: `${memory}Mi` }))
        const choice = chooseNode(wanted, snapshot.nodes(), ALONE)
        if ('node' in choice) snapshot.setPod({ ...wanted, spec: { ...wanted.spec, nodeName: choice.node } })
      })
      return snapshot
        .nodes()
        .every(
          ({ pods, requested }) =>
            pods.size <= 8 && (requested.get('cpu') ?? 0) <= 5.0001 && (requested.get('memory') ?? 0) <= 50 * 2 ** 20,
        )
    }),
  )
  t.pass()
})

test('room is made by ending as few and as unimportant pods as it takes, protected ones last', (t) => {
  const small = { allocatable: { cpu: '2' } }
  const running = (name: string, on: string, cpu: string, priority: number): Pod =>
    pod(name, { nodeName: on, priority, ...asking({ cpu }) })
  const preempt = (
    wanted: Pod,
    nodes: readonly Node[],
    pods: readonly Pod[],
    guarded: readonly string[] = [],
  ): [string | undefined, string[]] => {
    const snapshot = new Snapshot()
    for (const one of nodes) snapshot.setNode(one)
    for (const one of pods) snapshot.setPod(one)
    const isProtected = ({ metadata }: Pod): boolean => guarded.includes(metadata.name ?? '')
    const chosen = choosePreemption(wanted, snapshot.nodes(), ALONE, isProtected)
    return [chosen?.node, (chosen?.victims ?? []).map(({ metadata }) => metadata.name ?? '')]
  }
  const nodes = [node('n1', small), node('n2', small)]
  const urgent = (cpu: string): Pod => pod('x', { priority: 100, ...asking({ cpu }) })
  const pods = [
    running('a', 'n1', '1', 1),
    running('b', 'n1', '1', 5),
    running('c', 'n2', '500m', 1),
    running('d', 'n2', '1500m', 50),
  ]
  t.deepEqual(preempt(urgent('1'), nodes, pods), ['n1', ['a']])
  t.deepEqual(preempt(urgent('1'), nodes, pods, ['a']), ['n1', ['b']])
  t.deepEqual(preempt(urgent('500m'), nodes, pods, ['a', 'b']), ['n2', ['c']])
  t.deepEqual(preempt(urgent('3'), nodes, pods), [undefined, []])
  t.deepEqual(preempt(pod('x', { priority: 1, ...asking({ cpu: '1' }) }), nodes, pods), [undefined, []])
  const cordoned = [node('n1', { ...small, spec: { unschedulable: true } })]
  t.deepEqual(preempt(urgent('1'), cordoned, pods), [undefined, []])
})

test('a volume that only some nodes reach decides among them', (t) => {
  const nodeSelectorTerms = [{ matchExpressions: [{ key: 'disk', operator: 'In', values: ['here'] }] }]
  const volume: PersistentVolume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'v' },
    spec: { local: { path: '/x' }, nodeAffinity: { required: { nodeSelectorTerms } } },
  }
  const nodes = [node('n1'), node('n2', { labels: { disk: 'here' } })]
  t.deepEqual(choose(pod('x'), nodes, [], [volume]), { node: 'n2' })
  t.regex(
    told(choose(pod('x'), nodes.slice(0, 1), [], [volume]), 1),
    /1 node\(s\) had volume node affinity conflict\. .*not helpful/,
  )
})
