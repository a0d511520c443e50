// Gateways of class istio-waypoint on a real API server, with the installation's own rights.
import { KINDS, type KubeObject } from '@ambit/kube'
import { PrometheusMetrics } from '@ambit/telemetry'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import { startController } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { list, record } from '../src/watch/json.ts'
import { startTestCluster, type TestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import * as make from './support/objects.ts'

type Fields = Readonly<Record<string, unknown>>
type Full = KubeObject & { readonly spec: Fields; readonly status?: Fields }

type Role = KubeObject & { readonly rules: readonly { readonly resources: readonly string[] }[] }

const CLUSTER_ROLE = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', plural: 'clusterroles' }

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
}
const CLASSES_CRD = 'crds/gateway-api/gateway.networking.k8s.io_gatewayclasses.yaml'

interface World extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly logger: RecordingLogger
  get(kind: (typeof KINDS)[keyof typeof KINDS], name: string): Promise<Full | undefined>
}

/** With the rights of the installation, but for `without`: resource by the role that grants it. */
async function start(without: Readonly<Record<string, string>> = {}, gatewayApi?: 'old Gateway API'): Promise<World> {
  await using cleanup = new AsyncDisposableStack()
  const logger = new RecordingLogger()
  const cluster = cleanup.use(await startTestCluster(logger))
  await cluster.applyManifest('crds/gateway-api/gateway.networking.k8s.io_gateways.yaml')
  await cluster.applyManifest(CLASSES_CRD)
  if (gatewayApi !== undefined) {
    const name = 'gatewayclasses.gateway.networking.k8s.io'
    const crd = await cluster.client.get<Full>(CRD, { name })
    const versions = list(crd?.spec['versions'])
      .map(record)
      .filter(({ name: version }) => version !== 'v1')
      .map((version) => ({ ...version, storage: true }))
    const annotations = { 'gateway.networking.k8s.io/bundle-version': 'v0.8.1' }
    await cluster.client.mergePatch(CRD, { name }, { metadata: { annotations }, spec: { versions } })
  }
  await cluster.applyManifest('manifests/00-namespace.yaml')
  await cluster.applyManifest('manifests/10-base.yaml')
  await cluster.applyManifest('manifests/20-istiod.yaml')
  for (const [name, resource] of Object.entries(without)) {
    const role = await cluster.client.get<Role>(CLUSTER_ROLE, { name })
    const rules = role?.rules.filter(({ resources }) => !resources.includes(resource))
    await cluster.client.mergePatch(CLUSTER_ROLE, { name }, { rules })
  }
  await cluster.put(make.namespace('demo'))
  const token = await cluster.apiToken({ namespace: 'istio-system', serviceAccount: 'istiod' })
  const config = readConfig({
    variables: { POD_NAME: 'istiod-1' },
    args: ['discovery', '--monitoringAddr=:0', '--httpAddr=:0', '--secureGRPCAddr=:0', '--httpsAddr=:0'],
  })
  cleanup.use(
    await startController(config, {
      logger,
      metrics: new PrometheusMetrics(),
      kubeConfig: cluster.configFor(token),
      listenIp: '127.0.0.1',
    }),
  )
  const owned = cleanup.move()
  return {
    cluster,
    logger,
    get: (kind, name) => cluster.client.get<Full>(kind, { namespace: 'demo', name }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function waypoint(name: string, spec: Fields = {}, extra: make.Extra = {}): KubeObject {
  const { status: _, ...object } = make.gateway(`demo/${name}`, { spec }, extra) as Full
  return object
}

function condition(object: Full | undefined, type: string): Fields | undefined {
  return (object?.status?.['conditions'] as Fields[] | undefined)?.find((one) => one['type'] === type)
}

test('classes are made, a Gateway becomes objects, and its status follows the endpoints', async (t) => {
  await using world = await start()
  const { cluster } = world
  for (const name of ['istio', 'istio-remote', 'istio-waypoint']) {
    const made = await eventually(async () => {
      const object = await cluster.client.get<Full>(KINDS.gatewayClass, { name })
      return condition(object, 'Accepted')?.['status'] === 'True' ? object : undefined
    })
    t.like(condition(made, 'Accepted'), { status: 'True', reason: 'Accepted', message: 'Handled by Istio controller' })
  }
  const owner = await cluster.put(waypoint('wp', {}, { labels: { 'istio.io/waypoint-for': 'all' } }))
  const deployment = await eventually(() => world.get(KINDS.deployment, 'wp'))
  const service = await eventually(() => world.get(KINDS.service, 'wp'))
  const account = await eventually(() => world.get(KINDS.serviceAccount, 'wp'))
  for (const object of [deployment, service, account]) {
    t.is(object.metadata.labels?.['gateway.istio.io/managed'], 'istio.io-mesh-controller')
    t.is(object.metadata.ownerReferences?.[0]?.uid, owner.metadata.uid)
  }
  t.like(deployment.spec, { template: { spec: { containers: [{ image: 'ambit/waypoint:0.1.0' }] } } })
  t.is(await world.get(KINDS.horizontalPodAutoscaler, 'wp'), undefined)
  const gateway = await eventually(async () => {
    const object = await world.get(KINDS.gateway, 'wp')
    return condition(object, 'Programmed')?.['reason'] === 'AddressNotAssigned' ? object : undefined
  })
  t.is(gateway.metadata.annotations?.['gateway.istio.io/controller-version'], '5')
  t.like(condition(gateway, 'Programmed'), { status: 'False', reason: 'AddressNotAssigned', observedGeneration: 1 })
  t.is(gateway.status?.['addresses'], undefined)

  const endpoints = (ready: boolean): KubeObject =>
    make.slice('demo/wp-1', 'wp', { endpoints: [{ addresses: ['10.0.0.5'], conditions: { ready } }], ports: [] })
  await cluster.put(endpoints(true))
  const programmed = await eventually(async () => {
    const object = await world.get(KINDS.gateway, 'wp')
    return condition(object, 'Programmed')?.['status'] === 'True' ? object : undefined
  })
  t.deepEqual(programmed.status?.['addresses'], [
    ...(service.spec['clusterIPs'] as string[]).map((value) => ({ type: 'IPAddress', value })),
    { type: 'Hostname', value: 'wp.demo.svc.cluster.local' },
  ])
  t.is(
    condition(programmed, 'Programmed')?.['message'],
    'Resource programmed, assigned to service(s) wp.demo.svc.cluster.local:15008',
  )
  await cluster.client.delete(
    { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', plural: 'endpointslices' },
    { namespace: 'demo', name: 'wp-1' },
  )
  const lost = await eventually(async () => {
    const object = await world.get(KINDS.gateway, 'wp')
    return condition(object, 'Programmed')?.['status'] === 'False' ? object : undefined
  })
  t.deepEqual(lost.status?.['addresses'], programmed.status?.['addresses'], 'addresses outlive the pods')
  t.deepEqual(
    world.logger.records.filter(({ level }) => level === 'error' || level === 'warn'),
    [],
  )
})

test('what belongs to others is left alone: objects, Gateways, classes', async (t) => {
  await using world = await start()
  const { cluster } = world
  const later = { annotations: { 'gateway.istio.io/controller-version': '6' } }
  await cluster.put(waypoint('later', {}, later))
  await cluster.put(waypoint('canary', {}, { labels: { 'istio.io/rev': 'canary' } }))
  await cluster.put(waypoint('foreign', { gatewayClassName: 'nginx' }))
  await cluster.put(waypoint('bound', { addresses: [{ type: 'Hostname', value: 'later' }] }))
  const first = await cluster.put(waypoint('first'))
  await eventually(() => world.get(KINDS.deployment, 'first'))
  // A second Gateway claims the names of the first.
  await cluster.put(waypoint('thief', {}, { annotations: { 'gateway.istio.io/name-override': 'first' } }))
  await cluster.put(waypoint('last'))
  await eventually(() => world.get(KINDS.deployment, 'last'))
  await eventually(async () =>
    world.logger.records.some(({ message }) => message.includes('it belongs to Gateway first')),
  )
  const claimed = await world.get(KINDS.deployment, 'first')
  t.is(claimed?.metadata.ownerReferences?.[0]?.uid, first.metadata.uid)
  t.is(claimed?.metadata.labels?.['gateway.networking.k8s.io/gateway-name'], 'first')
  for (const name of ['later', 'canary', 'foreign', 'bound', 'thief'])
    t.is(await world.get(KINDS.deployment, name), undefined, name)
  await cluster.put(
    make.slice('demo/first-1', 'first', {
      endpoints: [{ addresses: ['10.0.0.5'], conditions: { ready: true } }],
      ports: [],
    }),
  )
  await eventually(async () => condition(await world.get(KINDS.gateway, 'first'), 'Programmed')?.['status'] === 'True')
  t.is((await world.get(KINDS.gateway, 'thief'))?.status?.['addresses'], undefined)
  for (const name of ['canary', 'foreign'])
    t.false(condition(await world.get(KINDS.gateway, name), 'Accepted')?.['status'] === 'True', name)

  const changed = { spec: { description: 'ours now' } }
  await cluster.client.mergePatch(KINDS.gatewayClass, { name: 'istio-waypoint' }, changed)
  await cluster.client.delete(KINDS.gatewayClass, { name: 'istio' })
  await eventually(() => cluster.client.get(KINDS.gatewayClass, { name: 'istio' }))
  t.like(await cluster.client.get(KINDS.gatewayClass, { name: 'istio-waypoint' }), changed)
})

test('what is changed comes back, and settings and overlays reach what is there', async (t) => {
  await using world = await start()
  const { cluster } = world
  const parametersRef = { group: '', kind: 'ConfigMap', name: 'options' }
  await cluster.put(waypoint('wp', { infrastructure: { parametersRef } }))
  const refused = await eventually(async () => {
    const object = await world.get(KINDS.gateway, 'wp')
    return condition(object, 'Accepted')?.['reason'] === 'InvalidParameters' ? object : undefined
  })
  t.is(condition(refused, 'Accepted')?.['message'], 'parametersRef ConfigMap demo/options does not exist')
  t.is(await world.get(KINDS.deployment, 'wp'), undefined)
  const options = (data: Fields, at = 'demo/options', labels: Readonly<Record<string, string>> = {}): KubeObject => {
    const [namespace = '', name = ''] = at.split('/')
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, labels }, data } as KubeObject
  }
  await cluster.put(options({ deployment: 'spec: {replicas: 2}' }))
  await eventually(async () => (await world.get(KINDS.deployment, 'wp'))?.spec['replicas'] === 2)
  await eventually(async () => condition(await world.get(KINDS.gateway, 'wp'), 'Accepted')?.['status'] === 'True')

  await cluster.client.mergePatch(KINDS.deployment, { namespace: 'demo', name: 'wp' }, { spec: { replicas: 7 } })
  await eventually(async () => (await world.get(KINDS.deployment, 'wp'))?.spec['replicas'] === 2)
  await cluster.client.delete(KINDS.serviceAccount, { namespace: 'demo', name: 'wp' })
  await eventually(() => world.get(KINDS.serviceAccount, 'wp'))

  const forClass = { 'gateway.istio.io/defaults-for-class': 'istio-waypoint' }
  const defaults = { podDisruptionBudget: 'spec: {minAvailable: 1}' }
  await cluster.put(options(defaults, 'istio-system/defaults', forClass))
  await eventually(() => world.get(KINDS.podDisruptionBudget, 'wp'))
  await cluster.client.delete(KINDS.configMap, { namespace: 'istio-system', name: 'defaults' })
  await eventually(async () => (await world.get(KINDS.podDisruptionBudget, 'wp')) === undefined)

  const at = { namespace: 'istio-system', name: 'istio-sidecar-injector' }
  const values = { global: { hub: 'r.example', tag: 'v2', proxy: { image: 'waypoint' } } }
  await cluster.client.mergePatch(KINDS.configMap, at, { data: { values: JSON.stringify(values) } })
  await eventually(async () =>
    JSON.stringify(await world.get(KINDS.deployment, 'wp')).includes('"image":"r.example/waypoint:v2"'),
  )
  // Values that can not be read change nothing.
  await cluster.client.mergePatch(KINDS.configMap, at, { data: { values: '{' } })
  await eventually(async () =>
    world.logger.records.some(({ message }) => message.includes('not deployed: ConfigMap of')),
  )
  t.true(JSON.stringify(await world.get(KINDS.deployment, 'wp')).includes('"image":"r.example/waypoint:v2"'))
})

test('it stops although the API server refuses it a kind', async (t) => {
  await using world = await start({ 'istiod-gateway-controller-istio-system': 'horizontalpodautoscalers' })
  await eventually(async () =>
    world.logger.records.some(({ message }) => message.includes('watching horizontalpodautoscalers failed')),
  )
  await world.cluster.put(waypoint('wp'))
  await eventually(async () => condition(await world.get(KINDS.gateway, 'wp'), 'Accepted')?.['status'] === 'True')
  t.is(await world.get(KINDS.deployment, 'wp'), undefined)
})

test('definitions of Gateway API that are too old are named, and newer ones are taken up', async (t) => {
  await using world = await start({}, 'old Gateway API')
  await eventually(async () =>
    world.logger.records.some(({ message }) => message.startsWith('Gateway API v0.8.1 lacks v1: no Gateway is seen')),
  )
  t.is(world.logger.records.filter(({ message }) => message.startsWith('Gateway API')).length, 1)
  await world.cluster.applyManifest(CLASSES_CRD)
  await eventually(() => world.cluster.client.get(KINDS.gatewayClass, { name: 'istio-waypoint' }))
})
