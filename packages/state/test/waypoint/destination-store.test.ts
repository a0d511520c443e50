import { waypointpb as pb } from '@ambit/api'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { DestinationStore, decodeDestination, decodeSettings, type RejectionCode } from '../../src/index.ts'
import { DEFAULT_CONNECT_TIMEOUT_MS } from '../../src/limits.ts'
import { HOST, KEY } from '../helpers.ts'
import {
  type DestinationInit,
  destinationBytes,
  destinationResource,
  serviceInit,
  settingsResource,
  TO_CART,
  workloadInit,
} from './helpers.ts'

const bad = (n: number) => n as never
const later = [{ no: 99, wireType: 0 as const, data: Uint8Array.of(1) }]

const refused = test.macro({
  exec(t, bytes: Uint8Array, code: RejectionCode) {
    const decoded = decodeDestination(bytes)
    t.is(decoded.ok ? undefined : decoded.rejection.code, code)
  },
  title: (name) => `refused destination: ${name}`,
})

const withPorts = (...ports: readonly object[]): Uint8Array =>
  destinationBytes({ target: { case: 'service', value: { namespace: 'n', hostname: 'h', ports: [...ports] } } })

function laterField(at: 'destination' | 'service' | 'port' | 'table'): Uint8Array {
  const message = create(pb.DestinationSchema, serviceInit([{ action: TO_CART }]))
  if (message.target.case !== 'service') throw new Error('not a service')
  const service = message.target.value
  const port = service.ports[0]!
  const place = { destination: message, service, port, table: port.routes! }[at]
  place.$unknown = later
  return toBinary(pb.DestinationSchema, message)
}

test('not protobuf', refused, Uint8Array.of(0xff, 0xff), 'malformed')
test('neither kind', refused, new Uint8Array(), 'empty')
test('no host name', refused, destinationBytes({ target: { case: 'service', value: { namespace: 'n' } } }), 'empty')
test('no namespace', refused, destinationBytes({ target: { case: 'service', value: { hostname: 'h' } } }), 'empty')
test('no uid', refused, destinationBytes({ target: { case: 'workload', value: {} } }), 'empty')
test('port 0', refused, withPorts({}), 'bad-port')
test('port 65536', refused, withPorts({ number: 65_536 }), 'bad-port')
test('a port twice', refused, withPorts({ number: 80 }, { number: 80 }), 'bad-port')
test('a protocol of a later version', refused, withPorts({ number: 80, protocol: bad(9) }), 'unknown-enum')
for (const at of ['destination', 'service', 'port', 'table'] as const) {
  test(`a field of a later version in ${at}`, refused, laterField(at), 'unknown-field')
}

test('a service with and without routes', (t) => {
  const ports: Exclude<MessageInitShape<typeof pb.PortSchema>, pb.Port>[] = [
    { number: 80, protocol: 2 },
    { number: 81, protocol: 1, routes: { routes: [] } },
  ]
  const decoded = decodeDestination(
    destinationBytes({
      target: { case: 'service', value: { namespace: 'shop', hostname: HOST, ports } },
      authorizationPolicies: ['shop/a'],
      authenticatesRequests: true,
    }),
  )
  t.true(decoded.ok)
  t.deepEqual(decoded.ok && (decoded.value as unknown), {
    kind: 'service',
    key: KEY,
    namespace: 'shop',
    hostname: HOST,
    ports: new Map([
      [80, { number: 80, protocol: 'http', routes: undefined, tcpBackends: undefined }],
      [81, { number: 81, protocol: 'tcp', routes: [], tcpBackends: undefined }],
    ]),
    authorizationPolicies: ['shop/a'],
    authenticatesRequests: true,
    trafficPolicy: '',
  })
})

const upsert = (...inits: readonly DestinationInit[]) => ({ upserts: inits.map(destinationResource), removed: [] })

test('destinations are found by what they are, and only so', (t) => {
  const store = new DestinationStore()
  t.deepEqual(store.applyDestinations(upsert(serviceInit(), workloadInit('c//Pod/shop/a'))), [])
  t.is(store.service(KEY)?.key, KEY)
  t.is(store.workload('c//Pod/shop/a')?.uid, 'c//Pod/shop/a')
  t.is(store.workload(KEY), undefined)
  t.is(store.service('c//Pod/shop/a'), undefined)
  t.is([...store.destinations()].length, 2)
})

test('a refused destination keeps its last good version, and one that had none is not served', (t) => {
  const store = new DestinationStore()
  store.applyDestinations(upsert(serviceInit(undefined, { authorizationPolicies: ['shop/a'] })))
  const rejected = store.applyDestinations({
    upserts: [
      { name: KEY, bytes: laterField('destination') },
      { name: 'shop/other', bytes: Uint8Array.of(0xff) },
    ],
    removed: [],
  })
  t.deepEqual(
    rejected.map(({ name }) => name),
    [KEY, 'shop/other'],
  )
  t.deepEqual(store.service(KEY)?.authorizationPolicies, ['shop/a'])
  t.is(store.service('shop/other'), undefined)
})

test('a destination under the name of another is refused', (t) => {
  const store = new DestinationStore()
  const [rejected] = store.applyDestinations({
    upserts: [{ name: 'shop/other', bytes: destinationBytes(serviceInit()) }],
    removed: [],
  })
  t.regex(rejected?.reason ?? '', /content is about shop\/cart/)
  t.is(store.service(KEY), undefined)
})

test('a change is announced once, with what it touched; nothing, with nothing', (t) => {
  const store = new DestinationStore()
  const seen: string[][] = []
  using subscription = store.subscribe(({ destinations }) => seen.push([...destinations]))
  store.applyDestinations(upsert(serviceInit(), workloadInit('u')))
  store.applyDestinations({ upserts: [], removed: ['u', 'unknown'] })
  store.applyDestinations({ upserts: [], removed: ['u'] })
  subscription[Symbol.dispose]()
  store.applyDestinations({ upserts: [], removed: [KEY] })
  t.deepEqual(seen, [[KEY, 'u'], ['u']])
  t.is(store.service(KEY), undefined)
})

test('settings, with the defaults of what is left empty', (t) => {
  const store = new DestinationStore()
  const changes: boolean[] = []
  using _subscription = store.subscribe(({ settings }) => changes.push(settings))
  t.is(store.settings, undefined)
  t.deepEqual(
    store.applySettings({ upserts: [settingsResource({ namespace: 'shop', gateway: 'w' })], removed: [] }),
    [],
  )
  t.deepEqual(store.settings as unknown, {
    namespace: 'shop',
    gateway: 'w',
    rootNamespace: '',
    trustDomain: 'cluster.local',
    trustDomainAliases: [],
    pathNormalization: 'base',
    accessLog: undefined,
    forwardClientIdentity: false,
    connectTimeoutMs: DEFAULT_CONNECT_TIMEOUT_MS,
    listeners: [],
    authorizationPolicies: [],
    authenticatesRequests: false,
    trustedHops: 0,
  })
  const full = settingsResource({
    namespace: 'shop',
    gateway: 'w',
    pathNormalization: 3,
    accessLog: { encoding: 1, format: '{}' },
    connectTimeoutMs: 5,
  })
  store.applySettings({ upserts: [full], removed: [] })
  t.like(store.settings, {
    pathNormalization: 'decode-and-merge-slashes',
    accessLog: { encoding: 'json', format: '{}' },
    connectTimeoutMs: 5,
  })
  t.deepEqual(changes, [true, true])
})

test('settings that are refused keep the last good ones', (t) => {
  const store = new DestinationStore()
  store.applySettings({ upserts: [settingsResource({ namespace: 'shop', gateway: 'w' })], removed: [] })
  const good = store.settings
  const unknown = create(pb.SettingsSchema, { namespace: 'shop', gateway: 'w' })
  unknown.$unknown = later
  for (const resource of [
    settingsResource({ namespace: 'shop', gateway: 'w', pathNormalization: bad(9) }),
    settingsResource({ namespace: 'shop', gateway: 'w', accessLog: { encoding: bad(9) } }),
    { name: 'shop/w', bytes: toBinary(pb.SettingsSchema, unknown) },
    { name: 'shop/w', bytes: Uint8Array.of(0xff) },
    { ...settingsResource({ namespace: 'shop', gateway: 'w' }), name: 'shop/v' },
    settingsResource({ namespace: '', gateway: 'w' }),
    settingsResource({ namespace: 'shop', gateway: '' }),
  ]) {
    t.is(store.applySettings({ upserts: [resource], removed: [] }).length, 1)
    t.is(store.settings, good)
  }
  store.applySettings({ upserts: [], removed: ['shop/v'] })
  t.is(store.settings, good)
  store.applySettings({ upserts: [], removed: ['shop/w'] })
  t.is(store.settings, undefined)
})

test('random bytes are refused as settings or become some', (t) => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const decoded = decodeSettings(Uint8Array.of(first, second))
      if (!decoded.ok && decoded.rejection.message === '') t.fail()
    }
  }
  t.pass()
})
