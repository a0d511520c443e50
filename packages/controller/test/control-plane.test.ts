import { TYPE_URLS, workloadpb } from '@ambit/api'
import { type SpiffeId, systemClock, Watchable, when } from '@ambit/core'
import { certificatesOfPem, createCsr, GrpcCaClient, identityOfCertificate } from '@ambit/identity'
import { KINDS, type KubeObject } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import { RecordingLogger, RecordingMetrics } from '@ambit/testing'
import { DeltaClient, type DeltaClientOptions, type TypeSubscription } from '@ambit/xds'
import { fromBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { type Controller, startController } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { startTestCluster, type TestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import * as make from './support/objects.ts'

interface World extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly controller: Controller
  readonly logger: RecordingLogger
  readonly ztunnel: { readonly name: string; readonly uid: string }
}

/** An installed cluster with a ztunnel on node-a and the workload demo/a on it, demo/b elsewhere. */
async function start(): Promise<World> {
  await using cleanup = new AsyncDisposableStack()
  const logger = new RecordingLogger()
  const cluster = cleanup.use(await startTestCluster(logger))
  await cluster.applyManifest('crds/istio/security.istio.io_authorizationpolicies.yaml')
  await cluster.applyManifest('crds/istio/networking.istio.io_serviceentries.yaml')
  await cluster.applyManifest('manifests/00-namespace.yaml')
  await cluster.applyManifest('manifests/10-base.yaml')
  await cluster.applyManifest('manifests/20-istiod.yaml')
  await cluster.put(make.namespace('demo'))
  for (const at of ['istio-system/ztunnel', 'demo/a', 'demo/b'])
    await cluster.put({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { namespace: at.split('/')[0] ?? '', name: at.split('/')[1] ?? '' },
    })
  const proxy = await cluster.put(podOf('istio-system/ztunnel-x', 'ztunnel', 'node-a', '10.0.0.10'))
  await cluster.put(podOf('demo/a', 'a', 'node-a', '10.0.0.1'))
  await cluster.put(podOf('demo/b', 'b', 'node-b', '10.0.0.2'))
  const token = await cluster.apiToken({ namespace: 'istio-system', serviceAccount: 'istiod' })
  const config = readConfig({
    variables: { CA_TRUSTED_NODE_ACCOUNTS: 'istio-system/ztunnel', POD_NAME: 'istiod-1' },
    args: ['discovery', '--monitoringAddr=:0', '--httpAddr=:0', '--secureGRPCAddr=:0', '--httpsAddr=:0'],
  })
  const controller = cleanup.use(
    await startController(config, {
      logger,
      metrics: new PrometheusMetrics(),
      kubeConfig: cluster.configFor(token),
      listenIp: '127.0.0.1',
    }),
  )
  const owned = cleanup.move()
  const ztunnel = { name: proxy.metadata.name, uid: proxy.metadata.uid ?? '' }
  return { cluster, controller, logger, ztunnel, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function podOf(
  at: string,
  serviceAccountName: string,
  nodeName: string,
  ip: string,
  labels: Readonly<Record<string, string>> = {},
): KubeObject {
  const spec = { serviceAccountName, nodeName, containers: [{ name: 'app', image: 'app' }] }
  return make.pod(at, { ip, spec }, { labels, metadata: {} })
}

async function certificateFor(
  world: World,
  identity: SpiffeId,
  o: { token?: string; impersonate?: boolean } = {},
): Promise<string> {
  const token =
    o.token ??
    (await world.cluster.proxyToken({ namespace: 'istio-system', serviceAccount: 'ztunnel', pod: world.ztunnel }))
  await using ca = new GrpcCaClient(
    { logger: world.logger },
    {
      address: `https://localhost:${world.controller.tlsPort}`,
      root: { pem: world.controller.rootsPem },
      altHostname: 'istiod.istio-system.svc',
      token: { token },
      clusterId: 'Kubernetes',
      impersonate: o.impersonate ?? true,
    },
  )
  const { csrPem } = createCsr(identity)
  const [leaf = ''] = await ca.createCertificate({ csrPem, identity, ttlSeconds: 3600 })
  const [certificate] = certificatesOfPem(leaf, 'leaf')
  const issued = certificate && identityOfCertificate(certificate)
  return issued === undefined ? 'none' : `${issued.namespace}/${issued.serviceAccount}`
}

const id = (namespace: string, serviceAccount: string): SpiffeId => ({
  trustDomain: 'cluster.local',
  namespace,
  serviceAccount,
})

/** What a connected proxy holds. */
class Seen {
  readonly resources = new Watchable<ReadonlyMap<string, Uint8Array>>(new Map())
  readonly apply: TypeSubscription['apply'] = ({ upserts, removed }) => {
    const next = new Map(this.resources.value)
    for (const name of removed) next.delete(name)
    for (const { name, bytes } of upserts) next.set(name, bytes)
    this.resources.set(next)
    return []
  }

  names(): readonly string[] {
    return [...this.resources.value.keys()].sort()
  }
}

async function connectProxy(
  { cluster, controller, logger, ztunnel }: World,
  apply: TypeSubscription['apply'],
  namespace = 'istio-system',
  mode: TypeSubscription['mode'] = 'wildcard',
): Promise<DeltaClient> {
  const token = await cluster.proxyToken({ namespace: 'istio-system', serviceAccount: 'ztunnel', pod: ztunnel })
  const options: DeltaClientOptions = {
    address: `https://localhost:${controller.tlsPort}`,
    root: { pem: controller.rootsPem },
    altHostname: 'istiod.istio-system.svc',
    token: { token },
    clusterId: 'Kubernetes',
    node: {
      id: `ztunnel~10.0.0.10~ztunnel-x.${namespace}~${namespace}.svc.cluster.local`,
      metadata: { NAMESPACE: namespace },
    },
    types: [
      { typeUrl: TYPE_URLS.address, mode, apply },
      { typeUrl: TYPE_URLS.authorization, mode: 'wildcard', apply },
    ],
  }
  return new DeltaClient({ clock: systemClock, logger, metrics: new RecordingMetrics() }, options)
}

test('an installed control plane serves certificates, configuration and status', async (t) => {
  await using world = await start()
  const { cluster, controller } = world

  t.is(await certificateFor(world, id('demo', 'a')), 'demo/a', 'a node proxy gets certificates of pods on its node')
  const refused = { message: /UNAUTHENTICATED|authenticate failure/ }
  await t.throwsAsync(certificateFor(world, id('demo', 'b')), refused, 'and no others')
  const own = await cluster.proxyToken({ namespace: 'demo', serviceAccount: 'a' })
  await t.throwsAsync(
    certificateFor(world, id('demo', 'a'), { token: own }),
    refused,
    'nor does an account not trusted',
  )
  t.is(await certificateFor(world, id('demo', 'a'), { token: own, impersonate: false }), 'demo/a')
  const foreign = await cluster.apiToken({ namespace: 'istio-system', serviceAccount: 'ztunnel' })
  await t.throwsAsync(
    certificateFor(world, id('demo', 'a'), { token: foreign }),
    refused,
    'nor a token of another audience',
  )

  const roots = await eventually(() =>
    cluster.client.get(KINDS.configMap, { namespace: 'demo', name: 'istio-ca-root-cert' }),
  )
  t.is((roots as unknown as { data: Record<string, string> }).data['root-cert.pem'], controller.rootsPem)

  const published = controller.table.lookup(TYPE_URLS.address, 'Kubernetes//Pod/demo/a')
  const { type } = fromBinary(workloadpb.AddressSchema, published?.bytes ?? new Uint8Array())
  t.is(type.case === 'workload' ? type.value.serviceAccount : undefined, 'a')

  t.deepEqual(
    world.logger.records.filter(({ level }) => level === 'error').map(({ message }) => message),
    [],
  )
})

test('a connected proxy is told of changes, and policies of what became of them', async (t) => {
  await using world = await start()
  const { cluster } = world
  const seen = new Seen()
  const connect = (namespace: string): Promise<DeltaClient> => connectProxy(world, seen.apply, namespace)
  await using client = await connect('istio-system')
  client.start()
  await client.synced
  t.true(seen.resources.value.has('Kubernetes//Pod/demo/a'))
  t.true(seen.resources.value.has('istio-system/istiod.istio-system.svc.cluster.local'))

  const annotated = when(seen.resources, (resources) => {
    const { type } = fromBinary(workloadpb.AddressSchema, resources.get('Kubernetes//Pod/demo/a') ?? new Uint8Array())
    return type.case === 'workload' && type.value.tunnelProtocol === workloadpb.TunnelProtocol.HBONE
  })
  const started = performance.now()
  const patch = { metadata: { annotations: { 'ambient.istio.io/redirection': 'enabled' } } }
  await cluster.client.mergePatch(KINDS.pod, { namespace: 'demo', name: 'a' }, patch)
  await annotated
  t.log(`annotation to proxy: ${Math.round(performance.now() - started)} ms`)

  const published = when(seen.resources, (resources) => resources.has('demo/http'))
  await cluster.put(make.policy('demo/http', { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] }))
  await published
  const policy = await eventually(async () => {
    const object = await cluster.client.get<
      KubeObject & { status?: { conditions?: readonly Record<string, unknown>[] } }
    >(KINDS.authorizationPolicy, { namespace: 'demo', name: 'http' })
    return object?.status?.conditions?.[0]
  })
  t.like(policy, { type: 'ZtunnelAccepted', status: 'True', reason: 'UnsupportedValue', observedGeneration: 1 })
  t.regex(String(policy['message']), /found: methods.*more restrictive than requested\.$/)

  await cluster.put(make.service('demo/s', { clusterIP: undefined }, { labels: { 'istio.io/use-waypoint': 'wp' } }))
  const conditions = async (): Promise<readonly Record<string, unknown>[]> => {
    const at = { namespace: 'demo', name: 's' }
    const service = await cluster.client.get<KubeObject & { status?: { conditions?: Record<string, unknown>[] } }>(
      KINDS.service,
      at,
    )
    return service?.status?.conditions ?? []
  }
  await eventually(async () => (await conditions())[0]?.['message'] === 'waypoint "demo/wp" is not ready')
  await cluster.client.mergePatch(
    KINDS.service,
    { namespace: 'demo', name: 's' },
    { metadata: { labels: { 'istio.io/use-waypoint': null } } },
  )
  await eventually(async () => (await conditions()).length === 0)

  const addressed = when(seen.resources, (resources) => {
    const { type } = fromBinary(workloadpb.AddressSchema, resources.get('demo/example.org') ?? new Uint8Array())
    return type.case === 'service' && type.value.addresses.length === 2
  })
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }]
  await cluster.put(make.serviceEntry('demo/se', { hosts: ['example.org'], ports, resolution: 'DNS' }))
  await addressed

  await using stranger = await connect('demo')
  stranger.start()
  await eventually(async () =>
    world.logger.records.some(
      ({ message, fields }) =>
        message === 'xDS client refused' && /claims another namespace/.test(String(fields['reason'])),
    ),
  )
  t.pass()
})

test('a proxy that asks on demand gets what it asks for, the workloads of a service with it, and their changes', async (t) => {
  await using world = await start()
  const { cluster } = world
  const labels = { app: 'web' }
  await cluster.put(podOf('demo/w1', 'a', 'node-a', '10.0.0.21', labels))
  await cluster.put(make.service('demo/web', { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20'], selector: labels }))
  await eventually(async () => world.controller.table.lookup(TYPE_URLS.address, '/10.96.0.20'))
  const seen = new Seen()
  await using proxy = await connectProxy(world, seen.apply, 'istio-system', 'on-demand')
  proxy.start()
  await proxy.synced
  t.deepEqual(seen.names(), [])

  await proxy.demand(TYPE_URLS.address, '/10.96.0.20')
  const service = 'demo/web.demo.svc.cluster.local'
  t.deepEqual(seen.names(), ['Kubernetes//Pod/demo/w1', service])
  await proxy.demand(TYPE_URLS.address, '/10.0.0.2')
  t.deepEqual(seen.names(), ['Kubernetes//Pod/demo/b', 'Kubernetes//Pod/demo/w1', service])
  await proxy.demand(TYPE_URLS.address, '/192.0.2.1')
  t.is(seen.names().length, 3, 'what nobody has is answered too')

  const joined = when(seen.resources, (resources) => resources.has('Kubernetes//Pod/demo/w2'))
  await cluster.put(podOf('demo/w2', 'a', 'node-b', '10.0.0.22', labels))
  await joined
  const gone = when(seen.resources, (resources) => !resources.has('Kubernetes//Pod/demo/w1'))
  const ended = { status: { phase: 'Succeeded' } }
  await cluster.client.mergePatch(KINDS.pod, { namespace: 'demo', name: 'w1' }, ended, { subresource: 'status' })
  await gone
  t.deepEqual(seen.names(), ['Kubernetes//Pod/demo/b', 'Kubernetes//Pod/demo/w2', service])

  const demanded = when(seen.resources, (resources) => resources.has('demo/later.demo.svc.cluster.local'))
  await proxy.demand(TYPE_URLS.address, 'demo/later.demo.svc.cluster.local')
  await cluster.put(make.service('demo/later', { clusterIP: '10.96.0.21', clusterIPs: ['10.96.0.21'] }))
  await demanded
})

test('configuration of another revision and namespaces not selected do not count', async (t) => {
  await using world = await start()
  const { cluster, controller } = world
  const published = (typeUrl: string, name: string): boolean => controller.table.lookup(typeUrl, name) !== undefined
  const pod = 'Kubernetes//Pod/demo/a'
  await cluster.put(make.policy('demo/other', { rules: [{}] }, { labels: { 'istio.io/rev': 'canary' } }))
  await cluster.put(make.policy('demo/ours', { rules: [{}] }, { labels: { 'istio.io/rev': 'default' } }))
  await eventually(async () => published(TYPE_URLS.authorization, 'demo/ours'))
  t.false(published(TYPE_URLS.authorization, 'demo/other'))
  const conditions = async (name: string): Promise<number> => {
    const policy = await cluster.client.get<KubeObject & { readonly status?: { readonly conditions?: unknown[] } }>(
      KINDS.authorizationPolicy,
      { namespace: 'demo', name },
    )
    return policy?.status?.conditions?.length ?? 0
  }
  await eventually(async () => (await conditions('ours')) === 1)
  t.is(await conditions('other'), 0, 'its own control plane says what became of it')

  const tag = { labels: { 'istio.io/rev': 'default', 'istio.io/tag': 'canary' } }
  await cluster.put(make.service('istio-system/istiod-canary', { clusterIP: undefined }, tag))
  await eventually(async () => published(TYPE_URLS.authorization, 'demo/other'))

  const meshConfig = async (mesh: string): Promise<unknown> =>
    cluster.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'istio-system', name: 'istio' },
      data: { mesh },
    } as KubeObject)
  await meshConfig('discoverySelectors: [{matchLabels: {env: prod}}]')
  await eventually(async () => !published(TYPE_URLS.address, pod))
  t.false(published(TYPE_URLS.authorization, 'demo/ours'))
  t.true(published(TYPE_URLS.address, 'Kubernetes//Pod/istio-system/ztunnel-x'), 'the root namespace stays')
  await cluster.put(make.namespace('demo', { labels: { env: 'prod' } }))
  await eventually(async () => published(TYPE_URLS.address, pod))
  t.true(published(TYPE_URLS.authorization, 'demo/ours'))
  await meshConfig('discoverySelectors: [{matchLabel: {env: other}}]')
  await eventually(async () => world.logger.records.some(({ message }) => /no label selector/.test(message)))
  t.true(published(TYPE_URLS.address, pod), 'settings that cannot be read change nothing')
})
