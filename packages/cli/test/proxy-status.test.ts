import test from 'ava'
import * as fc from 'fast-check'
import { decodeSyncz } from '../src/proxy-status/decode-syncz.ts'
import { proxyStatusTable } from '../src/proxy-status/table.ts'
import { textTable } from '../src/text-table.ts'
import { versionLines } from '../src/version/run-version.ts'

const SYNCZ = [
  {
    cluster_id: 'Kubernetes',
    proxy: 'ztunnel~10.0.0.1~ztunnel-a.istio-system~istio-system.svc.cluster.local',
    proxy_type: 'ztunnel',
    istio_version: '0.1.0',
    resources: {
      'type.googleapis.com/istio.workload.Address': { sent: 'n1', acked: 'n1' },
      'type.googleapis.com/istio.security.Authorization': { sent: 'n3', acked: 'n2' },
    },
  },
]

test('proxies with their subscribed types', (t) => {
  const proxies = decodeSyncz(SYNCZ).map((proxy) => ({ istiod: 'istiod-1', proxy }))
  t.deepEqual(textTable(proxyStatusTable(proxies, false), 5), [
    'NAME                       CLUSTER        ISTIOD       VERSION     SUBSCRIBED TYPES',
    'ztunnel-a.istio-system     Kubernetes     istiod-1     0.1.0       2 (WDS,WADS)',
  ])
  t.deepEqual(proxyStatusTable(proxies, true), [
    ['NAME', 'CLUSTER', 'ISTIOD', 'VERSION', 'WADS', 'WDS'],
    ['ztunnel-a.istio-system', 'Kubernetes', 'istiod-1', '0.1.0', 'STALE', 'SYNCED'],
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

test('versions are counted per proxy version', (t) => {
  t.deepEqual(versionLines({ client: '1', controlPlane: ['1', '1'], dataPlane: ['1', '1', '2'] }), [
    'client version: 1',
    'control plane version: 1',
    'data plane version: 1 (2 proxies), 2 (1 proxy)',
  ])
})
