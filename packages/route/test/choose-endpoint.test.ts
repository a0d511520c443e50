import { workloadpb } from '@ambit/api'
import { type Clock, ip, ipToBytes, systemClock } from '@ambit/core'
import { type Service, type Workload, WorkloadStore } from '@ambit/state'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { chooseEndpoint, type EndpointRequest } from '../src/index.ts'
import { chances } from './helpers.ts'

type WorkloadInit = MessageInitShape<typeof workloadpb.WorkloadSchema>
type ServiceInit = MessageInitShape<typeof workloadpb.ServiceSchema>

const CLOCK: Clock = systemClock
const KEY = 'shop/cart'
const bytes = (text: string) => ipToBytes(ip(text))

function encode(type: workloadpb.Address['type'], name: string) {
  return { name, bytes: toBinary(workloadpb.AddressSchema, create(workloadpb.AddressSchema, { type })) }
}

function pod(name: string, address: string, over: WorkloadInit = {}): WorkloadInit {
  return {
    uid: name,
    name,
    namespace: 'shop',
    serviceAccount: name,
    addresses: [bytes(address)],
    tunnelProtocol: 1,
    services: { [KEY]: { ports: [{ servicePort: 80, targetPort: 8080 }] } },
    ...over,
  }
}

const here = { region: 'r', zone: 'z' }
const there = { region: 'r', zone: 'y' }

function podResource(init: WorkloadInit) {
  const value = create(workloadpb.WorkloadSchema, init)
  return encode({ case: 'workload', value }, value.uid)
}

function meshOf(pods: readonly WorkloadInit[], over: ServiceInit = {}) {
  const store = new WorkloadStore({ clock: CLOCK })
  const service = create(workloadpb.ServiceSchema, {
    name: 'cart',
    namespace: 'shop',
    hostname: 'cart',
    addresses: [{ address: bytes('10.96.0.1') }],
    ports: [{ servicePort: 80, targetPort: 8080 }],
    ...over,
  })
  const waypoint = pod('waypoint', '10.0.9.9', { services: {}, locality: { region: 'r', zone: 'z' }, node: 'n' })
  const rejected = store.apply({
    upserts: [encode({ case: 'service', value: service }, KEY), ...[waypoint, ...pods].map(podResource)],
    removed: [],
  })
  if (rejected.length > 0) throw new Error(JSON.stringify(rejected))
  return { store, service: store.service(KEY) as Service, source: store.workload('waypoint') as Workload }
}

function choose(mesh: ReturnType<typeof meshOf>, over: Partial<EndpointRequest> = {}) {
  return chooseEndpoint(mesh.store, {
    source: mesh.source,
    service: mesh.service,
    servicePort: 80,
    target: { ip: ip('10.96.0.1'), port: 80 },
    isAddressed: true,
    activeRequests: () => 0,
    tried: new Set(),
    random: chances(),
    ...over,
  })
}

function counts(mesh: ReturnType<typeof meshOf>, over: Partial<EndpointRequest> = {}): Record<string, number> {
  const random = chances()
  const found: Record<string, number> = {}
  for (let draw = 0; draw < 4_000; draw++) {
    const choice = choose(mesh, { random, ...over })
    const name = choice.kind === 'direct' ? choice.workload.name : choice.kind
    found[name] = (found[name] ?? 0) + 1
  }
  return found
}

const near = (value: number | undefined, want: number) => Math.abs((value ?? 0) - want) < 200

test('a captured pod is reached by its tunnel, another one straight', (t) => {
  const inside = choose(meshOf([pod('a', '10.0.0.1')]))
  t.like(inside, { kind: 'direct', protocol: 'HBONE', to: { ip: '10.0.0.1', port: 15_008 } })
  t.like(inside, { authority: { ip: '10.0.0.1', port: 8080 }, expected: [{ serviceAccount: 'a' }] })
  const outside = choose(meshOf([pod('a', '10.0.0.1', { tunnelProtocol: 0 })]))
  t.like(outside, { kind: 'direct', protocol: 'TCP', to: { ip: '10.0.0.1', port: 8080 } })
})

test('every change of an endpoint counts from the next choice on', (t) => {
  const mesh = meshOf([pod('a', '10.0.0.1'), pod('b', '10.0.0.2')])
  const change = (upserts: readonly WorkloadInit[], removed: readonly string[] = []) => {
    mesh.store.apply({ upserts: upserts.map(podResource), removed })
    return counts(mesh)
  }
  t.true(near(counts(mesh)['a'], 2_000))
  t.true(near(change([pod('a', '10.0.0.1', { capacity: 3 })])['a'], 3_000))
  t.deepEqual(change([pod('a', '10.0.0.1', { status: 1 })]), { b: 4_000 })
  t.deepEqual(change([pod('a', '10.0.0.1'), pod('b', '10.0.0.2', { network: 'other' })]), { a: 4_000 })
  t.deepEqual(change([pod('a', '10.0.0.1', { services: {} }), pod('b', '10.0.0.2')]), { b: 4_000 })
  t.deepEqual(change([pod('c', '10.0.0.3')], ['a', 'b']), { c: 4_000 })
  t.deepEqual(change([], ['c']), { refused: 4_000 })
})

test('a change of the service or of the waypoint counts too', (t) => {
  const pods = [pod('near', '10.0.0.1', { locality: here }), pod('next', '10.0.0.2', { locality: there })]
  const mesh = meshOf(pods)
  t.is(Object.keys(counts(mesh)).length, 2)
  const zonal = {
    ...mesh.service,
    loadBalancing: { ...mesh.service.loadBalancing, mode: 'Failover' as const, routingPreferences: ['Zone' as const] },
  }
  t.deepEqual(counts(mesh, { service: zonal }), { near: 4_000 })
  const moved = { ...mesh.source, locality: { ...there, subzone: '' } }
  t.deepEqual(counts(mesh, { service: zonal, source: moved }), { next: 4_000 })
  t.is(Object.keys(counts(mesh)).length, 2)
})

test('never by way of another waypoint', (t) => {
  const waypoint = { destination: { case: 'hostname' as const, value: { namespace: 'shop', hostname: 'w' } } }
  const mesh = meshOf([pod('a', '10.0.0.1', { waypoint })], { waypoint })
  t.is(choose(mesh).kind, 'direct')
})

test('equal endpoints that are idle get equal shares', (t) => {
  const found = counts(meshOf([pod('a', '10.0.0.1'), pod('b', '10.0.0.2'), pod('c', '10.0.0.3'), pod('d', '10.0.0.4')]))
  for (const name of ['a', 'b', 'c', 'd']) t.true(near(found[name], 1_000), JSON.stringify(found))
})

test('capacity is the share of an idle endpoint; without any it gets nothing', (t) => {
  const found = counts(
    meshOf([
      pod('a', '10.0.0.1', { capacity: 1 }),
      pod('b', '10.0.0.2', { capacity: 3 }),
      pod('c', '10.0.0.3', { capacity: 0 }),
    ]),
  )
  t.true(near(found['a'], 1_000) && near(found['b'], 3_000) && found['c'] === undefined, JSON.stringify(found))
  t.is(choose(meshOf([pod('c', '10.0.0.3', { capacity: 0 })])).kind, 'refused')
})

test('of two endpoints the less busy one, by capacity', (t) => {
  const mesh = meshOf([pod('a', '10.0.0.1'), pod('b', '10.0.0.2')])
  t.deepEqual(counts(mesh, { activeRequests: (uid) => (uid === 'a' ? 1 : 0) }), { b: 4_000 })
  const large = meshOf([pod('a', '10.0.0.1', { capacity: 10 }), pod('b', '10.0.0.2')])
  t.deepEqual(counts(large, { activeRequests: (uid) => (uid === 'a' ? 9 : 1) }), { a: 4_000 })
})

test('the busiest of many gets nothing while all others are less busy', (t) => {
  const mesh = meshOf(Array.from({ length: 10 }, (_, index) => pod(`p${index}`, `10.0.0.${index}`)))
  const found = counts(mesh, { activeRequests: (uid) => (uid === 'p0' ? 5 : 4) })
  t.is(found['p0'], undefined)
  t.is(Object.keys(found).length, 9)
})

test('an endpoint that was tried is taken again only when there is no other', (t) => {
  const mesh = meshOf([pod('a', '10.0.0.1'), pod('b', '10.0.0.2')])
  t.deepEqual(counts(mesh, { tried: new Set(['a']) }), { b: 4_000 })
  t.deepEqual(Object.keys(counts(mesh, { tried: new Set(['a', 'b']) })).toSorted(), ['a', 'b'])
})

test('with failover the nearest serve, and once they were tried the next', (t) => {
  const pods = [
    pod('near', '10.0.0.1', { locality: here }),
    pod('next', '10.0.0.2', { locality: there }),
    pod('far', '10.0.0.3', { locality: { region: 'q', zone: 'x' } }),
  ]
  const mesh = meshOf(pods, { loadBalancing: { mode: 2, routingPreference: [1, 2] } })
  t.deepEqual(counts(mesh), { near: 4_000 })
  t.deepEqual(counts(mesh, { tried: new Set(['near']) }), { next: 4_000 })
  t.deepEqual(counts(mesh, { tried: new Set(['near', 'next']) }), { far: 4_000 })
})

test('a strict preference is kept even when the endpoints were tried', (t) => {
  const pods = [pod('near', '10.0.0.1', { locality: here }), pod('next', '10.0.0.2', { locality: there })]
  const mesh = meshOf(pods, { loadBalancing: { mode: 1, routingPreference: [2] } })
  t.deepEqual(counts(mesh), { near: 4_000 })
  t.deepEqual(counts(mesh, { tried: new Set(['near']) }), { near: 4_000 })
  t.is(choose(meshOf([pods[1]!], { loadBalancing: { mode: 1, routingPreference: [2] } })).kind, 'refused')
})

test('only healthy endpoints, unless the service takes all', (t) => {
  const pods = [pod('well', '10.0.0.1'), pod('ill', '10.0.0.2', { status: 1 })]
  t.deepEqual(counts(meshOf(pods)), { well: 4_000 })
  t.is(Object.keys(counts(meshOf(pods, { loadBalancing: { healthPolicy: 1 } }))).length, 2)
  t.like(choose(meshOf([pods[1]!])), { kind: 'refused', reason: 'no-healthy-upstream' })
})

test('endpoints of other networks are not there', (t) => {
  const away = pod('away', '10.0.0.2', { network: 'other' })
  t.deepEqual(counts(meshOf([pod('a', '10.0.0.1'), away])), { a: 4_000 })
  t.like(choose(meshOf([away])), { kind: 'refused', reason: 'no-healthy-upstream' })
})

test('a port the service has not, and one only some endpoints have', (t) => {
  t.like(choose(meshOf([pod('a', '10.0.0.1')]), { servicePort: 81 }), { kind: 'refused' })
  const named = { ports: [{ servicePort: 80, targetPort: 0 }] }
  const pods = [pod('a', '10.0.0.1'), pod('b', '10.0.0.2', { services: { [KEY]: { ports: [] } } })]
  t.deepEqual(counts(meshOf(pods, named)), { a: 4_000 })
})

test('the family asked for is preferred', (t) => {
  const mesh = meshOf([pod('a', '10.0.0.1', { addresses: [bytes('10.0.0.1'), bytes('fd00::1')] })])
  t.like(choose(mesh, { target: { ip: ip('fd00::99'), port: 80 } }), { to: { ip: 'fd00::1' } })
  t.like(choose(mesh, { target: undefined }), { to: { ip: '10.0.0.1' } })
})

test('an endpoint that has only a name is to be resolved', (t) => {
  const mesh = meshOf([pod('a', '10.0.0.1', { addresses: [], hostname: 'a.example', tunnelProtocol: 0 })])
  t.like(choose(mesh), { kind: 'resolve-hostname', hostname: 'a.example', pending: { kind: 'direct', port: 8080 } })
})

test('a service whose clients say the address gets only what was addressed to it', (t) => {
  const mesh = meshOf([], { loadBalancing: { mode: 3 } })
  t.like(choose(mesh), { kind: 'passthrough', to: { ip: '10.96.0.1', port: 80 } })
  t.like(choose(mesh, { servicePort: 81 }), { kind: 'passthrough', to: { ip: '10.96.0.1', port: 81 } })
  t.is(choose(mesh, { isAddressed: false }).kind, 'refused')
  t.is(choose(mesh, { target: undefined }).kind, 'refused')
})

test('only members of the subset, and nobody where it has none', (t) => {
  const mesh = meshOf([pod('a', '10.0.0.1'), pod('b', '10.0.0.2'), pod('c', '10.0.0.3')])
  const seen = (members: ReadonlySet<string>) => {
    const names = new Set<string>()
    const random = chances()
    for (let n = 0; n < 30; n++) {
      const choice = choose(mesh, { members, random })
      names.add(choice.kind === 'direct' ? choice.workload.uid : choice.kind)
    }
    return [...names].sort()
  }
  const members = new Set(['a', 'c'])
  t.deepEqual(seen(members), ['a', 'c'])
  t.deepEqual(seen(new Set(['b'])), ['b'])
  t.deepEqual(seen(members), ['a', 'c'])
  t.deepEqual(seen(new Set(['nobody'])), ['refused'])
})

test('who is taken out is not drawn, also not for another attempt', (t) => {
  const mesh = meshOf([pod('a', '10.0.0.1'), pod('b', '10.0.0.2')])
  const asked: string[][] = []
  const ejected = (uids: readonly string[]) => (asked.push([...uids].sort()), new Set(['a']))
  for (const tried of [new Set<string>(), new Set(['b'])])
    for (let n = 0; n < 10; n++) {
      const choice = choose(mesh, { ejected, tried, random: chances(n + 1) })
      t.is(choice.kind === 'direct' && choice.workload.uid, 'b')
    }
  t.deepEqual(asked[0], ['a', 'b'])
  t.is(choose(mesh, { ejected: () => new Set(['a', 'b']) }).kind, 'refused')
})

test('in turn, at random, by hash', (t) => {
  const mesh = meshOf([pod('a', '10.0.0.1'), pod('b', '10.0.0.2'), pod('c', '10.0.0.3')])
  const uid = (over: Partial<EndpointRequest>) => {
    const choice = choose(mesh, over)
    return choice.kind === 'direct' ? choice.workload.uid : choice.kind
  }
  const turns = [0, 1, 2, 3].map((turn) => uid({ pick: { kind: 'round-robin', turn } }))
  t.is(new Set(turns).size, 3)
  t.is(turns[3], turns[0])
  // The busy one is as good as any.
  const random = [0, 0.5, 0.9].map((value) =>
    uid({ pick: { kind: 'random' }, random: () => value, activeRequests: () => 99 }),
  )
  t.is(new Set(random).size, 3)
  const key = { kind: 'hash', key: 'jane' } as const
  const home = uid({ pick: key })
  t.is(uid({ pick: key, tried: new Set([home]), random: () => 0.9 }), home)
  t.not(uid({ pick: key, ejected: () => new Set([home]) }), home)
})
