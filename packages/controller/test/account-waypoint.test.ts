// control-plane.md 3.2, 11.4: waypoints of Istio 1.18, by service account.
import { TYPE_URLS, type workloadpb } from '@ambit/api'
import { ipFromBytes } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const KEY = 'a/s.a.svc.cluster.local'
const UID = 'Kubernetes//Pod/a/p'
const forAccount = (name: string, account: string, ip = '10.9.0.1', ready = true): KubeObject =>
  make.gateway(
    `a/${name}`,
    { addresses: ready ? [{ type: 'IPAddress', value: ip }] : [] },
    { annotations: { 'istio.io/for-service-account': account } },
  )
const pod = (name: string, account: string, labels: Readonly<Record<string, string>> = { app: 'one' }): KubeObject =>
  make.pod(`a/${name}`, { ip: '10.0.0.9', spec: { serviceAccountName: account } }, { labels })
const service = make.service('a/s', { selector: { app: 'one' } })
const policy = (name: string, gateway: string): KubeObject =>
  make.policy(`a/${name}`, { selector: { matchLabels: { 'istio.io/gateway-name': gateway } }, rules: [{}] })

function bindings(mesh: Mesh): { readonly service: string; readonly pod: string } {
  const said = (address: workloadpb.GatewayAddress | undefined): string => {
    const destination = address?.destination
    if (destination?.case === 'hostname') return destination.value.hostname
    return destination?.case === 'address' ? (ipFromBytes(destination.value.address) ?? '') : 'none'
  }
  return { service: said(mesh.service(KEY).waypoint), pod: said(mesh.workload(UID).waypoint) }
}

const binds = test.macro((t, objects: readonly KubeObject[], expected: { service: string; pod: string }) => {
  t.deepEqual(bindings(Mesh.of(service, ...objects)), expected)
})
const WAYPOINT = { service: '10.9.0.1', pod: '10.9.0.1' }
const DIRECT = { service: 'none', pod: 'none' }
test('its account’s pods and the services that select them', binds, [pod('p', 'x'), forAccount('x', 'x')], WAYPOINT)
test('not another account’s', binds, [pod('p', 'y'), forAccount('x', 'x')], DIRECT)
test(
  'the namespace’s is for the rest',
  binds,
  [pod('p', 'y'), forAccount('x', 'x'), make.gateway('a/namespace')],
  WAYPOINT,
)
test(
  'the account’s own comes first',
  binds,
  [pod('p', 'x'), forAccount('x', 'x', '10.9.0.2'), make.gateway('a/namespace')],
  {
    service: '10.9.0.2',
    pod: '10.9.0.2',
  },
)
test(
  'while it is not ready the namespace’s serves',
  binds,
  [pod('p', 'x'), forAccount('x', 'x', '10.9.0.2', false), make.gateway('a/namespace')],
  WAYPOINT,
)
test(
  'a waypoint of today that happens to be called namespace does not',
  binds,
  [pod('p', 'x'), make.gateway('a/namespace', {}, { labels: { 'istio.io/waypoint-for': 'service' } })],
  DIRECT,
)
test(
  'a service of mixed accounts goes through the one there is',
  binds,
  [pod('p', 'y'), pod('q', 'x'), forAccount('x', 'x')],
  {
    service: '10.9.0.1',
    pod: 'none',
  },
)
test(
  'a service whose pods have different ones is refused until one is chosen',
  binds,
  [pod('p', 'x'), pod('q', 'y'), forAccount('x', 'x'), forAccount('y', 'y', '10.9.0.2')],
  { service: 'waypoint-required.invalid', pod: '10.9.0.1' },
)
test(
  'a label decides over accounts',
  binds,
  [make.namespace('a', { labels: { 'istio.io/use-waypoint': 'none' } }), pod('p', 'x'), forAccount('x', 'x')],
  DIRECT,
)
test(
  'the waypoint’s own pods are not behind it',
  binds,
  [
    pod('p', 'x', { app: 'two', 'gateway.istio.io/managed': 'istio.io-mesh-controller', 'istio.io/gateway-name': 'x' }),
    make.gateway('a/namespace'),
  ],
  DIRECT,
)

test('service and pod are its destinations, with the policies that select it', (t) => {
  const mesh = Mesh.of(service, pod('p', 'x'), forAccount('x', 'x'), policy('viewer', 'x'), policy('other', 'y'))
  for (const name of [KEY, UID]) {
    t.deepEqual(mesh.destination(name)?.audience, ['a/x'])
    t.deepEqual(mesh.destination(name)?.destination.authorizationPolicies, ['a/viewer'])
  }
  t.deepEqual(mesh.requestPolicy('a/viewer')?.audience, ['a/x'])
  t.is(mesh.requestPolicy('a/other'), undefined)
  t.deepEqual(mesh.names(TYPE_URLS.authorization), [], 'ztunnel is not sent them')
})

test('the selector means no waypoint of today', (t) => {
  const use = { labels: { 'istio.io/use-waypoint': 'wp' } }
  const mesh = Mesh.of(make.service('a/s', {}, use), make.gateway('a/wp'), policy('viewer', 'wp'))
  t.deepEqual(mesh.destination(KEY)?.destination.authorizationPolicies, [])
  const [, result] = [...mesh.index.results()].find(([unit]) => unit === 'policy/a/viewer') ?? []
  t.like(result?.targetCondition, { status: 'False', reason: 'Invalid' })
})

test('bindings follow pods, accounts and gateways', (t) => {
  const mesh = Mesh.of(service, pod('p', 'y'), forAccount('x', 'x'))
  t.deepEqual(bindings(mesh), DIRECT)
  mesh.apply(pod('p', 'x'))
  t.deepEqual(bindings(mesh), WAYPOINT)
  mesh.delete(forAccount('x', 'x'))
  t.deepEqual(bindings(mesh), DIRECT)
})
