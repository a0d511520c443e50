import type { workloadpb } from '@ambit/api'
import { ipFromBytes } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import { waypointCondition } from '../src/status/waypoint-condition.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const KEY = 'a/s.a.svc.cluster.local'
const use = (name: string, namespace?: string): make.Extra => ({
  labels: {
    'istio.io/use-waypoint': name,
    ...(namespace === undefined ? {} : { 'istio.io/use-waypoint-namespace': namespace }),
  },
})
const described = (address: workloadpb.GatewayAddress | undefined): string | undefined => {
  const destination = address?.destination
  if (destination?.case === 'hostname') return destination.value.hostname
  return destination?.case === 'address' ? ipFromBytes(destination.value.address) : undefined
}
const allowing = (from: string, more: Record<string, unknown> = {}): { spec: Record<string, unknown> } => ({
  spec: {
    listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes: { namespaces: { from, ...more } } }],
  },
})

/** The service a/s is bound to a waypoint, or its status says why not. */
const binds = test.macro(
  (t, objects: readonly KubeObject[], expected: { address?: string; reason?: string; message?: string }) => {
    const mesh = Mesh.of(...objects)
    t.is(described(mesh.service(KEY).waypoint), expected.address)
    const result = [...mesh.index.results()].find(([unit]) => unit === 'service/a/s')?.[1]
    const condition = waypointCondition(result?.waypoint, { used: result?.ingressUsesWaypoint ?? false })
    t.is(condition?.reason, expected.reason)
    if (expected.message !== undefined) t.is(condition?.message, expected.message)
  },
)

const ready = { address: '10.9.0.1', reason: 'WaypointAccepted' }
test('nobody asked', binds, [make.service('a/s'), make.gateway('a/wp')], {})
test('the service asks', binds, [make.service('a/s', {}, use('wp')), make.gateway('a/wp')], {
  ...ready,
  message:
    'Successfully attached to waypoint a/wp. Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label to true if desired.',
})
test('the namespace asks', binds, [make.namespace('a', use('wp')), make.service('a/s'), make.gateway('a/wp')], ready)
test(
  'the service declines',
  binds,
  [make.namespace('a', use('wp')), make.service('a/s', {}, use('none')), make.gateway('a/wp')],
  {},
)
test(
  'a waypoint asked for by name but missing does not fall back',
  binds,
  [make.namespace('a', use('wp')), make.service('a/s', {}, use('other')), make.gateway('a/wp')],
  { reason: 'WaypointIsNotReady', message: 'waypoint "a/other" is not ready' },
)
test(
  'a gateway without addresses is not ready',
  binds,
  [make.service('a/s', {}, use('wp')), make.gateway('a/wp', { addresses: [] })],
  { reason: 'WaypointIsNotReady' },
)
test(
  'addresses without a type are ignored',
  binds,
  [make.service('a/s', {}, use('wp')), make.gateway('a/wp', { addresses: [{ value: '10.9.0.1' }] })],
  { reason: 'WaypointIsNotReady' },
)
test(
  'a hostname wins over an address',
  binds,
  [
    make.service('a/s', {}, use('wp')),
    make.gateway('a/wp', {
      addresses: [
        { type: 'IPAddress', value: '10.9.0.1' },
        { type: 'Hostname', value: 'wp.example' },
      ],
    }),
  ],
  { address: 'wp.example', reason: 'WaypointAccepted' },
)
test(
  'a waypoint for workloads does not take services',
  binds,
  [make.service('a/s', {}, use('wp')), make.gateway('a/wp', {}, { labels: { 'istio.io/waypoint-for': 'workload' } })],
  {
    reason: 'UnsupportedTrafficType',
    message: 'attempting to bind to traffic type "service" which the waypoint "a/wp" does not support',
  },
)
test(
  'another namespace’s waypoint must allow it',
  binds,
  [make.service('a/s', {}, use('wp', 'b')), make.gateway('b/wp')],
  {
    reason: 'AttachmentDenied',
    message: 'we are not permitted to attach to waypoint "b/wp" (missing allowedRoutes?)',
  },
)
test('and may', binds, [make.service('a/s', {}, use('wp', 'b')), make.gateway('b/wp', allowing('All'))], ready)
test(
  'by labels of the namespace',
  binds,
  [
    make.namespace('a', { labels: { team: 'x' } }),
    make.service('a/s', {}, use('wp', 'b')),
    make.gateway('b/wp', allowing('Selector', { selector: { matchLabels: { team: 'x' } } })),
  ],
  ready,
)
const bySelector = (selector: object | undefined): readonly KubeObject[] => [
  make.namespace('a', { labels: { team: 'x' } }),
  make.service('a/s', {}, use('wp', 'b')),
  make.gateway('b/wp', allowing('Selector', { selector })),
]
const teams = (operator: string, ...values: readonly string[]): object => ({
  matchExpressions: [{ key: 'team', operator, values }],
})
const denied = { reason: 'AttachmentDenied' }
test('by an expression', binds, bySelector(teams('In', 'x', 'y')), ready)
test('by an expression that does not hold', binds, bySelector(teams('NotIn', 'x')), denied)
test('an expression nobody knows lets nobody in', binds, bySelector(teams('Like', 'x')), denied)
test('no selector lets nobody in', binds, bySelector(undefined), denied)
test('an empty selector lets all in', binds, bySelector({}), ready)
test(
  'a service that selects pods of a gateway of ours has none',
  binds,
  [
    make.service('a/s', { selector: { 'gateway.istio.io/managed': 'istio.io-mesh-controller' } }, use('wp')),
    make.gateway('a/wp'),
  ],
  {},
)

test('a pod is behind a waypoint for workloads, but the waypoint’s own pods are not', (t) => {
  const forAll = make.gateway('a/wp', {}, { labels: { 'istio.io/waypoint-for': 'all' } })
  const own = make.pod('a/wp-1', { ip: '10.0.0.2' }, { labels: { 'gateway.networking.k8s.io/gateway-name': 'wp' } })
  const mesh = Mesh.of(make.namespace('a', use('wp')), forAll, make.pod('a/x'), own)
  t.is(described(mesh.workload('Kubernetes//Pod/a/x').waypoint), '10.9.0.1')
  t.is(mesh.workload('Kubernetes//Pod/a/wp-1').waypoint, undefined)
})

test('a WorkloadEntry complains of a waypoint for services only when it asked itself', (t) => {
  const reason = (extra: make.Extra): string | undefined => {
    const mesh = Mesh.of(
      make.namespace('a', use('wp')),
      make.gateway('a/wp'),
      make.workloadEntry('a/e', { address: '10.3.0.1' }, extra),
    )
    const result = [...mesh.index.results()].find(([unit]) => unit === 'workloadEntry/a/e')?.[1]
    return waypointCondition(result?.waypoint, undefined)?.reason
  }
  t.is(reason({}), undefined)
  t.is(reason(use('wp')), 'UnsupportedTrafficType')
})

test('a gateway that leaves the tunnel to ztunnel says so on its pods', (t) => {
  const bound = make.gateway(
    'a/wp',
    {},
    { annotations: { 'ambient.istio.io/waypoint-inbound-binding': 'PROXY/15088' } },
  )
  const own = make.pod('a/wp-1', {}, { labels: { 'gateway.networking.k8s.io/gateway-name': 'wp' } })
  t.like(Mesh.of(bound, own).workload('Kubernetes//Pod/a/wp-1').applicationTunnel, { protocol: 1, port: 15088 })
})

test('a gateway that gets its address later binds then', (t) => {
  const mesh = Mesh.of(make.service('a/s', {}, use('wp')), make.gateway('a/wp', { addresses: [] }))
  mesh.apply(make.gateway('a/wp'))
  t.is(described(mesh.service(KEY).waypoint), '10.9.0.1')
})
