import { authorizationpb } from '@ambit/api'
import { ip } from '@ambit/core'
import { create, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import fc from 'fast-check'
import { compileCidr, decodeAddress, decodeAuthorization, type RejectionCode } from '../src/index.ts'
import {
  authorizationResource,
  bytesOf,
  cart,
  pod,
  service,
  serviceResource,
  workload,
  workloadResource,
} from './helpers.ts'

test('what a workload leaves empty means the defaults', (t) => {
  const decoded = workload({ uid: 'u', namespace: 'n' })
  t.deepEqual(decoded.identity, { trustDomain: 'cluster.local', namespace: 'n', serviceAccount: 'default' })
  t.is(decoded.clusterId, 'Kubernetes')
  t.is(decoded.capacity, 1)
  t.is(workload({ uid: 'u', capacity: 0 }).capacity, 0)
})

test('IPv4-mapped addresses are IPv4', (t) => {
  t.deepEqual(
    workload({ uid: 'u', addresses: [Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1)] }).ips,
    [ip('10.0.0.1')],
  )
})

test('a full-length network is an ordinary VIP, a shorter one a range', (t) => {
  const { vips, cidrVips } = service(
    cart({
      addresses: [
        { address: bytesOf('10.0.0.1'), length: 32 },
        { address: bytesOf('10.0.0.0'), length: 8 },
        { address: bytesOf('fd00::'), length: 64 },
        { address: bytesOf('fd00::1') },
      ],
    }),
  )
  t.deepEqual(
    vips.map((vip) => vip.ip as string),
    ['10.0.0.1', 'fd00::1'],
  )
  t.deepEqual(
    cidrVips.map(({ cidr }) => `${cidr.ip}/${cidr.length}`),
    ['10.0.0.0/8', 'fd00::/64'],
  )
})

test('an unknown visibility is public', (t) => {
  t.is(service(cart({ visibility: 9 as never })).visibility, 'Public')
  t.is(service(cart({ visibility: 1 })).visibility, 'Namespace')
})

const rejectsAddress = test.macro({
  exec(t, resource: { bytes: Uint8Array }, code: RejectionCode) {
    const decoded = decodeAddress(resource.bytes)
    t.false(decoded.ok)
    t.is(decoded.ok ? undefined : decoded.rejection.code, code)
  },
  title: (name) => `refused address: ${name}`,
})

const bad = (n: number) => n as never
test('not protobuf', rejectsAddress, { bytes: Uint8Array.of(0xff, 0xff) }, 'malformed')
test('neither kind', rejectsAddress, { bytes: new Uint8Array() }, 'empty')
test('no uid', rejectsAddress, workloadResource({ name: 'x' }), 'empty')
test('legacy tunnel', rejectsAddress, workloadResource(pod('a', '10.0.0.1', { tunnelProtocol: 2 })), 'unsupported')
test(
  'unknown tunnel',
  rejectsAddress,
  workloadResource(pod('a', '10.0.0.1', { tunnelProtocol: bad(9) })),
  'unknown-enum',
)
test('unknown status', rejectsAddress, workloadResource(pod('a', '10.0.0.1', { status: bad(9) })), 'unknown-enum')
test(
  'unknown workload type',
  rejectsAddress,
  workloadResource(pod('a', '10.0.0.1', { workloadType: bad(9) })),
  'unknown-enum',
)
test(
  'unknown network mode',
  rejectsAddress,
  workloadResource(pod('a', '10.0.0.1', { networkMode: bad(9) })),
  'unknown-enum',
)
test(
  'unknown tunnel to the application',
  rejectsAddress,
  workloadResource(pod('a', '10.0.0.1', { applicationTunnel: { protocol: bad(7) } })),
  'unknown-enum',
)
test('unknown mode', rejectsAddress, serviceResource(cart({ loadBalancing: { mode: bad(9) } })), 'unknown-enum')
test(
  'unknown scope',
  rejectsAddress,
  serviceResource(cart({ loadBalancing: { routingPreference: [bad(9)] } })),
  'unknown-enum',
)
test('unknown families', rejectsAddress, serviceResource(cart({ ipFamilies: bad(9) })), 'unknown-enum')
test(
  'three bytes of address',
  rejectsAddress,
  workloadResource(pod('a', undefined, { addresses: [Uint8Array.of(1, 2, 3)] })),
  'bad-address',
)
test(
  'prefix of 33',
  rejectsAddress,
  serviceResource(cart({ addresses: [{ address: bytesOf('10.0.0.1'), length: 33 }] })),
  'bad-cidr',
)
test('waypoint without destination', rejectsAddress, workloadResource(pod('a', '10.0.0.1', { waypoint: {} })), 'empty')

const MATCH = authorizationpb.MatchSchema

const rejectsPolicy = test.macro({
  exec(t, bytes: Uint8Array, code: RejectionCode) {
    const decoded = decodeAuthorization(bytes)
    t.is(decoded.ok ? undefined : decoded.rejection.code, code)
  },
  title: (name) => `refused policy: ${name}`,
})

const withMatch = (init: Parameters<typeof create<typeof MATCH>>[1], action: 0 | 1 = 0) =>
  authorizationResource({
    name: 'p',
    namespace: 'shop',
    action,
    rules: [{ clauses: [{ matches: [init as never] }] }],
  }).bytes

test('not a message', rejectsPolicy, Uint8Array.of(0xff), 'malformed')
test('unknown action', rejectsPolicy, authorizationResource({ action: bad(2) }).bytes, 'unknown-enum')
test('unknown policy scope', rejectsPolicy, authorizationResource({ scope: bad(7) }).bytes, 'unknown-enum')
test('string match without a kind', rejectsPolicy, withMatch({ principals: [{}] }), 'bad-match')
test(
  'source of three bytes',
  rejectsPolicy,
  withMatch({ sourceIps: [{ address: Uint8Array.of(1, 2, 3), length: 8 }] }),
  'bad-address',
)
test('prefix of 40', rejectsPolicy, withMatch({ sourceIps: [{ address: bytesOf('1.2.3.4'), length: 40 }] }), 'bad-cidr')
test('port of 17 bits', rejectsPolicy, withMatch({ destinationPorts: [65_616] }), 'bad-port')
test('a field of a later version inside a match', rejectsPolicy, laterMatch(), 'unknown-field')

function laterMatch(): Uint8Array {
  const match = create(MATCH, {})
  match.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }]
  return toBinary(
    authorizationpb.AuthorizationSchema,
    create(authorizationpb.AuthorizationSchema, { name: 'p', rules: [{ clauses: [{ matches: [match] }] }] }),
  )
}

test('a field of a later version beside the rules is no reason to refuse', (t) => {
  const message = create(authorizationpb.AuthorizationSchema, { name: 'p' })
  message.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }]
  t.true(decodeAuthorization(toBinary(authorizationpb.AuthorizationSchema, message)).ok)
})

test('the strict reading of an unreadable ALLOW matches nobody', (t) => {
  const decoded = decodeAuthorization(withMatch({ principals: [{}], destinationPorts: [80] }))
  const match = decoded.ok ? undefined : decoded.standIn?.rules[0]?.clauses[0]?.matches[0]
  t.true(Object.values(match ?? { x: [1] }).every((list) => list.length === 0))
})

test('the strict reading of an unreadable DENY keeps what it could read', (t) => {
  const decoded = decodeAuthorization(withMatch({ principals: [{}], destinationPorts: [80] }, 1))
  const match = decoded.ok ? undefined : decoded.standIn?.rules[0]?.clauses[0]?.matches[0]
  t.deepEqual(match?.principals, [{ kind: 'any' }])
  t.deepEqual(match?.destinationPorts, [80])
})

test('the strict reading of a DENY with nothing readable holds always', (t) => {
  const decoded = decodeAuthorization(withMatch({ notPrincipals: [{}] }, 1))
  const match = decoded.ok ? undefined : decoded.standIn?.rules[0]?.clauses[0]?.matches[0]
  t.true(match?.sourceIps[0]?.contains(ip('1.2.3.4')))
  t.true(match?.sourceIps[0]?.contains(ip('::1')))
})

test('a compiled network agrees with its bits', (t) => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.integer({ min: 0, max: 32 }), (a, b, length) => {
      const quad = (n: number) => ip([n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.'))
      const shift = BigInt(32 - length)
      const same = BigInt(a) >> shift === BigInt(b) >> shift
      return compileCidr({ ip: quad(a), length }).contains(quad(b)) === same
    }),
  )
  t.pass()
})

test('random bytes become a value or a rejection, never a crash', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const address = decodeAddress(bytes)
      const policy = decodeAuthorization(bytes)
      return [address, policy].every((decoded) => decoded.ok || decoded.rejection.message !== '')
    }),
    { numRuns: 3_000 },
  )
  t.pass()
})

test('a message with any byte altered becomes a value or a rejection', (t) => {
  const good = [
    workloadResource(pod('a', '10.0.0.1')).bytes,
    withMatch({ principals: [{ matchType: { case: 'exact', value: 'x' } }] }),
  ]
  fc.assert(
    fc.property(fc.constantFrom(...good), fc.nat(), fc.nat(255), (bytes, at, value) => {
      const altered = Uint8Array.from(bytes)
      altered[at % altered.length] = value
      return [decodeAddress(altered), decodeAuthorization(altered)].every(({ ok }) => typeof ok === 'boolean')
    }),
    { numRuns: 3_000 },
  )
  t.pass()
})
