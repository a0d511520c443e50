import { systemClock } from '@ambit/core'
import test from 'ava'
import { ApiCore } from '../../src/apiserver/api-core.ts'
import type { Gvr, KubeObject, WatchEvent } from '../../src/apiserver/contract.types.ts'
import { StatusError } from '../../src/apiserver/status-error.ts'
import { ObjectStore } from '../../src/apiserver/store/object-store.ts'
import { silent } from './harness.ts'

const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' }
const CONFIGS: Gvr = { group: '', version: 'v1', resource: 'configmaps' }
const SERVICES: Gvr = { group: '', version: 'v1', resource: 'services' }
const DEPLOYMENTS: Gvr = { group: 'apps', version: 'v1', resource: 'deployments' }
const NAMESPACES: Gvr = { group: '', version: 'v1', resource: 'namespaces' }

function setUp() {
  const core = new ApiCore({ clock: systemClock, logger: silent, caPem: 'root' })
  return { core, client: core.client('test') }
}

const config = (name: string, more: Record<string, unknown> = {}): KubeObject => {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', ...more } }
}

const pod = (name: string, spec: Record<string, unknown> = {}): KubeObject => {
  const containers = [{ name: 'c', image: 'i:1' }]
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: { containers, ...spec } }
}

/** Runs turns of the event loop until something holds. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (await holds()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('it never came to hold')
}

const isGone = (
  client: ReturnType<ApiCore['client']>,
  gvr: Gvr,
  name: string,
  namespace: string | undefined = 'default',
) =>
  client.get(gvr, namespace, name).then(
    () => false,
    (error: unknown) => error instanceof StatusError && error.status === 404,
  )

test('a namespace is born with its account and root certificates, and they come back', async (t) => {
  const { core, client } = setUp()
  using _core = core
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } })
  t.deepEqual((await client.get(CONFIGS, 'n', 'kube-root-ca.crt'))['data'], { 'ca.crt': 'root' })
  await client.delete(CONFIGS, 'n', 'kube-root-ca.crt')
  await eventually(async () => !(await isGone(client, CONFIGS, 'kube-root-ca.crt', 'n')))
  const accounts = { group: '', version: 'v1', resource: 'serviceaccounts' }
  t.is((await client.get(accounts, 'n', 'default')).metadata.name, 'default')
})

test('a pod gets its account, token volume, tolerations and defaults', async (t) => {
  const { core, client } = setUp()
  using _core = core
  const created = await client.create(PODS, pod('p'))
  const spec = created['spec'] as {
    volumes: { name: string }[]
    tolerations: unknown[]
    containers: { imagePullPolicy: string }[]
  }
  t.like(spec, { serviceAccountName: 'default', restartPolicy: 'Always', dnsPolicy: 'ClusterFirst' } as never)
  t.regex(spec.volumes[0]?.name ?? '', /^kube-api-access-\w{5}$/)
  t.is(spec.tolerations.length, 2)
  t.is(spec.containers[0]?.imagePullPolicy, 'IfNotPresent')
  await t.throwsAsync(client.create(PODS, pod('q', { serviceAccountName: 'none' })), {
    message: /serviceaccount "none" not found/,
  })
})

test('a scheduled pod is marked first and removed at grace zero', async (t) => {
  const { core, client } = setUp()
  using _core = core
  await client.create(PODS, pod('p'))
  await client.patch(PODS, 'default', 'p', { spec: { nodeName: 'n' } })
  await client.delete(PODS, 'default', 'p')
  t.is((await client.get(PODS, 'default', 'p')).metadata.deletionGracePeriodSeconds, 30)
  await client.updateStatus(PODS, { ...(await client.get(PODS, 'default', 'p')), status: { phase: 'Running' } })
  await client.delete(PODS, 'default', 'p', { gracePeriodSeconds: 0 })
  t.true(await isGone(client, PODS, 'p'))
})

test('what a pod runs cannot be changed, its image can', async (t) => {
  const { core, client } = setUp()
  using _core = core
  await client.create(PODS, pod('p'))
  const current = structuredClone(await client.get(PODS, 'default', 'p'))
  ;(current['spec'] as { containers: { image: string }[] }).containers[0]!.image = 'i:2'
  await client.update(PODS, current)
  await t.throwsAsync(client.patch(PODS, 'default', 'p', { spec: { hostNetwork: true } }), {
    message: /pod updates may not change/,
  })
})

test('services get distinct addresses, headless ones none, and keep them', async (t) => {
  const { core, client } = setUp()
  using _core = core
  const service = (name: string, spec: Record<string, unknown> = {}): KubeObject => {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { ports: [{ port: 80 }], ...spec },
    }
  }
  const ip = (object: KubeObject) => (object['spec'] as { clusterIP: string }).clusterIP
  const a = await client.create(SERVICES, service('a'))
  const b = await client.create(SERVICES, service('b'))
  t.not(ip(a), ip(b))
  t.regex(ip(a), /^10\.96\./)
  t.is(ip(await client.create(SERVICES, service('c', { clusterIP: 'None' }))), 'None')
  t.is(ip(await client.create(SERVICES, service('dns', { clusterIP: '10.96.0.10' }))), '10.96.0.10')
  await t.throwsAsync(client.create(SERVICES, service('d', { clusterIP: ip(a) })), { message: /already allocated/ })
  await t.throwsAsync(client.patch(SERVICES, 'default', 'a', { spec: { clusterIP: '10.96.9.9' } }), {
    message: /may not change once set/,
  })
  t.is(ip(await client.update(SERVICES, service('a', { selector: { x: 'y' } }))), ip(a))
})

test('generation counts changes of spec only', async (t) => {
  const { core, client } = setUp()
  using _core = core
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const spec = { selector: { matchLabels: { a: 'b' } }, template }
  await client.create(DEPLOYMENTS, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', namespace: 'default' },
    spec,
  })
  const generation = async () => (await client.get(DEPLOYMENTS, 'default', 'd')).metadata.generation
  await client.patch(DEPLOYMENTS, 'default', 'd', { metadata: { labels: { x: 'y' } } })
  await client.patch(DEPLOYMENTS, 'default', 'd', { status: { replicas: 1 } }, { subresource: 'status' })
  t.is(await generation(), 1)
  await client.patch(DEPLOYMENTS, 'default', 'd', { spec: { replicas: 3 }, status: { replicas: 9 } })
  t.is(await generation(), 2)
  t.deepEqual((await client.get(DEPLOYMENTS, 'default', 'd'))['status'], { replicas: 1 })
  await t.throwsAsync(client.patch(DEPLOYMENTS, 'default', 'd', { spec: { selector: { matchLabels: { a: 'c' } } } }), {
    message: /field is immutable|does not match/,
  })
})

test('a stale update conflicts', async (t) => {
  const { core, client } = setUp()
  using _core = core
  const first = await client.create(CONFIGS, config('c'))
  await client.patch(CONFIGS, 'default', 'c', { data: { a: '1' } })
  const error = await t.throwsAsync(client.update(CONFIGS, { ...first, data: { a: '2' } }))
  t.like(error, { status: 409, reason: 'Conflict' })
})

test('dependents go with their owner, orphans stay', async (t) => {
  const { core, client } = setUp()
  using _core = core
  const owned = async (owner: string, name: string) => {
    const { uid = '' } = (await client.create(CONFIGS, config(owner))).metadata
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid }
    await client.create(CONFIGS, config(name, { ownerReferences: [reference] }))
  }
  await owned('a', 'of-a')
  await client.delete(CONFIGS, 'default', 'a')
  await eventually(() => isGone(client, CONFIGS, 'of-a'))
  await owned('b', 'of-b')
  await client.delete(CONFIGS, 'default', 'b', { propagationPolicy: 'Orphan' })
  await eventually(() => isGone(client, CONFIGS, 'b'))
  t.is((await client.get(CONFIGS, 'default', 'of-b')).metadata.ownerReferences, undefined)
  await owned('c', 'of-c')
  await client.delete(CONFIGS, 'default', 'c', { propagationPolicy: 'Foreground' })
  await eventually(() => isGone(client, CONFIGS, 'c'))
  t.true(await isGone(client, CONFIGS, 'of-c'))
})

test('an object whose owner does not exist is collected', async (t) => {
  const { core, client } = setUp()
  using _core = core
  await client.create(
    CONFIGS,
    config('x', { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'no', uid: 'none' }] }),
  )
  await eventually(() => isGone(client, CONFIGS, 'x'))
  t.pass()
})

test('a finalizer holds an object until it is taken off', async (t) => {
  const { core, client } = setUp()
  using _core = core
  await client.create(CONFIGS, config('f', { finalizers: ['x.y/z'] }))
  await client.delete(CONFIGS, 'default', 'f')
  t.truthy((await client.get(CONFIGS, 'default', 'f')).metadata.deletionTimestamp)
  await client.patch(CONFIGS, 'default', 'f', { metadata: { finalizers: null } })
  t.true(await isGone(client, CONFIGS, 'f'))
})

test('a watch sees what enters and leaves its selection', async (t) => {
  const { core, client } = setUp()
  using _core = core
  const end = new AbortController()
  const { resourceVersion } = await client.list(CONFIGS)
  const seen: string[] = []
  const watching = (async () => {
    const events: AsyncIterable<WatchEvent> = client.watch(CONFIGS, {
      resourceVersion,
      labelSelector: 'on=1',
      signal: end.signal,
    })
    for await (const { type, object } of events) {
      seen.push(`${type} ${object.metadata.name}`)
      if (seen.length === 4) end.abort()
    }
  })()
  await client.create(CONFIGS, config('w'))
  await client.patch(CONFIGS, 'default', 'w', { metadata: { labels: { on: '1' } } })
  await client.patch(CONFIGS, 'default', 'w', { data: { a: '1' } })
  await client.patch(CONFIGS, 'default', 'w', { metadata: { labels: { on: null } } })
  await client.create(CONFIGS, config('v', { labels: { on: '1' } }))
  await watching
  t.deepEqual(seen, ['ADDED w', 'MODIFIED w', 'DELETED w', 'ADDED v'])
})

test('a version that history no longer holds is 410', (t) => {
  const store = new ObjectStore({ maxObjects: 10, maxHistoryEvents: 10 })
  const put = (value: number) => store.put('/configmaps', { ...config('c'), data: { value } })
  for (let value = 0; value < 30; value++) put(value)
  t.like(
    t.throws(() => store.since('/configmaps', 2)),
    { status: 410, reason: 'Expired' },
  )
  t.is(store.since('/configmaps', store.revision - 3).length, 3)
})

test('a full store refuses new objects and goes on with the old ones', (t) => {
  const store = new ObjectStore({ maxObjects: 1, maxHistoryEvents: 10 })
  store.put('/configmaps', config('a'))
  t.like(
    t.throws(() => store.put('/configmaps', config('b'))),
    { status: 507 },
  )
  store.put('/configmaps', { ...config('a'), data: {} })
  t.is(store.count, 1)
})
