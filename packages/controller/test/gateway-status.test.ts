// What the status of a Gateway says.
import { ip } from '@ambit/core'
import test from 'ava'
import { decodeGatewayRequest } from '../src/gateway/decode-gateway-request.ts'
import type { GatewayRequest } from '../src/gateway/gateway.types.ts'
import { BUILTIN_CLASSES, INGRESS_CLASS, WAYPOINT_CLASS } from '../src/gateway/gateway-classes.ts'
import {
  gatewayStatus,
  type ListenerOutcome,
  type ServingService,
  type StatusFacts,
  servicesOf,
} from '../src/gateway/gateway-status.ts'
import { type Json, list, record } from '../src/watch/json.ts'
import * as make from './support/objects.ts'

const NOW_MS = Date.parse('2026-01-02T03:04:05Z')
const NOW = '2026-01-02T03:04:05Z'
const HOST = 'wp.shop.svc.cluster.local'
const SERVING: ServingService = {
  host: HOST,
  clusterIps: [ip('10.1.0.9'), ip('fd00::9')],
  ready: true,
  ports: [15008],
  loadBalancer: false,
  external: [],
}
const ADDRESSES = [
  { type: 'IPAddress', value: '10.1.0.9' },
  { type: 'IPAddress', value: 'fd00::9' },
  { type: 'Hostname', value: HOST },
]

function request(spec: Json = {}, extra: make.Extra = {}): GatewayRequest {
  return decodeGatewayRequest(make.gateway('shop/wp', { spec }, { ...extra, metadata: { generation: 7 } }))
}

function status(gateway: GatewayRequest, facts: Partial<StatusFacts> = {}, present: Json = {}): Json {
  return gatewayStatus(gateway, present, {
    cls: WAYPOINT_CLASS,
    invalidParameters: undefined,
    listeners: undefined,
    services: { ok: true, services: [SERVING] },
    nowMs: NOW_MS,
    ...facts,
  })
}

/** `Accepted True Accepted: message`. */
function said(conditions: unknown): string[] {
  return list(conditions).map((condition) => {
    const { type, status: value, reason, message } = record(condition) as Record<string, string>
    return `${type} ${value} ${reason}: ${message}`
  })
}

test('a waypoint that works', (t) => {
  const written = status(request())
  t.deepEqual(written['addresses'], ADDRESSES)
  t.deepEqual(said(written['conditions']), [
    'Accepted True Accepted: Resource accepted',
    `Programmed True Programmed: Resource programmed, assigned to service(s) ${HOST}:15008`,
    'ResolvedRefs True ResolvedRefs: All references resolved',
  ])
  t.deepEqual(
    list(written['listeners']).map((entry) => ({ ...record(entry), conditions: said(record(entry)['conditions']) })),
    [
      {
        name: 'mesh',
        attachedRoutes: 0,
        supportedKinds: [],
        conditions: [
          'Accepted True Accepted: No errors found',
          'Conflicted False NoConflicts: No errors found',
          'Programmed True Programmed: No errors found',
          'ResolvedRefs True ResolvedRefs: No errors found',
        ],
      },
    ],
  )
  for (const condition of list(written['conditions']))
    t.like(record(condition), { observedGeneration: 7, lastTransitionTime: NOW })
})

test('the second time nothing is new', (t) => {
  const first = status(request())
  t.deepEqual(status(request(), { nowMs: NOW_MS + 60_000 }, first), first)
})

const unserved = test.macro({
  exec(t, service: Partial<ServingService>) {
    const services: StatusFacts['services'] = { ok: true, services: [{ ...SERVING, ...service }] }
    const before = status(request(), { services })
    t.deepEqual(
      said(before['conditions'])[1],
      `Programmed False AddressNotAssigned: Failed to assign to any requested addresses: no instances found for hostname "${HOST}"`,
    )
    t.false('addresses' in before)
    const after = status(request(), { services }, status(request()))
    t.deepEqual(after['addresses'], ADDRESSES, 'what was written stays')
  },
  title: (title = '') => `not programmed: ${title}`,
})
test('no ready endpoint', unserved, { ready: false })
test('no Service', unserved, { clusterIps: undefined, ready: false })

const accepted = test.macro({
  exec(t, gateway: () => GatewayRequest, facts: Partial<StatusFacts>, expected: string) {
    t.is(said(status(gateway(), facts)['conditions'])[0], expected)
  },
  title: (title = '') => `accepted: ${title}`,
})
const RULE = 'Expected a single listener on port 15008 with protocol "HBONE"'
const listener = (port: number, protocol: string, name = 'mesh'): Json => ({ name, port, protocol })
test(
  'wrong port',
  accepted,
  () => request({ listeners: [listener(80, 'HBONE')] }),
  {},
  `Accepted False ListenersNotValid: ${RULE}`,
)
test(
  'wrong protocol',
  accepted,
  () => request({ listeners: [listener(15_008, 'HTTP')] }),
  {},
  `Accepted False ListenersNotValid: ${RULE}`,
)
test(
  'two listeners',
  accepted,
  () => request({ listeners: [listener(15_008, 'HBONE'), listener(80, 'HTTP', 'more')] }),
  {},
  `Accepted False ListenersNotValid: ${RULE}`,
)
test('parameters', accepted, () => request(), { invalidParameters: 'why' }, 'Accepted False InvalidParameters: why')
test(
  'an impossible name',
  accepted,
  () => request({}, { annotations: { 'gateway.istio.io/name-override': '-' } }),
  {},
  'Accepted False Invalid: - can not be the name of a Service: choose one with the annotation gateway.istio.io/name-override',
)

test('a listener that is not a waypoint’s says why', (t) => {
  const [entry] = list(status(request({ listeners: [listener(80, 'HTTP')] }))['listeners'])
  t.is(said(record(entry)['conditions'])[0], `Accepted False UnsupportedProtocol: ${RULE}`)
})

for (const cls of BUILTIN_CLASSES.filter(({ refusal }) => refusal !== undefined))
  test(`a Gateway of class ${cls.name} is told that nothing serves it`, (t) => {
    const written = status(request({ gatewayClassName: cls.name }), { cls })
    t.deepEqual(said(written['conditions']), [
      `Accepted False Invalid: ${cls.refusal}`,
      `Programmed False Invalid: ${cls.refusal}`,
    ])
    t.false('addresses' in written)
  })

test('only the kinds of address asked for', (t) => {
  const only = (type: string): unknown =>
    status(request({}, { annotations: { 'networking.istio.io/address-type': type } }))['addresses']
  t.deepEqual(only('Hostname'), ADDRESSES.slice(2))
  t.deepEqual(only('IPAddress'), ADDRESSES.slice(0, 2))
  t.deepEqual(only('odd'), ADDRESSES)
})

test('several Services are enumerated', (t) => {
  const hosts = ['a', 'b', 'c'].map((host) => ({ ...SERVING, host }))
  const message = (count: number): string | undefined =>
    said(status(request(), { services: { ok: true, services: hosts.slice(0, count) } })['conditions'])[1]
  t.true(message(2)?.endsWith('a:15008 and b:15008'))
  t.true(message(3)?.endsWith('a:15008, b:15008, and c:15008'))
})

const serves = test.macro({
  exec(
    t,
    addresses: readonly Json[],
    expected: readonly string[] | RegExp,
    annotations: Readonly<Record<string, string>> = {},
  ) {
    const verdict = servicesOf(request({ addresses }, { annotations }), WAYPOINT_CLASS, 'cluster.local')
    if (expected instanceof RegExp) t.regex(verdict.ok ? '' : verdict.message, expected)
    else t.deepEqual(verdict.ok ? verdict.services.map(({ host }) => host) : verdict.message, [...expected])
  },
  title: (_, addresses, __, annotations) =>
    `served by: ${JSON.stringify(addresses)} ${JSON.stringify(annotations ?? {})}`,
})
const hostname = (value: string): Json => ({ type: 'Hostname', value })
test(serves, [], [HOST])
test(serves, [{ value: '10.0.0.1' }], [HOST])
test(serves, [], ['x.shop.svc.cluster.local'], { 'gateway.istio.io/name-override': 'x' })
test(serves, [hostname('own')], ['own.shop.svc.cluster.local'])
test(serves, [hostname('own.other')], ['own.other.svc.cluster.local'])
test(serves, [hostname('own.other.svc'), hostname('b')], ['own.other.svc.cluster.local', 'b.shop.svc.cluster.local'])
test(serves, [hostname('own.other.svc.cluster.local')], ['own.other.svc.cluster.local'])
test(serves, [hostname('www.example.com')], /no hostname of a Service/)
test(serves, [hostname('')], /no hostname of a Service/)
test(serves, [{ type: 'IPAddress', value: '10.0.0.1' }, hostname('a')], /Only Hostname is supported/)
test(serves, [{ type: 'example.com/x', value: 'a' }], /Only Hostname is supported/)

test('an address that can not be used', (t) => {
  const written = status(request(), { services: { ok: false, message: 'why' } })
  t.is(said(written['conditions'])[1], 'Programmed False AddressNotUsable: why')
})

const INGRESS_HOST = 'front-istio.shop.svc.cluster.local'
const BEHIND: ServingService = {
  host: INGRESS_HOST,
  clusterIps: [ip('10.1.0.7')],
  ports: [15021, 80, 443],
  loadBalancer: false,
  external: [],
  ready: true,
}
const OUTCOME: ListenerOutcome = {
  name: 'http',
  attachedRoutes: 2,
  supportedKinds: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute' }],
  conditions: [{ type: 'Accepted', status: 'True', reason: 'Accepted', message: 'No errors found' }],
}
const REFUSED: ListenerOutcome = {
  ...OUTCOME,
  name: 'tcp',
  conditions: [{ type: 'Accepted', status: 'False', reason: 'UnsupportedProtocol', message: 'why' }],
}

const ingress = test.macro({
  exec(
    t,
    services: readonly Partial<ServingService>[],
    listeners: readonly ListenerOutcome[],
    expected: readonly [programmed: string, accepted: string, addresses: string],
    annotations: Readonly<Record<string, string>> = {},
  ) {
    const spec = { gatewayClassName: 'istio', listeners: [listener(80, 'HTTP', 'http')] }
    const written = status(request(spec, { annotations }), {
      cls: INGRESS_CLASS,
      services: { ok: true, services: services.map((service) => ({ ...BEHIND, ...service })) },
      listeners,
    })
    const [accepted_, programmed] = said(written['conditions'])
    const addresses = list(written['addresses']).map((address) => String(record(address)['value']))
    t.deepEqual([programmed, accepted_, addresses.join()], [...expected])
    t.like(record(list(written['listeners'])[0]), {
      name: 'http',
      attachedRoutes: 2,
      supportedKinds: OUTCOME.supportedKinds,
    })
  },
  title: (title = '') => `ingress: ${title}`,
})
const OK = `Programmed True Programmed: Resource programmed, assigned to service(s) ${INGRESS_HOST}:80`
const ACCEPTED = 'Accepted True Accepted: Resource accepted'
const PORTLESS = `port 80 not found for hostname "${INGRESS_HOST}"`
test('known by its name inside', ingress, [{}], [OUTCOME], [OK, ACCEPTED, INGRESS_HOST])
test('its address inside, where asked for', ingress, [{}], [OUTCOME], [OK, ACCEPTED, '10.1.0.7'], {
  'networking.istio.io/address-type': 'IPAddress',
})
test(
  'waiting for its load balancer',
  ingress,
  [{ loadBalancer: true }],
  [OUTCOME],
  [
    `Programmed False AddressNotAssigned: Assigned to service(s) ${INGRESS_HOST}:80, but failed to assign to all requested addresses: address pending for hostname "${INGRESS_HOST}"`,
    ACCEPTED,
    INGRESS_HOST,
  ],
)
test(
  'known outside',
  ingress,
  [{ loadBalancer: true, external: [{ type: 'IPAddress', value: '192.0.2.1' }] }],
  [OUTCOME],
  [OK, ACCEPTED, '192.0.2.1'],
)
test(
  'a Service without the port',
  ingress,
  [{ ports: [81] }],
  [OUTCOME],
  [`Programmed False AddressNotUsable: Failed to assign to any requested addresses: ${PORTLESS}`, ACCEPTED, ''],
)
test(
  'no pod is ready',
  ingress,
  [{ ready: false }],
  [OUTCOME],
  [
    `Programmed False AddressNotAssigned: Failed to assign to any requested addresses: no instances found for hostname "${INGRESS_HOST}"`,
    ACCEPTED,
    '',
  ],
)
test(
  'one listener is not served',
  ingress,
  [{}],
  [OUTCOME, REFUSED],
  [OK, 'Accepted True ListenersNotValid: listeners that are not served: tcp', INGRESS_HOST],
)

test('no listener is served', (t) => {
  const spec = { gatewayClassName: 'istio', listeners: [listener(80, 'TCP', 'tcp')] }
  const written = status(request(spec), { cls: INGRESS_CLASS, listeners: [REFUSED] })
  t.deepEqual(said(written['conditions']).slice(0, 2), [
    'Accepted False ListenersNotValid: listeners that are not served: tcp',
    'Programmed False Invalid: listeners that are not served: tcp',
  ])
})

test('an ingress gateway’s Service is named after its class', (t) => {
  const gateway = request({ gatewayClassName: 'istio' })
  t.deepEqual(servicesOf(gateway, INGRESS_CLASS, 'cluster.local'), {
    ok: true,
    services: [{ namespace: 'shop', name: 'wp-istio', host: 'wp-istio.shop.svc.cluster.local' }],
  })
})
