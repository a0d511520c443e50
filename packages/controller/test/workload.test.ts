import { workloadpb } from '@ambit/api'
import { ipFromBytes } from '@ambit/core'
import test from 'ava'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const { NetworkMode, TunnelProtocol, WorkloadStatus, WorkloadType } = workloadpb
const POD = 'Kubernetes//Pod/a/x'

/** The pod a/x compiles to a workload with these fields. */
const compiles = test.macro((t, pod: ReturnType<typeof make.pod>, expected: Partial<workloadpb.Workload>) => {
  t.like(Mesh.of(pod).workload(POD), expected)
})

const owned = (kind: string, name: string): { metadata: Record<string, unknown> } => ({
  metadata: {
    generateName: 'x-',
    ownerReferences: [{ apiVersion: 'v1', kind, name, uid: '1', controller: true }],
  },
})

test('a plain pod', compiles, make.pod('a/x'), {
  uid: POD,
  name: 'x',
  namespace: 'a',
  network: '',
  trustDomain: '',
  serviceAccount: 'default',
  node: 'node-a',
  clusterId: 'Kubernetes',
  workloadName: 'x',
  workloadType: WorkloadType.POD,
  canonicalName: 'x',
  canonicalRevision: 'latest',
  status: WorkloadStatus.HEALTHY,
  networkMode: NetworkMode.STANDARD,
  tunnelProtocol: TunnelProtocol.NONE,
  nativeTunnel: false,
})
test('a pod that is not ready is unhealthy', compiles, make.pod('a/x', { ready: false }), {
  status: WorkloadStatus.UNHEALTHY,
})
test(
  'a ready pod being deleted is unhealthy',
  compiles,
  make.pod('a/x', {}, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
  { status: WorkloadStatus.UNHEALTHY },
)
test(
  'a pending pod with an address is published',
  compiles,
  make.pod('a/x', { ready: false, status: { phase: 'Pending' } }),
  {
    status: WorkloadStatus.UNHEALTHY,
  },
)
test('a pod on the host network says so', compiles, make.pod('a/x', { spec: { hostNetwork: true } }), {
  networkMode: NetworkMode.HOST_NETWORK,
})
test(
  'redirection enabled means HBONE',
  compiles,
  make.pod('a/x', {}, { annotations: { 'ambient.istio.io/redirection': 'enabled' } }),
  { tunnelProtocol: TunnelProtocol.HBONE, nativeTunnel: false },
)
test(
  'redirection pending does not',
  compiles,
  make.pod('a/x', {}, { annotations: { 'ambient.istio.io/redirection': 'pending' } }),
  { tunnelProtocol: TunnelProtocol.NONE },
)
test(
  'the tunnel label with http among others means native HBONE',
  compiles,
  make.pod('a/x', {}, { labels: { 'networking.istio.io/tunnel': 'foo,http' } }),
  { tunnelProtocol: TunnelProtocol.HBONE, nativeTunnel: true },
)
test(
  'the tunnel label with another word does not',
  compiles,
  make.pod('a/x', {}, { labels: { 'networking.istio.io/tunnel': 'https' } }),
  { tunnelProtocol: TunnelProtocol.NONE, nativeTunnel: false },
)
test(
  'the pod’s network label wins',
  compiles,
  make.pod('a/x', {}, { labels: { 'topology.istio.io/network': 'east' } }),
  { network: 'east' },
)
test(
  'a Deployment’s pod bears its name',
  compiles,
  make.pod('a/x', {}, { ...owned('ReplicaSet', 'web-7d9f'), labels: { 'pod-template-hash': '7d9f' } }),
  { workloadName: 'web', canonicalName: 'web' },
)
test('a ReplicaSet of its own keeps its name', compiles, make.pod('a/x', {}, owned('ReplicaSet', 'web')), {
  workloadName: 'web',
})
test(
  'a Rollout’s pod bears its name',
  compiles,
  make.pod('a/x', {}, { ...owned('ReplicaSet', 'web-ab1'), labels: { 'rollouts-pod-template-hash': 'ab1' } }),
  { workloadName: 'web' },
)
test('a CronJob’s pod bears its name', compiles, make.pod('a/x', {}, owned('Job', 'nightly-28123456')), {
  workloadName: 'nightly',
})
test('a Job keeps its name', compiles, make.pod('a/x', {}, owned('Job', 'import-1')), { workloadName: 'import-1' })
test('a StatefulSet’s pod bears its name', compiles, make.pod('a/x', {}, owned('StatefulSet', 'db')), {
  workloadName: 'db',
})
test(
  'a DeploymentConfig’s pod bears its name',
  compiles,
  make.pod('a/x', {}, { ...owned('ReplicationController', 'web-3'), labels: { deploymentconfig: 'web' } }),
  { workloadName: 'web' },
)
test(
  'the workload name label wins over the owner',
  compiles,
  make.pod('a/x', {}, { ...owned('StatefulSet', 'db'), labels: { 'service.istio.io/workload-name': 'own' } }),
  { workloadName: 'own' },
)
for (const [label, name] of [
  ['app', 'canonicalName'],
  ['app.kubernetes.io/name', 'canonicalName'],
  ['service.istio.io/canonical-name', 'canonicalName'],
  ['version', 'canonicalRevision'],
  ['app.kubernetes.io/version', 'canonicalRevision'],
  ['service.istio.io/canonical-revision', 'canonicalRevision'],
] as const) {
  test(`${label} is the ${name}`, compiles, make.pod('a/x', {}, { labels: { [label]: 'v' } }), { [name]: 'v' })
}

test('a pod without address or one that has ended is not published', (t) => {
  for (const phase of ['Succeeded', 'Failed']) t.deepEqual(Mesh.of(make.pod('a/x', { status: { phase } })).names(), [])
  t.deepEqual(Mesh.of(make.pod('a/x', { status: { podIP: undefined, podIPs: [] } })).names(), [])
})

test('all addresses are published, and are aliases', (t) => {
  const mesh = Mesh.of(make.pod('a/x', { status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } }))
  t.deepEqual(
    mesh.workload(POD).addresses.map((bytes) => ipFromBytes(bytes)),
    ['10.0.0.1', 'fd00::1'] as never,
  )
  t.is(mesh.workload('/fd00::1').uid, POD)
  t.is(mesh.workload('/10.0.0.1').uid, POD)
})

test('a trust domain other than the default is published', (t) => {
  const mesh = new Mesh({ trustDomain: 'corp.example' }).apply(make.pod('a/x'))
  t.is(mesh.workload(POD).trustDomain, 'corp.example')
})

test('locality is the node’s, unless the pod has one', (t) => {
  const zone = {
    'topology.kubernetes.io/region': 'r',
    'topology.kubernetes.io/zone': 'z',
    'topology.istio.io/subzone': 's',
  }
  const mesh = Mesh.of(make.pod('a/x'))
  t.is(mesh.workload(POD).locality, undefined)
  mesh.apply(make.node('node-a', { labels: zone }))
  t.like(mesh.workload(POD).locality, { region: 'r', zone: 'z', subzone: 's' })
  mesh.apply(make.pod('a/x', {}, { labels: { 'istio-locality': 'r2.z2' } }))
  t.like(mesh.workload(POD).locality, { region: 'r2', zone: 'z2', subzone: '' })
})

const KEY = 'a/s.a.svc.cluster.local'
const ports = (mesh: Mesh): readonly (readonly [number, number])[] | undefined =>
  mesh.workload(POD).services[KEY]?.ports.map(({ servicePort, targetPort }) => [servicePort, targetPort] as const)

test('a pod belongs to the services whose selector its labels satisfy', (t) => {
  const labelled = make.pod('a/x', {}, { labels: { app: 'one', tier: 'db' } })
  t.deepEqual(ports(Mesh.of(labelled, make.service('a/s', { selector: { app: 'one' } }))), [[80, 8080]])
  t.is(ports(Mesh.of(labelled, make.service('a/s', { selector: { app: 'two' } }))), undefined)
  t.is(ports(Mesh.of(labelled, make.service('a/s', { selector: {} }))), undefined, 'an empty selector selects nothing')
  t.is(ports(Mesh.of(labelled, make.service('b/s', { selector: { app: 'one' } }))), undefined, 'nor across namespaces')
  t.is(ports(Mesh.of(labelled, make.service('a/s', { selector: { app: 'one' }, type: 'ExternalName' }))), undefined)
})

test('a named target port is the container’s of that name and protocol, else left out', (t) => {
  const container = {
    ports: [
      { name: 'web', containerPort: 9090 },
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
    ],
  }
  const sidecar = { restartPolicy: 'Always', ports: [{ name: 'side', containerPort: 7070 }] }
  const init = { ports: [{ name: 'init', containerPort: 6060 }] }
  const spec = { containers: [container], initContainers: [sidecar, init] }
  const port = (port: number, targetPort: string): Record<string, unknown> => ({ name: targetPort, port, targetPort })
  const mesh = Mesh.of(
    make.pod('a/x', { spec }, { labels: { app: 'one' } }),
    make.service('a/s', {
      selector: { app: 'one' },
      ports: [port(1, 'web'), port(2, 'side'), port(3, 'init'), port(4, 'dns')],
    }),
  )
  t.deepEqual(ports(mesh), [
    [1, 9090],
    [2, 7070],
  ])
})

test('a slice that names a pod makes it a member of a service without selector', (t) => {
  const endpoint = { addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'x' } }
  const slice = make.slice('a/s-1', 's', {
    ports: [{ name: 'http', port: 7000, protocol: 'TCP' }],
    endpoints: [endpoint],
  })
  const mesh = Mesh.of(make.pod('a/x'), make.service('a/s'), slice)
  t.deepEqual(ports(mesh), [[80, 7000]])
  t.deepEqual(mesh.names(), [POD, KEY])
  mesh.delete(slice)
  t.is(ports(mesh), undefined)
})

test('but not one of the name in another namespace, nor a later one', (t) => {
  const names = (target: object): unknown => {
    const endpoints = [{ addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'x', ...target } }]
    const slice = make.slice('a/s-1', 's', { ports: [{ name: 'http', port: 7000, protocol: 'TCP' }], endpoints })
    const mesh = Mesh.of(make.pod('a/x', {}, { metadata: { uid: 'now' } }), make.service('a/s'), slice)
    t.deepEqual(mesh.names(), [POD, KEY])
    return ports(mesh)
  }
  t.deepEqual(names({ namespace: 'a', uid: 'now' }), [[80, 7000]])
  t.is(names({ namespace: 'b' }), undefined)
  t.is(names({ uid: 'before' }), undefined)
})

test('endpoints that are no pods become workloads with a shared address', (t) => {
  const fields = {
    ports: [
      { name: 'http', port: 7000, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
    endpoints: [{ addresses: ['10.7.0.1'] }, { addresses: ['10.7.0.2'], conditions: { ready: false } }],
  }
  const mesh = Mesh.of(make.service('a/s'), make.slice('a/s-1', 's', fields))
  const uid = 'Kubernetes/discovery.k8s.io/EndpointSlice/a/s-1/10.7.0.1'
  t.like(mesh.workload(uid), { name: 's-1', status: WorkloadStatus.HEALTHY, networkMode: NetworkMode.HOST_NETWORK })
  t.deepEqual(
    mesh.workload(uid).services[KEY]?.ports.map(({ servicePort, targetPort }) => [servicePort, targetPort]),
    [[80, 7000]],
  )
  t.is(mesh.workload(uid.replace(/1$/, '2')).status, WorkloadStatus.UNHEALTHY)
})

test('slices of names and slices of no service are ignored', (t) => {
  const fields = { addressType: 'FQDN', ports: [], endpoints: [{ addresses: ['example.org'] }] }
  t.deepEqual(Mesh.of(make.service('a/s'), make.slice('a/s-1', 's', fields)).names(), [KEY])
})
