import test from 'ava'
import * as fc from 'fast-check'
import { textTable } from '../src/text-table.ts'
import { decodeConfigDump } from '../src/ztunnel-config/decode-config-dump.ts'
import { selectZtunnel } from '../src/ztunnel-config/select-pod.ts'
import {
  certificateTable,
  connectionTable,
  policyTable,
  serviceTable,
  workloadTable,
} from '../src/ztunnel-config/tables.ts'

const DUMP = decodeConfigDump({
  workloads: [
    {
      uid: 'u2',
      name: 'httpbin-1',
      namespace: 'demo-server',
      workloadIps: ['10.1.2.3'],
      node: 'ambit-2',
      protocol: 'HBONE',
      status: 'Healthy',
    },
    {
      uid: 'u1',
      name: 'alice-1',
      namespace: 'demo-client',
      workloadIps: ['10.1.1.2', 'fd00::2'],
      node: 'ambit-1',
      protocol: 'HBONE',
      status: 'Healthy',
      waypoint: { destination: 'demo-client/waypoint.demo-client.svc.cluster.local' },
    },
    {
      uid: 'u3',
      name: 'httpbin-2',
      namespace: 'demo-server',
      workloadIps: ['10.1.2.4'],
      node: 'ambit-2',
      protocol: 'TCP',
      status: 'Unhealthy',
      waypoint: { destination: 'net/10.9.9.9' },
    },
  ],
  services: [
    {
      name: 'httpbin',
      namespace: 'demo-server',
      hostname: 'httpbin.demo-server.svc.cluster.local',
      vips: ['/10.96.0.10'],
      endpoints: { a: { workloadUid: 'u2' }, b: { workloadUid: 'u3' } },
    },
    {
      name: 'waypoint',
      namespace: 'demo-client',
      hostname: 'waypoint.demo-client.svc.cluster.local',
      vips: [],
      endpoints: {},
    },
  ],
  policies: [{ name: 'allow-alice', namespace: 'demo-server', action: 'Allow', scope: 'WorkloadSelector' }],
  certificates: [
    {
      identity: 'spiffe://cluster.local/ns/demo-client/sa/alice',
      state: 'Available',
      certChain: [{ serialNumber: '255', validFrom: '2026-11-21T00:00:00Z', expirationTime: '2026-11-22T00:00:00Z' }],
      rootCerts: [{ serialNumber: '1', validFrom: '2016-11-21T00:00:00Z', expirationTime: '2026-01-01T00:00:00Z' }],
    },
    { identity: 'spiffe://cluster.local/ns/demo-client/sa/bob', state: 'Initializing' },
  ],
  workloadState: {
    u1: {
      state: 'Up',
      info: { name: 'alice-1', namespace: 'demo-client', serviceAccount: 'alice' },
      connections: {
        inbound: [],
        outbound: [
          {
            src: '10.1.1.2:4000',
            originalDst: 'httpbin.demo-server.svc.cluster.local',
            actualDst: '10.1.2.3:15008',
            protocol: 'HBONE',
            srcIdentity: 'spiffe://a',
            dstIdentity: 'spiffe://b',
            tlsVersion: 'TLSv1.3',
            keyExchange: 'X25519MLKEM768',
          },
        ],
      },
    },
    u2: {
      info: { name: 'httpbin-1', namespace: 'demo-server' },
      connections: {
        inbound: [{ src: '[fd00::2]:4000', originalDst: null, actualDst: '10.1.2.3:8080', protocol: 'HBONE' }],
        outbound: [],
      },
    },
  },
})
const lines = (rows: readonly (readonly string[])[]) => textTable(rows, 1)

test('workloads: waypoint is its service’s name, None without one, NA when unknown', (t) => {
  t.deepEqual(lines(workloadTable(DUMP, {})), [
    'NAMESPACE   POD NAME  ADDRESS  NODE    WAYPOINT PROTOCOL',
    'demo-client alice-1   10.1.1.2 ambit-1 waypoint HBONE',
    'demo-server httpbin-1 10.1.2.3 ambit-2 None     HBONE',
    'demo-server httpbin-2 10.1.2.4 ambit-2 NA       TCP',
  ])
})

test('workloads can be chosen by namespace, node and any of their addresses', (t) => {
  t.is(workloadTable(DUMP, { namespace: 'demo-client' }).length, 2)
  t.is(workloadTable(DUMP, { node: 'ambit-2' }).length, 3)
  t.is(workloadTable(DUMP, { address: 'fd00::2' })[1]?.[1], 'alice-1')
  t.is(workloadTable(DUMP, { name: 'httpbin-1.demo-server' }).length, 2)
})

test('services count healthy endpoints and show the first address without its network', (t) => {
  t.deepEqual(lines(serviceTable(DUMP, { namespace: 'demo-server' })), [
    'NAMESPACE   SERVICE NAME SERVICE VIP WAYPOINT ENDPOINTS',
    'demo-server httpbin      10.96.0.10  None     1/2',
  ])
})

test('policies', (t) => {
  t.deepEqual(lines(policyTable(DUMP, {})), [
    'NAMESPACE   POLICY NAME ACTION SCOPE',
    'demo-server allow-alice Allow  WorkloadSelector',
  ])
})

test('certificates: leaf and root, validity at the given time, serial number in hexadecimal, identities still waiting', (t) => {
  const rows = certificateTable(DUMP, Date.parse('2026-11-21T12:00:00Z'))
  t.deepEqual(rows[1], [
    'spiffe://cluster.local/ns/demo-client/sa/alice',
    'Leaf',
    'Available',
    'true',
    'ff',
    '2026-11-22T00:00:00Z',
    '2026-11-21T00:00:00Z',
  ])
  t.deepEqual(rows[2]?.slice(1, 5), ['Root', 'Available', 'false', '1'])
  t.deepEqual(rows[3]?.slice(1, 4), ['', 'Initializing', ''])
})

test('connections: local and remote by direction, names instead of addresses unless raw', (t) => {
  t.deepEqual(lines(connectionTable(DUMP, {}, { raw: false, tls: false })), [
    'WORKLOAD              DIRECTION LOCAL                      REMOTE                      REMOTE TARGET                         PROTOCOL',
    'alice-1.demo-client   Outbound  alice-1.demo-client:4000   httpbin-1.demo-server:15008 httpbin.demo-server.svc.cluster.local HBONE',
    'httpbin-1.demo-server Inbound   httpbin-1.demo-server:8080 alice-1.demo-client:4000                                          HBONE',
  ])
  const raw = connectionTable(DUMP, { direction: 'inbound' }, { raw: true, tls: false })
  t.deepEqual(raw[1], ['httpbin-1.demo-server', 'Inbound', '10.1.2.3:8080', '[fd00::2]:4000', '', 'HBONE'])
})

test('connections --tls shows both identities, TLS version and key exchange', (t) => {
  const rows = connectionTable(DUMP, { direction: 'outbound' }, { raw: true, tls: true })
  t.deepEqual(rows[0]?.slice(6), ['LOCAL IDENTITY', 'REMOTE IDENTITY', 'TLS', 'KEY EXCHANGE'])
  t.deepEqual(rows[1]?.slice(6), ['spiffe://a', 'spiffe://b', 'TLSv1.3', 'X25519MLKEM768'])
})

test('lists keyed by uid, as older ztunnels dump them, read the same', (t) => {
  const dump = decodeConfigDump({ workloads: { u1: { name: 'a', namespace: 'b', workloadIps: ['1.1.1.1'] } } })
  t.is(dump.workloads[0]?.name, 'a')
})

test('any JSON makes tables without throwing', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const dump = decodeConfigDump(value)
      const rows = [
        workloadTable(dump, {}),
        serviceTable(dump, {}),
        policyTable(dump, {}),
        certificateTable(dump, 0),
        connectionTable(dump, {}, { raw: false, tls: true }),
      ]
      t.true(rows.every((table) => table.length > 0))
    }),
  )
})

const pod = (name: string, node: string, labels?: Readonly<Record<string, string>>, phase = 'Running') => ({
  metadata: { name, namespace: 'istio-system', ...(labels === undefined ? {} : { labels }) },
  spec: { nodeName: node },
  status: { phase },
})

test('a ztunnel is chosen by name, by node, else the first running one; other pods never', (t) => {
  const pods = [
    pod('ztunnel-b', 'n2', { app: 'ztunnel' }),
    pod('ztunnel-a', 'n1', { app: 'ztunnel' }, 'Pending'),
    pod('istiod-x', 'n1', { app: 'istiod' }),
    pod('ztunnel-c', 'n3'),
  ]
  t.is(selectZtunnel(pods, {}).metadata.name, 'ztunnel-b')
  t.is(selectZtunnel(pods, { pod: 'ds/ztunnel' }).metadata.name, 'ztunnel-b')
  t.is(selectZtunnel(pods, { node: 'n3' }).metadata.name, 'ztunnel-c')
  t.is(selectZtunnel(pods, { pod: 'ztunnel-a.istio-system' }).metadata.name, 'ztunnel-a')
  t.throws(() => selectZtunnel(pods, { pod: 'istiod-x' }), { code: 'CLI_SELECTION', message: /ztunnel-b \(n2\)/ })
  t.throws(() => selectZtunnel([], {}), { message: /is the mesh installed/ })
})

test('pod/NAME is one pod, ds/ztunnel any, other resources are refused', (t) => {
  const pods = [pod('ztunnel-a', 'n1', { app: 'ztunnel' }), pod('ztunnel-b', 'n2', { app: 'ztunnel' })]
  t.is(selectZtunnel(pods, { pod: 'pod/ztunnel-b' }).metadata.name, 'ztunnel-b')
  t.is(selectZtunnel(pods, { pod: 'ds/ztunnel.istio-system' }).metadata.name, 'ztunnel-a')
  t.throws(() => selectZtunnel(pods, { pod: 'deploy/istiod' }), { code: 'CLI_SELECTION', message: /ds\/ztunnel/ })
})

test('a service without an address of its own shows its range', (t) => {
  const dump = decodeConfigDump({ services: [{ name: 'x', namespace: 'y', vips: [], cidrVips: ['net/10.0.0.0/8'] }] })
  t.is(serviceTable(dump, {})[1]?.[2], '10.0.0.0/8')
})
