// control-plane.md 2.11: what a policy with targets is told.
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import type { UnitResult } from '../src/index/unit-result.types.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const use = { labels: { 'istio.io/use-waypoint': 'wp' } }
const service = (name: string): object => ({ group: '', kind: 'Service', name })
const gateway = (name: string): object => ({ group: 'gateway.networking.k8s.io', kind: 'Gateway', name })
const gatewayClass = (name: string): object => ({ group: 'gateway.networking.k8s.io', kind: 'GatewayClass', name })
const target = (at: string, ...targetRefs: readonly object[]): KubeObject =>
  make.policy(at, { targetRefs, rules: [{}] })

function conditionOf(mesh: Mesh, key: string): UnitResult['targetCondition'] {
  for (const [unit, result] of mesh.index.results()) if (unit === key) return result.targetCondition
  return undefined
}

const says = test.macro(
  (t, objects: readonly KubeObject[], status: string, reason: string, message: string | RegExp) => {
    const policy = objects.find(({ kind }) => kind === 'AuthorizationPolicy')
    const mesh = Mesh.of(...objects)
    const condition = conditionOf(mesh, `policy/${policy?.metadata.namespace}/${policy?.metadata.name}`)
    t.like(condition, { status, reason })
    if (typeof message === 'string') t.is(condition?.message, message)
    else t.regex(condition?.message ?? '', message)
    t.deepEqual(mesh.names('type.googleapis.com/istio.security.Authorization'), [], 'no proxy of connections gets it')
  },
)

const bound = [make.service('a/s', {}, use), make.gateway('a/wp')]
test('a service with a waypoint', says, [...bound, target('a/p', service('s'))], 'True', 'Accepted', 'bound to a/wp')
test(
  'a service without one',
  says,
  [make.service('a/s'), target('a/p', service('s'))],
  'False',
  'AncestorNotBound',
  'Service a/s is not bound to a waypoint',
)
test(
  'a service whose waypoint is not there',
  says,
  [make.service('a/s', {}, use), target('a/p', service('s'))],
  'False',
  'AncestorNotBound',
  'Service a/s is not bound to a waypoint',
)
test('no such service', says, [target('a/p', service('s'))], 'False', 'TargetNotFound', 'Service a/s was not found')
test(
  'a service of another namespace',
  says,
  [...bound, target('b/p', service('s'))],
  'False',
  'TargetNotFound',
  'Service b/s was not found',
)
test('a gateway', says, [make.gateway('a/wp'), target('a/p', gateway('wp'))], 'True', 'Accepted', 'bound to a/wp')
const elsewhere = make.gateway('a/wp', { spec: { gatewayClassName: 'other' } })
const UNTOLD =
  'Gateway a/wp is of class other, whose controller is not istio.io/mesh-controller: it is not told of the policy'
test('a gateway of another maker', says, [elsewhere, target('a/p', gateway('wp'))], 'False', 'Invalid', UNTOLD)
test(
  'a service behind a waypoint of another maker',
  says,
  [make.service('a/s', {}, use), elsewhere, target('a/p', service('s'))],
  'False',
  'Invalid',
  UNTOLD,
)
test('no such gateway', says, [target('a/p', gateway('wp'))], 'False', 'TargetNotFound', 'Gateway a/wp was not found')
test(
  'a class from elsewhere than the root',
  says,
  [target('a/p', gatewayClass('istio-waypoint'))],
  'False',
  'Invalid',
  /root/,
)
test('a kind that is no target', says, [target('a/p', { kind: 'Pod', name: 'x' })], 'False', 'Invalid', /Pod\.core/)
test('all of several', says, [...bound, target('a/p', service('s'), gateway('wp'))], 'True', 'Accepted', '')
test(
  'some of several',
  says,
  [...bound, target('a/p', service('s'), service('t'))],
  'True',
  'PartiallyInvalid',
  'Invalid targetRefs: Service.core:a/t',
)
test(
  'none of several',
  says,
  [target('a/p', service('s'), gateway('g'))],
  'False',
  'Invalid',
  'Invalid targetRefs: Service.core:a/s, Gateway.gateway.networking.k8s.io:a/g',
)

test('the condition follows its target, the target’s namespace and the waypoint', (t) => {
  const mesh = Mesh.of(target('a/p', service('s')))
  const message = (): string | undefined => conditionOf(mesh, 'policy/a/p')?.message
  t.is(message(), 'Service a/s was not found')
  mesh.apply(make.service('a/s'))
  t.is(message(), 'Service a/s is not bound to a waypoint')
  mesh.apply(make.namespace('a', use))
  t.is(message(), 'Service a/s is not bound to a waypoint')
  mesh.apply(make.gateway('a/wp'))
  t.is(message(), 'bound to a/wp')
  mesh.delete(make.gateway('a/wp'))
  t.is(message(), 'Service a/s is not bound to a waypoint')
  mesh.delete(make.service('a/s'))
  t.is(message(), 'Service a/s was not found')
})

test('the condition follows the class of the gateway', (t) => {
  const ofClass = (controller: string): KubeObject => make.gatewayClass('other', controller)
  const mesh = Mesh.of(make.gateway('a/wp', { spec: { gatewayClassName: 'other' } }), target('a/p', gateway('wp')))
  const reason = (): string | undefined => conditionOf(mesh, 'policy/a/p')?.reason
  t.is(reason(), 'Invalid')
  mesh.apply(ofClass('istio.io/mesh-controller'))
  t.is(reason(), 'Accepted')
  mesh.apply(ofClass('example.org/other'))
  t.is(reason(), 'Invalid')
})

test('an entry whose names only a waypoint can see says that it needs one, until it has one', (t) => {
  const spec = { hosts: ['*.example.org'], resolution: 'DYNAMIC_DNS', ports: [{ number: 80, name: 'http' }] }
  const mesh = Mesh.of(make.serviceEntry('a/se', spec))
  const missing = (): unknown => {
    for (const [unit, result] of mesh.index.results()) if (unit === 'serviceEntry/a/se') return result.waypointMissing
    return undefined
  }
  t.deepEqual(missing(), {
    status: 'True',
    reason: 'NoWaypointForWildcardService',
    message: 'ServiceEntry will not apply until it is bound to a valid waypoint.',
  })
  mesh.apply(make.serviceEntry('a/se', spec, use), make.gateway('a/wp'))
  t.is(missing(), undefined)
})
