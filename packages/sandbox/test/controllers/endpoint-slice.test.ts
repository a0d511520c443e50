import test from 'ava'
import { slicesOf } from '../../src/controllers/endpoint-slices-of.ts'
import type { EndpointSlice, Service } from '../../src/objects/cluster.types.ts'
import type { Pod } from '../../src/objects/pod.types.ts'

function pod(name: string, ip: string, more: { ready?: boolean; deleting?: boolean; port?: number } = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'd',
      uid: name,
      labels: { app: 'a' },
      ...(more.deleting === true ? { deletionTimestamp: 'now' } : {}),
    },
    spec: {
      nodeName: 'ambit-1',
      containers: [{ name: 'c', ports: [{ name: 'web', containerPort: more.port ?? 8080 }] }],
    },
    status: {
      podIPs: [{ ip }, { ip: `fd00::${ip.split('.').at(-1)}` }],
      conditions: [{ type: 'Ready', status: more.ready === false ? 'False' : 'True' }],
    },
  }
}

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'd' },
  spec: { selector: { app: 'a' }, ipFamilies: ['IPv4'], ports: [{ name: 'http', port: 80, targetPort: 'web' }] },
}
const slices = (of: Service, pods: Pod[]): EndpointSlice[] => slicesOf(of, pods)

test('ready, serving and terminating', (t) => {
  const [slice] = slices(service, [
    pod('a', '10.0.0.1'),
    pod('b', '10.0.0.2', { ready: false }),
    pod('c', '10.0.0.3', { deleting: true }),
  ])
  t.deepEqual(
    slice?.endpoints?.map(({ conditions }) => conditions),
    [
      { ready: true, serving: true, terminating: false },
      { ready: false, serving: false, terminating: false },
      { ready: false, serving: true, terminating: true },
    ],
  )
  t.is(slice?.ports?.[0]?.port, 8080)
})

test('pods whose named port differs are in different slices', (t) => {
  const made = slices(service, [pod('a', '10.0.0.1'), pod('b', '10.0.0.2', { port: 9090 })])
  t.deepEqual(
    made.map((slice) => slice.ports?.[0]?.port),
    [8080, 9090],
  )
  t.is(new Set(made.map(({ metadata }) => metadata.name)).size, 2)
})

test('each family has slices of its own, and pods of others are left out', (t) => {
  const dual = { ...service, spec: { ...service.spec, ipFamilies: ['IPv4', 'IPv6'] } }
  const stranger = { ...pod('x', '10.0.0.9'), metadata: { name: 'x', namespace: 'other', labels: { app: 'a' } } }
  const made = slices(dual, [pod('a', '10.0.0.1'), stranger])
  t.deepEqual(
    made.map(({ addressType, endpoints }) => [addressType, endpoints?.[0]?.addresses[0], endpoints?.length]),
    [
      ['IPv4', '10.0.0.1', 1],
      ['IPv6', 'fd00::1', 1],
    ],
  )
})

test('more endpoints than fit go to several slices', (t) => {
  const pods = Array.from({ length: 150 }, (_, i) => pod(`p${String(i).padStart(3, '0')}`, `10.0.1.${i}`))
  t.deepEqual(
    slices(service, pods).map(({ endpoints }) => endpoints?.length),
    [100, 50],
  )
})
