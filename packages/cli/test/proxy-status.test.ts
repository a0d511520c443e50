import test from 'ava'
import * as fc from 'fast-check'
import { decodeSyncz } from '../src/proxy-status/decode-syncz.ts'
import { humanAge } from '../src/proxy-status/human-age.ts'
import { proxyStatusTable } from '../src/proxy-status/table.ts'
import { textTable } from '../src/text-table.ts'
import { parseBuildInfo, versionLines } from '../src/version/version-report.ts'

const NOW = Date.parse('2026-11-21T12:02:03Z')
const SYNCZ = [
  {
    cluster_id: 'Kubernetes',
    proxy: 'ztunnel~10.0.0.1~ztunnel-a.istio-system~istio-system.svc.cluster.local',
    proxy_type: 'ztunnel',
    istio_version: '0.1.0',
    resources: {
      'type.googleapis.com/istio.workload.Address': { sent: 'n1', acked: 'n1', sentTime: '2026-11-21T12:00:00Z' },
      'type.googleapis.com/istio.security.Authorization': { sent: 'n3', acked: 'n2' },
    },
  },
]

test('proxies with their subscribed types', (t) => {
  const proxies = decodeSyncz(SYNCZ).map((proxy) => ({ istiod: 'istiod-1', proxy }))
  t.deepEqual(textTable(proxyStatusTable(proxies, false, NOW), 5), [
    'NAME                       CLUSTER        ISTIOD       VERSION     SUBSCRIBED TYPES',
    'ztunnel-a.istio-system     Kubernetes     istiod-1     0.1.0       2 (WDS,WADS)',
  ])
  t.deepEqual(proxyStatusTable(proxies, true, NOW), [
    ['NAME', 'CLUSTER', 'ISTIOD', 'VERSION', 'WADS', 'WDS'],
    ['ztunnel-a.istio-system', 'Kubernetes', 'istiod-1', '0.1.0', 'STALE', 'SYNCED (2m3s)'],
  ])
})

test('a rejected push is an error, nothing sent is NOT SENT', (t) => {
  const [proxy] = decodeSyncz([{ proxy: 'a.b', resources: { x: { sent: 'n', acked: 'm', lastError: 'bad' }, y: {} } }])
  t.deepEqual(
    proxy?.types.map((type) => type.state),
    ['ERROR', 'NOT SENT'],
  )
})

test('any JSON decodes without throwing', (t) => {
  fc.assert(fc.property(fc.jsonValue(), (value) => t.true(Array.isArray(decodeSyncz(value)))))
})

test('a waypoint’s row names our types, all proxies are in order', (t) => {
  const resources = Object.fromEntries(
    [
      'istio.workload.Address',
      'ambit.waypoint.Settings',
      'ambit.waypoint.Destination',
      'ambit.waypoint.HttpAuthorization',
    ].map((name) => [`type.googleapis.com/${name}`, { sent: 'n', acked: 'n' }]),
  )
  const waypoint = { proxy: 'waypoint~10.0.0.2~waypoint-1.shop~shop.svc.cluster.local', istio_version: '1', resources }
  const proxies = decodeSyncz([...SYNCZ, waypoint]).map((proxy) => ({ istiod: 'istiod-1', proxy }))
  t.deepEqual(
    proxyStatusTable(proxies, false, NOW)
      .slice(1)
      .map((row) => [row[0], row[4]]),
    [
      ['waypoint-1.shop', '4 (WSDS,WHDS,WDS,WDDS)'],
      ['ztunnel-a.istio-system', '2 (WDS,WADS)'],
    ],
  )
})

const age = test.macro({
  exec(t, seconds: number, expected: string) {
    t.is(humanAge(seconds * 1000), expected)
  },
  title: (_, seconds: number) => `age of ${seconds} s`,
})
test(age, -5, '0s')
test(age, 119, '119s')
test(age, 120, '2m')
test(age, 123, '2m3s')
test(age, 660, '11m')
test(age, 4 * 3600 + 300, '4h5m')
test(age, 20 * 3600, '20h')
test(age, 50 * 3600, '2d2h')
test(age, 30 * 86_400, '30d')
test(age, 800 * 86_400, '2y70d')

test('versions are counted per proxy version', (t) => {
  const mesh = { Component: 'pilot', Info: parseBuildInfo('1-abc-Clean\n') }
  const proxies = ['2', '1', '1'].map((IstioVersion, index) => ({ ID: `p${index}.ns`, IstioVersion }))
  const report = { clientVersion: parseBuildInfo('1'), meshVersion: [mesh, mesh], dataPlaneVersion: proxies }
  t.deepEqual(versionLines(report), [
    'client version: 1',
    'control plane version: 1',
    'data plane version: 1 (2 proxies), 2 (1 proxies)',
  ])
  t.deepEqual(versionLines({ clientVersion: parseBuildInfo('1'), meshVersion: [] }).slice(1), [
    'control plane version: none',
    'data plane version: none',
  ])
})

test('a version of istiod holds revision and status', (t) => {
  t.deepEqual(parseBuildInfo('1.32-dev-0a1b2c-Modified'), {
    version: '1.32-dev',
    revision: '0a1b2c',
    status: 'Modified',
  })
  t.is(parseBuildInfo('nonsense').version, 'nonsense')
})
