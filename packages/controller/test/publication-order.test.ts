// What proxies and users are told, and in which order, when one change touches more than is compiled at one go.
import { TYPE_URLS } from '@ambit/api'
import type { ResourceTable } from '@ambit/xds'
import test from 'ava'
import { MeshIndex } from '../src/index/mesh-index.ts'
import { MESH, Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const STRICT = { mtls: { mode: 'STRICT' } }
const selected = { selector: { matchLabels: { app: 'x' } } }
const policy = make.policy('a/p', { ...selected, rules: [{}] })
const pods = Array.from({ length: 5 }, (_, i) => make.pod(`a/x${i}`, { ip: `10.0.0.${i}` }, { labels: { app: 'x' } }))
const attached = (mesh: Mesh): number =>
  pods.filter(({ metadata }) => mesh.workload(`Kubernetes//Pod/a/${metadata.name}`).authorizationPolicies.length > 0)
    .length

test('a policy is said to be accepted when all workloads it selects are published', (t) => {
  const mesh = Mesh.of(...pods)
  const said: string[] = []
  mesh.index.onStatus((unit) => said.push(`${unit}: ${attached(mesh)}`))
  mesh.put(policy, true)
  for (const left of [3, 1]) {
    mesh.index.flush(2)
    t.is(mesh.index.pending, left)
    t.deepEqual(said, [])
  }
  mesh.index.flush(2)
  t.deepEqual(said, ['policy/a/p: 5'])
})

test('workloads that came later do not hold up a status', (t) => {
  const mesh = Mesh.of(...pods)
  const said: string[] = []
  mesh.index.onStatus((unit) => said.push(unit))
  mesh.put(policy, true)
  for (let i = 0; said.length === 0; i++) {
    mesh.put(make.pod(`b/y${i}`, { ip: `10.0.1.${2 * i}` }), true)
    mesh.put(make.pod(`b/z${i}`, { ip: `10.0.1.${2 * i + 1}` }), true)
    mesh.index.flush(2)
    t.true(i < 4)
  }
  t.deepEqual(said, ['policy/a/p'])
})

test('a policy goes when no published workload names it', (t) => {
  const mesh = Mesh.of(...pods, policy)
  mesh.put(policy, false)
  mesh.index.flush(2)
  t.is(attached(mesh), 3)
  t.truthy(mesh.policy('a/p'))
  mesh.index.flush(2)
  t.truthy(mesh.policy('a/p'))
  mesh.index.flush(2)
  t.is(attached(mesh), 0)
  t.is(mesh.policy('a/p'), undefined)
})

test('a policy that came back meanwhile stays', (t) => {
  const mesh = Mesh.of(...pods, policy)
  mesh.put(policy, false)
  mesh.index.flush(2)
  mesh.put(policy, true)
  while (mesh.index.pending > 0) mesh.index.flush(2)
  t.truthy(mesh.policy('a/p'))
  t.is(attached(mesh), 5)
})

test('strictness that moves to another policy has no gap', (t) => {
  const updates: string[] = []
  const table: Pick<ResourceTable, 'update'> = {
    update: (typeUrl, { upserts = [], removed = [] }) => {
      for (const { name } of upserts) updates.push(`+${typeUrl} ${name}`)
      for (const name of removed) updates.push(`-${typeUrl} ${name}`)
    },
  }
  const mesh = new Mesh()
  const index = new MeshIndex(MESH, table)
  Object.assign(mesh, { index })
  const exception = make.peerAuthentication('a/x', {
    ...selected,
    ...STRICT,
    portLevelMtls: { 80: { mode: 'DISABLE' } },
  })
  mesh.apply(...pods.slice(0, 1), make.peerAuthentication('istio-system/default', STRICT), exception)
  updates.length = 0
  mesh.delete(exception)
  t.deepEqual(
    updates.filter((update) => !update.includes('static_strict')),
    [`+${TYPE_URLS.address} Kubernetes//Pod/a/x0`, `-${TYPE_URLS.authorization} a/converted_peer_authentication_x`],
  )
})

test('a listener that throws loses neither the batch nor the other statuses', (t) => {
  const mesh = new Mesh()
  const errors: string[] = []
  const said: string[] = []
  mesh.index.onError((unit) => errors.push(unit))
  mesh.index.onStatus((unit) => {
    if (unit === 'policy/a/p') throw new Error('no')
    said.push(unit)
  })
  mesh.apply(policy, make.policy('a/q', { rules: [{}] }), ...pods)
  t.deepEqual(errors, ['policy/a/p'])
  t.deepEqual(said, ['policy/a/q'])
  t.is(attached(mesh), 5)
})

test('a status that was written concerns nobody but its object', (t) => {
  const waypoint = make.gateway('a/wp')
  const service = make.service('a/s', { selector: { app: 'x' } }, { labels: { 'istio.io/use-waypoint': 'wp' } })
  const gatewayClass = make.gatewayClass('istio-waypoint', 'istio.io/mesh-controller')
  const mesh = Mesh.of(...pods, waypoint, service, gatewayClass)
  for (const [object, units] of [
    [waypoint, 0],
    [gatewayClass, 0],
    [service, 1],
  ] as const) {
    mesh.put(object, true)
    t.is(mesh.index.flush(), units, object.kind)
  }
})
