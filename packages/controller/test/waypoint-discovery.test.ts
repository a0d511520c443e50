// Against a real API server and over real xDS: whom a waypoint is told of, and what routes and services then say.
import { TYPE_URLS } from '@ambit/api'
import { systemClock, Watchable, when } from '@ambit/core'
import { KINDS, type KubeObject } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import { RecordingLogger, RecordingMetrics } from '@ambit/testing'
import { DeltaClient } from '@ambit/xds'
import test from 'ava'
import { type Controller, startController } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { startTestCluster, type TestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import * as make from './support/objects.ts'

const GATEWAY_LABEL = 'gateway.networking.k8s.io/gateway-name'
const CRDS = [
  'istio/security.istio.io_authorizationpolicies',
  'gateway-api/gateway.networking.k8s.io_gateways',
  'gateway-api/gateway.networking.k8s.io_gatewayclasses',
  'gateway-api/gateway.networking.k8s.io_httproutes',
  'gateway-api/gateway.networking.k8s.io_referencegrants',
]

interface World extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly controller: Controller
  readonly logger: RecordingLogger
}

async function start(): Promise<World> {
  await using cleanup = new AsyncDisposableStack()
  const logger = new RecordingLogger()
  const cluster = cleanup.use(await startTestCluster(logger))
  for (const file of CRDS) await cluster.applyManifest(`crds/${file}.yaml`)
  await cluster.applyManifest('manifests/00-namespace.yaml')
  await cluster.applyManifest('manifests/10-base.yaml')
  await cluster.applyManifest('manifests/20-istiod.yaml')
  for (const name of ['one', 'two']) {
    await cluster.put(make.namespace(name, { labels: { 'istio.io/use-waypoint': 'wp' } }))
    await cluster.put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: name, name: 'wp' } })
    await cluster.put(make.gateway(`${name}/wp`))
    await cluster.put(service(`${name}/s`))
    await cluster.put(podOf(`${name}/wp-1`, { [GATEWAY_LABEL]: 'wp' }))
  }
  const config = readConfig({
    variables: { POD_NAME: 'istiod-1' },
    args: ['discovery', '--monitoringAddr=:0', '--httpAddr=:0', '--secureGRPCAddr=:0', '--httpsAddr=:0'],
  })
  const token = await cluster.apiToken({ namespace: 'istio-system', serviceAccount: 'istiod' })
  const controller = cleanup.use(
    await startController(config, {
      logger,
      metrics: new PrometheusMetrics(),
      kubeConfig: cluster.configFor(token),
      listenIp: '127.0.0.1',
    }),
  )
  const owned = cleanup.move()
  return { cluster, controller, logger, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function service(at: string): KubeObject {
  const [namespace = '', name = ''] = at.split('/')
  const spec = { ports: [{ name: 'http', port: 80, targetPort: 8080 }] }
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec } as KubeObject
}

function podOf(at: string, labels: Readonly<Record<string, string>>): KubeObject {
  const spec = { serviceAccountName: 'wp', nodeName: 'node-a', containers: [{ name: 'app', image: 'app' }] }
  return make.pod(at, { spec }, { labels, metadata: {} })
}

type Held = ReadonlyMap<string, string>

/** A waypoint of the namespace, which says it is the pod. */
async function connect(
  { cluster, controller, logger }: World,
  namespace: string,
  pod: string,
): Promise<{ readonly client: DeltaClient; readonly held: Watchable<Held>; readonly told: string[] }> {
  const told: string[] = []
  const held = new Watchable<Held>(new Map())
  const types = [TYPE_URLS.waypointSettings, TYPE_URLS.httpAuthorization, TYPE_URLS.destination].map((typeUrl) => ({
    typeUrl,
    mode: 'wildcard' as const,
    apply: ({ upserts, removed }: { upserts: readonly { name: string }[]; removed: readonly string[] }) => {
      const next = new Map(held.value)
      const short = typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
      for (const name of removed) next.delete(`${short} ${name}`)
      for (const { name } of upserts) next.set(`${short} ${name}`, name)
      told.push(...removed.map((name) => `-${short} ${name}`), ...upserts.map(({ name }) => `+${short} ${name}`))
      held.set(next)
      return []
    },
  }))
  const token = await cluster.proxyToken({ namespace, serviceAccount: 'wp' })
  const client = new DeltaClient(
    { logger, clock: systemClock, metrics: new RecordingMetrics() },
    {
      address: `https://localhost:${controller.tlsPort}`,
      root: { pem: controller.rootsPem },
      altHostname: 'istiod.istio-system.svc',
      token: { token },
      clusterId: 'Kubernetes',
      node: {
        id: `waypoint~10.0.0.1~${pod}.${namespace}~${namespace}.svc.cluster.local`,
        metadata: { NAMESPACE: namespace },
      },
      types,
    },
  )
  client.start()
  return { client, held, told }
}

function has(held: Held, ...names: readonly string[]): boolean {
  return held.size === names.length && names.every((name) => held.has(name))
}

test('a waypoint is told of what it serves, nobody else’s pod is believed, routes and services say what became of them', async (t) => {
  await using world = await start()
  const { cluster, logger } = world
  const one = await connect(world, 'one', 'wp-1')
  await using _one = one.client
  await when(one.held, (held) => has(held, 'Settings one/wp', 'Destination one/s.one.svc.cluster.local'))
  const policy = make.policy(
    'one/p',
    { targetRefs: [{ group: '', kind: 'Service', name: 's' }], rules: [{}] },
    { metadata: {} },
  )
  one.told.length = 0
  await cluster.put(policy)
  await when(one.held, (held) => held.has('HttpAuthorization one/p'))
  await cluster.client.delete(KINDS.authorizationPolicy, { namespace: 'one', name: 'p' })
  await when(one.held, (held) => !held.has('HttpAuthorization one/p'))
  const [come, go] = ['+HttpAuthorization one/p', '-HttpAuthorization one/p']
  const destination = '+Destination one/s.one.svc.cluster.local'
  t.deepEqual(one.told, [come, destination, destination, go], 'a destination never names a policy that is not there')
  await cluster.put(policy)
  await when(one.held, (held) => held.has('HttpAuthorization one/p'))
  t.false([...one.held.value.keys()].some((name) => name.includes('two')))

  // A pod that belongs to no Gateway, running as the waypoint's account.
  await cluster.put(podOf('two/other', {}))
  const stranger = await connect(world, 'two', 'other')
  await using _stranger = stranger.client
  await eventually(() =>
    Promise.resolve(logger.records.some((line) => JSON.stringify(line).includes('belongs to no Gateway')) || undefined),
  )
  t.is(stranger.held.value.size, 0)

  const parentRefs = [{ group: '', kind: 'Service', name: 's' }]
  await cluster.put(make.httpRoute('one/r', { parentRefs, rules: [{ backendRefs: [{ name: 'none', port: 80 }] }] }))
  const parents = await eventually(async () => {
    const route = await cluster.client.get(KINDS.httpRoute, { namespace: 'one', name: 'r' })
    return (route as { status?: { parents?: readonly unknown[] } } | undefined)?.status?.parents
  })
  t.like(parents[0], {
    controllerName: 'istio.io/gateway-controller',
    parentRef: { kind: 'Service', name: 's' },
    conditions: [
      { type: 'Accepted', status: 'True', observedGeneration: 1 },
      { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound', observedGeneration: 1 },
      { type: 'ResolvedWaypoints', status: 'True' },
    ],
  })

  await cluster.client.mergePatch(
    KINDS.service,
    { namespace: 'one', name: 's' },
    { metadata: { labels: { 'istio.io/use-waypoint': 'gone' } } },
  )
  await when(one.held, (held) => !held.has('Destination one/s.one.svc.cluster.local'))
  const reason = await eventually(async () => {
    const object = await cluster.client.get(KINDS.service, { namespace: 'one', name: 's' })
    const { conditions = [] } =
      (object as { status?: { conditions?: { type: string; reason: string }[] } }).status ?? {}
    return conditions.find(({ type }) => type === 'ambit.dev/WithoutWaypoint')?.reason
  })
  t.is(reason, 'TrafficBypassesWaypoint')
})
