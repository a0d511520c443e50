import { ip } from '@ambit/core'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { debugRoutes } from '../../controller/src/debug-routes.ts'
import { silent } from '../../sandbox/test/apiserver/harness.ts'
import { AdminServer } from '../../telemetry/src/index.ts'
import type { ConnectionStatus, ResourceSource } from '../../xds/src/index.ts'
import { START_MS, startTestMesh, type TestMesh } from './support/test-mesh.ts'

const PODS = { group: '', version: 'v1', resource: 'pods' }
const AGE_MS = 123_000

function connected(type: string, pod: string, names: readonly string[]): ConnectionStatus {
  const node = {
    id: `${type}~10.0.0.1~${pod}~x.svc.cluster.local`,
    metadata: { CLUSTER_ID: 'Kubernetes', ISTIO_VERSION: '0.1.0' },
  }
  const types = names.map((name) => ({
    typeUrl: `type.googleapis.com/${name}`,
    sentNonce: 'n1',
    ackedNonce: name.endsWith('Settings') ? '' : 'n1',
    lastError: '',
    lastSentMs: START_MS - AGE_MS,
  }))
  return { id: pod, node, types, peer: '10.0.0.1:1', connectedAtMs: 0 } as unknown as ConnectionStatus
}

const CONNECTED = [
  connected('ztunnel', 'ztunnel-a.istio-system', ['istio.workload.Address', 'istio.security.Authorization']),
  connected('waypoint', 'waypoint-1.shop', ['ambit.waypoint.Settings', 'ambit.waypoint.Destination']),
]

/** The controller's own debug endpoints behind a pod that the API server forwards to. */
async function withIstiod(
  connections: readonly ConnectionStatus[],
  body: (mesh: TestMesh) => Promise<void>,
): Promise<void> {
  const source = { snapshot: () => new Map() } as unknown as ResourceSource
  const routes = debugRoutes({ source, connections: () => connections, version: '0.1.0', isReady: () => true })
  const admin = new AdminServer({ logger: silent, routes })
  const { port } = await admin.listen({ ip: ip('127.0.0.1'), port: 0 })
  await using mesh = await startTestMesh({ gatewayApi: false })
  const { client } = mesh.api.api
  await mesh.must('create', 'ns', 'istio-system')
  const metadata = { namespace: 'istio-system', labels: { app: 'istiod' } }
  await client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: 'istiod-1', annotations: { 'prometheus.io/port': String(port) } },
    spec: { nodeName: 'n1', containers: [{ name: 'discovery', image: 'i' }] },
  })
  const state = { name: 'discovery', image: 'i', imageID: '', ready: true, restartCount: 0, state: { running: {} } }
  const status = { phase: 'Running', podIP: '127.0.0.1', containerStatuses: [state] }
  await client.patch(PODS, 'istio-system', 'istiod-1', { status }, { subresource: 'status' })
  try {
    await body(mesh)
  } finally {
    await admin.close()
  }
}

const asked =
  (connections: readonly ConnectionStatus[], body: (t: ExecutionContext, mesh: TestMesh) => Promise<void>) =>
  (t: ExecutionContext): Promise<void> =>
    withIstiod(connections, (mesh) => body(t, mesh))

test(
  'version counts waypoints among the proxies, in every format',
  asked(CONNECTED, async (t, { ambit }) => {
    t.deepEqual(await ambit('version'), {
      code: 0,
      out: ['client version: 9.9.9', 'control plane version: 0.1.0', 'data plane version: 0.1.0 (2 proxies)'],
      err: [],
    })
    const report = {
      clientVersion: { version: '9.9.9', revision: 'unknown', status: 'unknown' },
      meshVersion: [{ Component: 'pilot', Info: { version: '0.1.0', revision: 'ambit', status: 'Clean' } }],
      dataPlaneVersion: [
        { ID: 'waypoint-1.shop', IstioVersion: '0.1.0' },
        { ID: 'ztunnel-a.istio-system', IstioVersion: '0.1.0' },
      ],
    }
    t.deepEqual(JSON.parse((await ambit('version -o json')).out.join('\n')), report)
    t.deepEqual(parse((await ambit('version -o yaml')).out.join('\n')), report)
    t.deepEqual((await ambit('version --remote=false')).out, ['client version: 9.9.9'])
  }),
)

test(
  'proxy-status shows waypoints, by namespace and per type as well',
  asked(CONNECTED, async (t, { ambit }) => {
    t.deepEqual((await ambit('ps')).out, [
      'NAME                       CLUSTER        ISTIOD       VERSION     SUBSCRIBED TYPES',
      'waypoint-1.shop            Kubernetes     istiod-1     0.1.0       2 (WSDS,WDDS)',
      'ztunnel-a.istio-system     Kubernetes     istiod-1     0.1.0       2 (WDS,WADS)',
    ])
    t.deepEqual((await ambit('ps -n shop -v 1')).out, [
      'NAME                CLUSTER        ISTIOD       VERSION     WDDS              WSDS',
      'waypoint-1.shop     Kubernetes     istiod-1     0.1.0       SYNCED (2m3s)     STALE (2m3s)',
    ])
    const json = JSON.parse((await ambit('proxy-status -o json -n shop')).out.join('\n')) as object[]
    t.is(json.length, 1)
    t.deepEqual(await ambit('ps ztunnel-a.istio-system'), {
      code: 1,
      out: [],
      err: ['Sync diff is not available for ztunnel pod ztunnel-a.istio-system'],
    })
  }),
)

test(
  'an empty mesh is no failure',
  asked([], async (t, { ambit }) => {
    const heading = ['NAME', 'CLUSTER', 'ISTIOD', 'VERSION', 'SUBSCRIBED TYPES'].join('     ')
    t.deepEqual(await ambit('ps'), { code: 0, out: [heading], err: [] })
    t.is((await ambit('version')).out[2], 'data plane version: none')
  }),
)

test('without a control plane, version tells the client’s and proxy-status fails', async (t) => {
  await using mesh = await startTestMesh({ gatewayApi: false })
  t.deepEqual(await mesh.ambit('version'), {
    code: 0,
    out: ['client version: 9.9.9'],
    err: ['no ready Istio pods in "istio-system"'],
  })
  t.is((await mesh.ambit('ps')).code, 1)
})
