import { ip, parseSocketAddress } from '@ambit/core'
import test from 'ava'
import {
  checkInboundDestination,
  type Resolution,
  resolveOutbound,
  type WorkloadStore,
  withResolvedAddress,
} from '../src/index.ts'
import { bytesOf, cart, HOST, KEY, pod, storeOf } from './helpers.ts'

const CLIENT = pod('client', '10.0.0.100', { services: {} })
const WAYPOINT_HOST = 'wp.shop.svc.cluster.local'
const toWaypoint = {
  destination: { case: 'hostname' as const, value: { namespace: 'shop', hostname: WAYPOINT_HOST } },
  hboneMtlsPort: 15008,
}
const WAYPOINT_SERVICE = {
  name: 'wp',
  namespace: 'shop',
  hostname: WAYPOINT_HOST,
  addresses: [{ address: bytesOf('10.96.0.200') }],
  ports: [{ servicePort: 15008, targetPort: 15008 }],
  subjectAltNames: ['spiffe://cluster.local/ns/shop/sa/extra', 'not an identity'],
}
const WAYPOINT_POD = pod('wp', '10.0.0.200', {
  services: { [`shop/${WAYPOINT_HOST}`]: { ports: [{ servicePort: 15008, targetPort: 15008 }] } },
})

type Things = Parameters<typeof storeOf>[0]

function resolve(
  things: Things,
  target: string,
  options: { random?: number; network?: string; from?: string } = {},
): Resolution {
  const store = storeOf({ pods: [CLIENT, ...(things.pods ?? [])], services: things.services ?? [] })
  return resolveIn(store, target, options)
}

function resolveIn(
  store: WorkloadStore,
  target: string,
  { random = 0, network = '', from = 'client' } = {},
): Resolution {
  const source = store.workload(`Kubernetes//Pod/shop/${from}`)
  const address = parseSocketAddress(target)
  if (source === undefined || address === undefined) throw new Error('bad test')
  return resolveOutbound(store, { source, sourceIp: source.ips[0], target: address, network, random: () => random })
}

/** The decision in one line. */
function line(resolution: Resolution): string {
  switch (resolution.kind) {
    case 'passthrough':
      return `passthrough ${resolution.to.ip}:${resolution.to.port}`
    case 'direct':
      return `${resolution.protocol} ${resolution.to.ip}:${resolution.to.port}${resolution.authority ? ` for ${resolution.authority.ip}:${resolution.authority.port}` : ''}`
    case 'waypoint':
      return `waypoint ${resolution.to.ip}:${resolution.to.port} for ${resolution.authority.ip}:${resolution.authority.port}`
    case 'resolve-hostname':
      return `resolve ${resolution.hostname}`
    case 'refused':
      return `refused ${resolution.reason}`
  }
}

const leads = test.macro({
  exec(t, things: Things, target: string, expected: string, options?: { random?: number; network?: string }) {
    t.is(line(resolve(things, target, options)), expected)
  },
  title: (name) => `outbound: ${name}`,
})

const VIP = '10.96.0.1:80'
test('an unknown address passes through', leads, {}, '1.1.1.1:443', 'passthrough 1.1.1.1:443')
test(
  'a captured pod is reached by HBONE',
  leads,
  { pods: [pod('a', '10.0.0.1')] },
  '10.0.0.1:8080',
  'HBONE 10.0.0.1:15008 for 10.0.0.1:8080',
)
test(
  'another pod by TCP',
  leads,
  { pods: [pod('a', '10.0.0.1', { tunnelProtocol: 0 })] },
  '10.0.0.1:8080',
  'TCP 10.0.0.1:8080',
)
test(
  'a service leads to an endpoint and its port',
  leads,
  { pods: [pod('a', '10.0.0.1')], services: [cart()] },
  VIP,
  'HBONE 10.0.0.1:15008 for 10.0.0.1:8080',
)
test('a service without endpoints fails', leads, { services: [cart()] }, VIP, 'refused no-healthy-upstream')
test(
  'a port the service lacks fails',
  leads,
  { pods: [pod('a', '10.0.0.1')], services: [cart()] },
  '10.96.0.1:81',
  'refused no-healthy-upstream',
)
test(
  'a passthrough service',
  leads,
  { services: [cart({ loadBalancing: { mode: 3 } })] },
  VIP,
  'passthrough 10.96.0.1:80',
)
test(
  "a named port is the endpoint's",
  leads,
  {
    pods: [pod('a', '10.0.0.1', { services: { [KEY]: { ports: [{ servicePort: 80, targetPort: 9999 }] } } })],
    services: [cart({ ports: [{ servicePort: 80, targetPort: 0 }] })],
  },
  VIP,
  'HBONE 10.0.0.1:15008 for 10.0.0.1:9999',
)
test(
  'a named port nobody maps fails',
  leads,
  {
    pods: [pod('a', '10.0.0.1', { services: { [KEY]: {} } })],
    services: [cart({ ports: [{ servicePort: 80, targetPort: 0 }] })],
  },
  VIP,
  'refused no-healthy-upstream',
)
test(
  "the service's port serves an endpoint without its own",
  leads,
  { pods: [pod('a', '10.0.0.1', { services: { [KEY]: {} } })], services: [cart()] },
  VIP,
  'HBONE 10.0.0.1:15008 for 10.0.0.1:8080',
)
test(
  'capacity 0 is never chosen',
  leads,
  { pods: [pod('a', '10.0.0.1', { capacity: 0 }), pod('b', '10.0.0.2')], services: [cart()] },
  VIP,
  'HBONE 10.0.0.2:15008 for 10.0.0.2:8080',
)
test(
  'all capacity 0 fails',
  leads,
  { pods: [pod('a', '10.0.0.1', { capacity: 0 })], services: [cart()] },
  VIP,
  'refused no-healthy-upstream',
)
test(
  'capacity weighs the draw',
  leads,
  { pods: [pod('a', '10.0.0.1', { capacity: 1 }), pod('b', '10.0.0.2', { capacity: 3 })], services: [cart()] },
  VIP,
  'HBONE 10.0.0.2:15008 for 10.0.0.2:8080',
  { random: 0.26 },
)
test(
  'a workload without address or name is skipped',
  leads,
  { pods: [pod('a', undefined), pod('b', '10.0.0.2')], services: [cart()] },
  VIP,
  'HBONE 10.0.0.2:15008 for 10.0.0.2:8080',
)
test(
  'a workload in another network is refused',
  leads,
  { pods: [pod('a', '10.0.0.1', { network: 'far' })], services: [cart()] },
  VIP,
  'refused cross-network-unsupported',
)
test(
  'a named workload is to be resolved',
  leads,
  { pods: [pod('a', undefined, { hostname: 'db.example', tunnelProtocol: 0 })], services: [cart()] },
  VIP,
  'resolve db.example',
)
test(
  'the family asked for is preferred',
  leads,
  { pods: [pod('a', undefined, { addresses: [bytesOf('fd00::1'), bytesOf('10.0.0.1')] })], services: [cart()] },
  VIP,
  'HBONE 10.0.0.1:15008 for 10.0.0.1:8080',
)
test(
  'unless the service does not offer it',
  leads,
  {
    pods: [pod('a', undefined, { addresses: [bytesOf('fd00::1'), bytesOf('10.0.0.1')], tunnelProtocol: 0 })],
    services: [cart({ ipFamilies: 2 })],
  },
  VIP,
  'TCP fd00::1:8080',
)

const wp = { pods: [pod('a', '10.0.0.1'), WAYPOINT_POD], services: [cart({ waypoint: toWaypoint }), WAYPOINT_SERVICE] }
test(
  'a service behind a waypoint, with the address untranslated',
  leads,
  wp,
  VIP,
  'waypoint 10.0.0.200:15008 for 10.96.0.1:80',
)
test(
  'a port the service lacks still goes to its waypoint',
  leads,
  wp,
  '10.96.0.1:81',
  'waypoint 10.0.0.200:15008 for 10.96.0.1:81',
)
test(
  'a passthrough service still goes to its waypoint',
  leads,
  { ...wp, services: [cart({ waypoint: toWaypoint, loadBalancing: { mode: 3 } }), WAYPOINT_SERVICE] },
  VIP,
  'waypoint 10.0.0.200:15008 for 10.96.0.1:80',
)
test(
  'an unknown waypoint fails',
  leads,
  { ...wp, services: [cart({ waypoint: toWaypoint })] },
  VIP,
  'refused unknown-waypoint',
)
test('a waypoint without endpoints fails', leads, { services: wp.services }, VIP, 'refused no-healthy-upstream')
test(
  'service traffic ignores the waypoint of the workload',
  leads,
  { pods: [pod('a', '10.0.0.1', { waypoint: toWaypoint }), WAYPOINT_POD], services: [cart(), WAYPOINT_SERVICE] },
  VIP,
  'HBONE 10.0.0.1:15008 for 10.0.0.1:8080',
)
test(
  'pod traffic ignores the waypoint of the service',
  leads,
  wp,
  '10.0.0.1:8080',
  'HBONE 10.0.0.1:15008 for 10.0.0.1:8080',
)
test(
  'a pod behind a waypoint',
  leads,
  { pods: [pod('a', '10.0.0.1', { waypoint: toWaypoint }), WAYPOINT_POD], services: [WAYPOINT_SERVICE] },
  '10.0.0.1:9000',
  'waypoint 10.0.0.200:15008 for 10.0.0.1:9000',
)
test(
  'a waypoint in another network is refused',
  leads,
  { pods: [pod('wp', '10.0.0.200', { network: 'far', services: WAYPOINT_POD.services ?? {} })], services: wp.services },
  VIP,
  'refused cross-network-unsupported',
)
test(
  'a waypoint by the address of a workload',
  leads,
  {
    pods: [WAYPOINT_POD],
    services: [
      cart({
        waypoint: { destination: { case: 'address', value: { address: bytesOf('10.0.0.200') } }, hboneMtlsPort: 15018 },
      }),
    ],
  },
  VIP,
  'waypoint 10.0.0.200:15018 for 10.96.0.1:80',
)
test(
  'a waypoint reached through its tunnel',
  leads,
  {
    pods: [
      pod('wp', '10.0.0.200', {
        services: { [`shop/${WAYPOINT_HOST}`]: {} },
        applicationTunnel: { protocol: 1, port: 15088 },
      }),
    ],
    services: [cart({ waypoint: toWaypoint }), { ...WAYPOINT_SERVICE, ports: [] }],
  },
  VIP,
  'waypoint 10.0.0.200:15008 for 10.96.0.1:80',
)

const canary = (primary: number, second: number) => ({
  pods: [WAYPOINT_POD, pod('wp2', '10.0.0.201', { services: {} })],
  services: [
    cart({
      waypoint: toWaypoint,
      weightedWaypoints: [
        { destination: toWaypoint, weight: primary },
        {
          destination: {
            destination: { case: 'address' as const, value: { address: bytesOf('10.0.0.201') } },
            hboneMtlsPort: 15008,
          },
          weight: second,
        },
      ],
    }),
    WAYPOINT_SERVICE,
  ],
})
test('weighted waypoints: the first share', leads, canary(90, 10), VIP, 'waypoint 10.0.0.200:15008 for 10.96.0.1:80', {
  random: 0.89,
})
test('weighted waypoints: the rest', leads, canary(90, 10), VIP, 'waypoint 10.0.0.201:15008 for 10.96.0.1:80', {
  random: 0.91,
})
test(
  'weighted waypoints without weight: the ordinary one',
  leads,
  canary(0, 0),
  VIP,
  'waypoint 10.0.0.200:15008 for 10.96.0.1:80',
  { random: 0.99 },
)
test(
  'weighted waypoints with weight 0 are never drawn',
  leads,
  canary(0, 5),
  VIP,
  'waypoint 10.0.0.201:15008 for 10.96.0.1:80',
  { random: 0 },
)

test(
  'an address that is a workload and a service: no service waypoint, yet the service is the upstream',
  leads,
  { pods: [pod('x', '10.96.0.1', { services: {} }), pod('a', '10.0.0.1'), WAYPOINT_POD], services: wp.services },
  VIP,
  'HBONE 10.0.0.1:15008 for 10.0.0.1:8080',
)

test('a waypoint reaches its pods directly', (t) => {
  const store = storeOf({
    pods: [pod('a', '10.0.0.1', { waypoint: toWaypoint }), WAYPOINT_POD],
    services: [WAYPOINT_SERVICE],
  })
  t.is(line(resolveIn(store, '10.0.0.1:9000', { from: 'wp' })), 'HBONE 10.0.0.1:15008 for 10.0.0.1:9000')
  t.is(line(resolveIn(store, '10.0.0.1:9000', { from: 'a' })), 'waypoint 10.0.0.200:15008 for 10.0.0.1:9000')
})

test('a waypoint may prove its own identity or one its service lists', (t) => {
  const resolution = resolve(wp, VIP)
  if (resolution.kind !== 'waypoint') throw new Error(resolution.kind)
  t.deepEqual(
    resolution.expected.map(({ serviceAccount }) => serviceAccount),
    ['wp', 'extra'],
  )
  t.is(resolution.service?.name, 'cart')
})

test('a resolved name completes the destination', (t) => {
  const needs = resolve(
    { pods: [pod('a', undefined, { hostname: 'db.example', tunnelProtocol: 0 })], services: [cart()] },
    VIP,
  )
  if (needs.kind !== 'resolve-hostname') throw new Error(needs.kind)
  t.is(
    line(withResolvedAddress(needs, [ip('fd00::9'), ip('192.0.2.1'), ip('192.0.2.2')], () => 0.9)),
    'TCP 192.0.2.2:8080',
  )
  t.is(line(withResolvedAddress(needs, [ip('fd00::9')], () => 0)), 'TCP fd00::9:8080')
  t.is(line(withResolvedAddress(needs, [], () => 0)), 'refused unresolved-hostname')
})

const REGION = 1
const ZONE = 2
const NETWORK = 6
const at = (name: string, address: string, region: string, zone: string, network = '') =>
  pod(name, address, { locality: { region, zone }, network })
const near = pod('client', '10.0.0.100', { services: {}, locality: { region: 'r1', zone: 'z1' } })

const balances = test.macro({
  exec(
    t,
    mode: 0 | 1 | 2,
    routingPreference: readonly number[],
    pods: readonly ReturnType<typeof pod>[],
    expected: readonly string[],
  ) {
    const store = storeOf({
      pods: [near, ...pods],
      services: [cart({ loadBalancing: { mode, routingPreference: routingPreference as never } })],
    })
    const chosen = new Set<string>()
    for (let draw = 0; draw < 1; draw += 0.05) {
      const resolution = resolveIn(store, VIP, { random: draw })
      chosen.add(
        resolution.kind === 'refused'
          ? (resolution.workload?.name ?? resolution.reason)
          : 'workload' in resolution
            ? resolution.workload.name
            : '',
      )
    }
    t.deepEqual([...chosen].toSorted(), [...expected])
  },
  title: (name) => `balancing: ${name}`,
})

const here = at('here', '10.0.0.1', 'r1', 'z1')
const sameRegion = at('region', '10.0.0.2', 'r1', 'z2')
const away = at('away', '10.0.0.3', 'r2', 'z1')
const otherNetwork = at('network', '10.0.0.4', 'r1', 'z1', 'far')
test('unspecified ignores preferences', balances, 0, [REGION], [here, away], ['away', 'here'])
test('failover keeps the best rank', balances, 2, [REGION, ZONE], [here, sameRegion, away], ['here'])
test('failover takes the next rank', balances, 2, [REGION, ZONE], [sameRegion, away], ['region'])
test(
  'failover counts leading matches only',
  balances,
  2,
  [REGION, ZONE],
  [away, at('none', '10.0.0.5', 'r3', 'z3')],
  ['away', 'none'],
)
test('failover without any match takes all', balances, 2, [REGION], [away], ['away'])
test('strict takes full matches only', balances, 1, [REGION, ZONE], [here, sameRegion, away], ['here'])
test('strict without a full match fails', balances, 1, [REGION, ZONE], [sameRegion], ['no-healthy-upstream'])
test(
  'the own network outranks any other',
  balances,
  2,
  [NETWORK, REGION, ZONE],
  [otherNetwork, at('far-away', '10.0.0.6', 'r9', 'z9')],
  ['far-away'],
)
test(
  'another network is a preference less, not excluded',
  balances,
  2,
  [NETWORK, REGION, ZONE],
  [otherNetwork, at('elsewhere', '10.0.0.7', 'r9', 'z9', 'far')],
  ['network'],
)

const inbound = test.macro({
  exec(t, things: Things, authority: string, expected: string, options: { localhostTunnel?: boolean } = {}) {
    const store = storeOf(things)
    const workload = store.workload('Kubernetes//Pod/shop/a')
    if (workload === undefined) throw new Error('bad test')
    const verdict = checkInboundDestination(store, {
      authority,
      localIp: ip('10.0.0.1'),
      workload,
      network: '',
      ...options,
    })
    t.is(
      verdict.accepted
        ? `policy ${verdict.destination.ip}:${verdict.destination.port} dial ${verdict.dial.ip}:${verdict.dial.port}${verdict.proxyHeader ? ` proxy ${verdict.proxyHeader.destination.ip}:${verdict.proxyHeader.destination.port}` : ''}`
        : String(verdict.status),
      expected,
    )
  },
  title: (name) => `inbound: ${name}`,
})

const A = pod('a', '10.0.0.1')
const tunnelled = (port?: number) => pod('a', '10.0.0.1', { applicationTunnel: { protocol: 1, port: port ?? 0 } })
test('its own address', inbound, { pods: [A] }, '10.0.0.1:8080', 'policy 10.0.0.1:8080 dial 10.0.0.1:8080')
test("a stranger's address", inbound, { pods: [A] }, '10.9.9.9:8080', '400')
test("another pod's address", inbound, { pods: [A, pod('b', '10.0.0.2')] }, '10.0.0.2:8080', '400')
test('not an authority', inbound, { pods: [A] }, 'a b:80', '400')
test('no port', inbound, { pods: [A] }, '10.0.0.1', '400')
test('empty', inbound, { pods: [A] }, '', '400')
for (const port of [15001, 15006, 15008])
  test(`the proxy's port ${port}`, inbound, { pods: [A] }, `10.0.0.1:${port}`, '503')
test(
  "a hostname means this workload's port",
  inbound,
  { pods: [A], services: [cart({ ports: [{ servicePort: 80, targetPort: 1 }] })] },
  `${HOST}:80`,
  'policy 10.0.0.1:8080 dial 10.0.0.1:8080',
)
test(
  'hostnames have no case',
  inbound,
  { pods: [A], services: [cart()] },
  `${HOST.toUpperCase()}:80`,
  'policy 10.0.0.1:8080 dial 10.0.0.1:8080',
)
test('an unknown hostname', inbound, { pods: [A] }, 'nope.example:80', '503')
test('a port the named service lacks', inbound, { pods: [A], services: [cart()] }, `${HOST}:81`, '503')
test(
  'a tunnel takes any address',
  inbound,
  { pods: [tunnelled(15088)] },
  '10.96.0.1:80',
  'policy 10.0.0.1:15088 dial 127.0.0.1:15088 proxy 10.96.0.1:80',
)
test(
  'a tunnel without a port keeps the asked one',
  inbound,
  { pods: [tunnelled()] },
  '[fd00::1]:80',
  'policy 10.0.0.1:80 dial ::1:80 proxy fd00::1:80',
)
test(
  "a tunnel on the pod's address",
  inbound,
  { pods: [tunnelled(15088)] },
  '10.96.0.1:80',
  'policy 10.0.0.1:15088 dial 10.0.0.1:15088 proxy 10.96.0.1:80',
  { localhostTunnel: false },
)
test(
  "the proxy's port is refused before the tunnel replaces it",
  inbound,
  { pods: [tunnelled(15088)] },
  '10.96.0.1:15008',
  '503',
)
test(
  'a tunnel is told the address of a service that is asked for by name',
  inbound,
  { pods: [tunnelled(15088)], services: [cart()] },
  `${HOST}:80`,
  'policy 10.0.0.1:15088 dial 127.0.0.1:15088 proxy 10.96.0.1:80',
)
test(
  'a tunnel cannot be told of a service without address',
  inbound,
  { pods: [tunnelled(15088)], services: [cart({ addresses: [] })] },
  `${HOST}:80`,
  '503',
)
const servesAsWaypoint = {
  destination: { case: 'hostname' as const, value: { namespace: 'shop', hostname: HOST } },
  hboneMtlsPort: 15008,
}
test(
  'a service that names this one as its waypoint',
  inbound,
  {
    pods: [A],
    services: [
      cart(),
      { namespace: 'shop', hostname: 'x', addresses: [{ address: bytesOf('10.96.0.50') }], waypoint: servesAsWaypoint },
    ],
  },
  '10.96.0.50:80',
  'policy 10.0.0.1:80 dial 10.0.0.1:80',
)
test(
  'a workload that names this one as its waypoint',
  inbound,
  {
    pods: [
      A,
      pod('b', '10.0.0.2', {
        waypoint: { destination: { case: 'address', value: { address: bytesOf('10.0.0.1') } }, hboneMtlsPort: 15008 },
      }),
    ],
  },
  '10.0.0.2:80',
  'policy 10.0.0.1:80 dial 10.0.0.1:80',
)
test(
  'a workload that names another waypoint',
  inbound,
  { pods: [A, pod('b', '10.0.0.2', { waypoint: toWaypoint }), WAYPOINT_POD], services: [WAYPOINT_SERVICE] },
  '10.0.0.2:80',
  '400',
)
