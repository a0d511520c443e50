import { waypointpb as pb } from '@ambit/api'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { CredentialStore, decodeSettings, type RejectionCode, type WaypointSettings } from '../../src/index.ts'
import { TO_CART } from './helpers.ts'

type ListenerInit = MessageInitShape<typeof pb.ListenerSchema>
type TlsInit = MessageInitShape<typeof pb.TlsTerminationSchema>

const later = [{ no: 99, wireType: 0 as const, data: Uint8Array.of(1) }]
const bad = (n: number) => n as never

function settings(...listeners: readonly ListenerInit[]): Uint8Array {
  const message = create(pb.SettingsSchema, { namespace: 'n', gateway: 'g', listeners: [...listeners] })
  return toBinary(pb.SettingsSchema, message)
}

function decoded(...listeners: readonly ListenerInit[]): WaypointSettings {
  const result = decodeSettings(settings(...listeners))
  if (!result.ok) throw new Error(result.rejection.message)
  return result.value
}

const tls = (init: TlsInit): ListenerInit => ({ name: 'x', port: 8443, tls: { credentials: ['n/c'], ...init } })

const refused = test.macro({
  exec(t, code: RejectionCode, ...listeners: readonly ListenerInit[]) {
    const result = decodeSettings(settings(...listeners))
    t.is(result.ok ? undefined : result.rejection.code, code)
  },
  title: (name) => `refused listeners: ${name}`,
})

test('a listener needs a name', (t) => {
  const result = decodeSettings(settings({ port: 80 }))
  t.like(result, { ok: false, rejection: { code: 'empty', message: 'settings.listeners[0].name: required' } })
})
test('no port', refused, 'bad-port', { name: 'a' })
test('port beyond all', refused, 'bad-port', { name: 'a', port: 65_536 })
test('two of one name', refused, 'bad-match', { name: 'a', port: 1 }, { name: 'a', port: 2 })
test('TLS and none on one port', refused, 'bad-port', { name: 'a', port: 8443 }, tls({}))
test('a host that is none', refused, 'bad-match', { name: 'a', port: 1, hostnames: ['a b'] })
test('a star in the middle', refused, 'bad-match', { name: 'a', port: 1, hostnames: ['a.*.com'] })
test('virtual host without hosts', refused, 'empty', { name: 'a', port: 1, virtualHosts: [{}] })
test('TLS without credentials', refused, 'empty', tls({ credentials: [] }))
test('client certificates without CA', refused, 'empty', tls({ clientCertificates: 2 }))
test('a CA nobody is checked by', refused, 'unsupported', tls({ clientAuthorities: ['n/ca'] }))
test('names nobody is checked by', refused, 'unsupported', tls({ clientSubjectAltNames: ['a'] }))
test('a later way to ask for certificates', refused, 'unknown-enum', tls({ clientCertificates: bad(9) }))
test('a later version of TLS', refused, 'unknown-enum', tls({ minVersion: bad(9) }))
test('no version of TLS left', refused, 'unsupported', tls({ minVersion: 2, maxVersion: 1 }))

test('a field of a later version in a listener refuses all of them', (t) => {
  const message = create(pb.SettingsSchema, { namespace: 'n', gateway: 'g', listeners: [tls({})] })
  message.listeners[0]!.tls!.$unknown = later
  const result = decodeSettings(toBinary(pb.SettingsSchema, message))
  t.is(result.ok ? undefined : result.rejection.code, 'unknown-field')
})

test('a field of a later version in a route is that route alone', (t) => {
  const message = create(pb.SettingsSchema, {
    namespace: 'n',
    gateway: 'g',
    listeners: [
      { name: 'a', port: 1, virtualHosts: [{ hostnames: ['*'], routes: { routes: [{ action: TO_CART }] } }] },
    ],
  })
  message.listeners[0]!.virtualHosts[0]!.routes!.routes[0]!.$unknown = later
  const result = decodeSettings(toBinary(pb.SettingsSchema, message))
  if (!result.ok) return t.fail(result.rejection.message)
  const [route] = result.value.listeners[0]!.virtualHosts[0]!.routes
  t.like(route, { action: { kind: 'fixed-status', status: 500 } })
})

test('a listener with all that it may have', (t) => {
  const { listeners, authorizationPolicies } = decoded(
    { name: 'http', port: 80, httpsRedirect: true },
    tls({
      credentials: ['n/a', 'n/b'],
      clientCertificates: 1,
      clientAuthorities: ['n/ca'],
      clientSubjectAltNames: ['spiffe://x'],
      minVersion: 2,
    }),
    { name: 'y', port: 8443, hostnames: ['*.Example.com', 'A.test'], tls: { credentials: ['n/c'], maxVersion: 1 } },
  )
  t.deepEqual(authorizationPolicies, [])
  t.like(listeners[0], { hosts: [{ kind: 'any' }], tls: undefined, httpsRedirect: true, virtualHosts: [] })
  t.deepEqual(listeners[1]!.tls, {
    credentials: ['n/a', 'n/b'],
    clientCertificates: 'optional',
    clientAuthorities: ['n/ca'],
    clientSubjectAltNames: ['spiffe://x'],
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
  })
  t.like(listeners[2], {
    hosts: [
      { kind: 'suffix', suffix: '.example.com' },
      { kind: 'exact', hostname: 'a.test' },
    ],
    tls: { clientCertificates: 'none', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
  })
})

test('credentials: what is refused keeps its last good version, and each change is told of once', (t) => {
  const store = new CredentialStore()
  const seen: string[][] = []
  using _subscription = store.subscribe((names) => seen.push([...names]))
  const bytes = (chain: string, $unknown?: typeof later): Uint8Array => {
    const message = create(pb.CredentialSchema, { certificateChainPem: Buffer.from(chain) })
    if ($unknown !== undefined) message.$unknown = $unknown
    return toBinary(pb.CredentialSchema, message)
  }
  t.deepEqual(store.apply({ upserts: [{ name: 'n/a', bytes: bytes('one') }], removed: [] }), [])
  const [rejected] = store.apply({ upserts: [{ name: 'n/a', bytes: bytes('two', later) }], removed: [] })
  t.is(rejected?.name, 'n/a')
  t.is(store.get('n/a')?.certificateChainPem, 'one')
  t.deepEqual([...store.names()], ['n/a'])
  store.apply({ upserts: [], removed: ['n/a', 'n/b'] })
  t.is(store.get('n/a'), undefined)
  t.deepEqual(seen, [['n/a'], ['n/a']])
})
