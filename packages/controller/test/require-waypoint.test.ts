import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const KEY = 'a/s.a.svc.cluster.local'
const USE = { 'istio.io/use-waypoint': 'wp' }
const REQUIRE = { 'ambit.dev/require-waypoint': 'true' }

const published = test.macro(
  (
    t,
    objects: readonly KubeObject[],
    labels: Readonly<Record<string, string>>,
    expected: { hostname?: string | undefined; reason?: string },
  ) => {
    const mesh = Mesh.of(make.service('a/s', {}, { labels }), ...objects)
    const destination = mesh.service(KEY).waypoint?.destination
    t.is(destination?.case === 'hostname' ? destination.value.hostname : destination?.case, expected.hostname)
    if (destination?.case === 'hostname') t.is(destination.value.namespace, 'istio-system')
    const [, result] = [...mesh.index.results()].find(([unit]) => unit === 'service/a/s') ?? []
    t.is(result?.withoutWaypoint?.reason, expected.reason)
  },
)

const refused = { hostname: 'waypoint-required.invalid', reason: 'TrafficRefused' }
const direct = { reason: 'TrafficBypassesWaypoint' }
test('nobody asked, nobody requires', published, [], {}, {})
test('asked for and not there: direct, with a warning', published, [], USE, direct)
test('required and not there', published, [], { ...USE, ...REQUIRE }, refused)
test('required and none named', published, [], REQUIRE, refused)
test('required and declined', published, [], { 'istio.io/use-waypoint': 'none', ...REQUIRE }, refused)
test('required and there', published, [make.gateway('a/wp')], { ...USE, ...REQUIRE }, { hostname: 'address' })
test(
  'required and for something else',
  published,
  [make.gateway('a/wp', {}, { labels: { 'istio.io/waypoint-for': 'workload' } })],
  { ...USE, ...REQUIRE },
  refused,
)
test('required by the namespace', published, [make.namespace('a', { labels: REQUIRE })], USE, refused)
test(
  'required by the namespace, not by the service',
  published,
  [make.namespace('a', { labels: REQUIRE })],
  { ...USE, 'ambit.dev/require-waypoint': 'false' },
  direct,
)
test('a word that is no boolean requires', published, [], { ...USE, 'ambit.dev/require-waypoint': 'yes' }, refused)
test(
  'the waypoint’s own service needs none',
  published,
  [make.namespace('a', { labels: REQUIRE })],
  { 'gateway.istio.io/managed': 'istio.io-mesh-controller' },
  {},
)

test('of pods only those that ask themselves', (t) => {
  const mesh = Mesh.of(
    make.namespace('a', { labels: { ...USE, ...REQUIRE } }),
    make.pod('a/p'),
    make.pod('a/q', { ip: '10.0.0.2' }, { labels: USE }),
  )
  t.is(mesh.workload('Kubernetes//Pod/a/p').waypoint, undefined)
  t.is(mesh.workload('Kubernetes//Pod/a/q').waypoint?.destination.case, 'hostname')
})
