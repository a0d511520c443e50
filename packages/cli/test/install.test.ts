import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { manifestObjects } from '@ambit/chart'
import test from 'ava'
import * as fc from 'fast-check'
import type { Cluster, ClusterObject, ListQuery, ObjectReference } from '../src/cluster/cluster.types.ts'
import type { Context } from '../src/context.types.ts'
import { notReadyReason, podTrouble } from '../src/install/readiness.ts'
import { runCommandLine } from '../src/run-command-line.ts'

const DEPLOY = fileURLToPath(new URL('../../../deploy', import.meta.url))
const FILES = { readFile: (path: string) => readFile(path, 'utf8'), listFolder: (path: string) => readdir(path) }

/** A cluster that accepts everything and reports it ready after being asked `patience` times. */
class FakeCluster implements Cluster {
  readonly currentNamespace = 'default'
  readonly applied: ClusterObject[] = []
  readonly deleted: string[] = []
  readonly #patience: number
  #asked = 0

  constructor(patience = 0) {
    this.#patience = patience
  }

  list(query: ListQuery): Promise<readonly ClusterObject[]> {
    const wanted = (query.labelSelector ?? '').split(',').map((term) => term.split('='))
    return Promise.resolve(
      this.applied.filter(
        ({ kind, metadata }) =>
          kind === query.kind &&
          wanted.every(([key = '', value]) => {
            const label = metadata.labels?.[key]
            return value === undefined ? label !== undefined : label === value
          }),
      ),
    )
  }

  serverVersion(): Promise<string> {
    return Promise.resolve('v1.33.0')
  }

  follow(): Promise<never> {
    return Promise.reject(new Error('nothing is followed in these tests'))
  }

  create(): Promise<never> {
    return Promise.reject(new Error('nothing is created in these tests'))
  }

  read(reference: ObjectReference): Promise<ClusterObject | undefined> {
    const found = this.applied.find(
      (object) => object.kind === reference.kind && object.metadata.name === reference.name,
    )
    if (found === undefined) return Promise.resolve(undefined)
    const ready = this.#asked++ >= this.#patience
    const numbers = {
      replicas: 1,
      updatedReplicas: 1,
      availableReplicas: 1,
      desiredNumberScheduled: 1,
      updatedNumberScheduled: 1,
      numberAvailable: 1,
    }
    const conditions = [{ type: 'Established', status: 'True' }]
    return Promise.resolve({
      spec: {},
      ...found,
      status: ready ? { ...numbers, conditions } : { desiredNumberScheduled: 1 },
    })
  }

  apply(object: ClusterObject): Promise<void> {
    this.applied.push(object)
    return Promise.resolve()
  }

  mergePatch(): Promise<never> {
    return Promise.reject(new Error('nothing is patched in these tests'))
  }

  delete(reference: ObjectReference): Promise<boolean> {
    this.deleted.push(`${reference.kind}/${reference.name}`)
    return Promise.resolve(true)
  }

  ask(): Promise<never> {
    return Promise.reject(new Error('not asked in these tests'))
  }
}

function contextOf(cluster: Cluster, lines: string[]): Context {
  let now = 0
  return {
    ...FILES,
    out: (line) => lines.push(line),
    err: (line) => lines.push(`stderr: ${line}`),
    colour: false,
    version: '9.9.9',
    deployFolder: DEPLOY,
    now: () => now,
    sleep: (ms) => {
      now += ms
      return Promise.resolve()
    },
    writeFile: () => Promise.reject(new Error('nothing is written in these tests')),
    interrupted: () => Promise.resolve(),
    confirm: () => Promise.resolve(false),
    cluster: () => Promise.resolve(cluster),
    clusterAt: () => Promise.resolve(cluster),
    sandbox: () => Promise.reject(new Error('no sandbox in these tests')),
  }
}

test('install applies CRDs first, then base, controller, agent, proxy, and prints Istio’s lines', async (t) => {
  const cluster = new FakeCluster(3)
  const lines: string[] = []
  t.is(await runCommandLine(['install', '-y'], contextOf(cluster, lines)), 0)
  t.deepEqual(lines, [
    '✔ Istio core installed ⛵️',
    '✔ Istiod installed 🧠',
    '✔ CNI installed 🪢',
    '✔ Ztunnel installed 🔒',
    '✔ Installation complete',
    'The ambient profile has been installed successfully, enjoy Istio without sidecars!',
  ])
  const order = cluster.applied.map((object) => `${object.kind}/${object.metadata.name}`)
  t.true(order.indexOf('CustomResourceDefinition/gateways.gateway.networking.k8s.io') >= 0)
  t.true(order.indexOf('Namespace/istio-system') < order.indexOf('Deployment/istiod'))
  t.true(order.indexOf('Deployment/istiod') < order.indexOf('DaemonSet/istio-cni-node'))
  t.true(order.indexOf('DaemonSet/istio-cni-node') < order.indexOf('DaemonSet/ztunnel'))
})

test('install that never gets ready fails with the object and what to do next', async (t) => {
  const lines: string[] = []
  const context = contextOf(new FakeCluster(Number.POSITIVE_INFINITY), lines)
  t.is(await runCommandLine(['install', '-y', '--readiness-timeout', '1'], context), 1)
  t.regex(lines.at(-1) ?? '', /did not become ready in time: not established/)
})

test('install again applies the same once more; uninstall of nothing removes nothing and is no failure', async (t) => {
  const cluster = new FakeCluster()
  const lines: string[] = []
  const line = ['install', '--set', 'profile=ambient', '--skip-confirmation', '--readiness-timeout', '5m']
  t.is(await runCommandLine(line, contextOf(cluster, lines)), 0)
  const first = cluster.applied.splice(0)
  const again: string[] = []
  t.is(await runCommandLine(line, contextOf(cluster, again)), 0)
  t.deepEqual(again, lines)
  const names = (objects: readonly ClusterObject[]): readonly string[] =>
    objects
      .filter(({ kind }) => kind !== 'CustomResourceDefinition')
      .map(({ kind, metadata }) => `${kind}/${metadata.name}`)
  t.deepEqual(names(cluster.applied), names(first))
  const nothing: string[] = []
  t.is(await runCommandLine(['uninstall', '-y', '--purge'], contextOf(new FakeCluster(), nothing)), 0)
  t.deepEqual(nothing, ['All Istio resources will be pruned from the cluster', '✔ Uninstall complete'])
})

test('install without a terminal and without -y does nothing', async (t) => {
  const cluster = new FakeCluster()
  const lines: string[] = []
  t.is(await runCommandLine(['install'], contextOf(cluster, lines)), 1)
  t.is(cluster.applied.length, 0)
})

test('uninstall removes programs before their accounts, and neither CRDs nor the namespace', async (t) => {
  const cluster = new FakeCluster()
  t.is(await runCommandLine(['install', '-y'], contextOf(cluster, [])), 0)
  const lines: string[] = []
  t.is(await runCommandLine(['uninstall', '--purge', '--dry-run'], contextOf(cluster, lines)), 0)
  t.deepEqual(cluster.deleted, [])
  t.true(lines.includes('Not pruning object DaemonSet:istio-system:ztunnel because of dry run.'))
  t.is(await runCommandLine(['uninstall', '--purge', '-y'], contextOf(cluster, lines)), 0)
  t.true(cluster.deleted.indexOf('DaemonSet/ztunnel') < cluster.deleted.indexOf('ServiceAccount/ztunnel'))
  t.true(cluster.deleted.indexOf('DaemonSet/istio-cni-node') < cluster.deleted.indexOf('ClusterRole/istio-cni-ambient'))
  t.false(cluster.deleted.some((name) => name.startsWith('CustomResourceDefinition') || name.startsWith('Namespace')))
  t.is(lines.at(-1), '✔ Uninstall complete')
  t.true(lines.includes('  Removed DaemonSet:istio-system:ztunnel.'))
})

test('uninstall without --purge is a usage error', async (t) => {
  t.is(await runCommandLine(['uninstall', '-y'], contextOf(new FakeCluster(), [])), 2)
})

test('every object is labelled for pruning, images follow hub and tag', async (t) => {
  const cluster = new FakeCluster()
  const line = ['install', '-y', '--set', 'hub=registry.example/mesh', '--set', 'tag=1.30']
  t.is(await runCommandLine(line, contextOf(cluster, [])), 0)
  const named = (name: string, kind: string): ClusterObject | undefined =>
    cluster.applied.find((object) => object.kind === kind && object.metadata.name === name)
  t.like(named('ztunnel', 'DaemonSet')?.metadata.labels, {
    'install.operator.istio.io/owning-resource': 'unknown',
    'operator.istio.io/component': 'Ztunnel',
    'operator.istio.io/managed': 'Reconcile',
    'operator.istio.io/version': '9.9.9',
  })
  for (const object of cluster.applied.filter(
    ({ kind }) => kind !== 'CustomResourceDefinition' && kind !== 'Namespace',
  )) {
    t.truthy(object.metadata.labels?.['operator.istio.io/component'], `${object.kind} ${object.metadata.name}`)
    t.is(object.metadata.labels?.['app.kubernetes.io/part-of'], 'istio', `${object.kind} ${object.metadata.name}`)
    t.regex(object.metadata.labels?.['helm.sh/chart'] ?? '', /-0\.1\.0$/)
  }
  t.true(JSON.stringify(named('ztunnel', 'DaemonSet')).includes('"image":"registry.example/mesh/ztunnel:1.30"'))
  t.true(JSON.stringify(named('istiod', 'Deployment')).includes('"image":"registry.example/mesh/controller:1.30"'))
  const { data } = named('istio-sidecar-injector', 'ConfigMap') as unknown as {
    data: { config: string; values: string }
  }
  t.like(JSON.parse(data.values), {
    global: { hub: 'registry.example/mesh', tag: '1.30', istioNamespace: 'istio-system', proxy: { image: 'waypoint' } },
    pilot: { cni: { enabled: true }, env: { PILOT_ENABLE_AMBIENT: 'true' } },
  })
})

test('what an earlier installation had and this one has not is taken away', async (t) => {
  const cluster = new FakeCluster()
  const labels = { 'operator.istio.io/component': 'IngressGateways', 'operator.istio.io/managed': 'Reconcile' }
  cluster.list = (query) =>
    Promise.resolve(
      query.kind === 'Service'
        ? ['istiod', 'istio-ingressgateway'].map((name) => ({ metadata: { name, namespace: 'istio-system', labels } }))
        : [],
    )
  const lines: string[] = []
  t.is(await runCommandLine(['install', '-y'], contextOf(cluster, lines)), 0)
  t.deepEqual(cluster.deleted, ['Service/istio-ingressgateway'])
  t.true(lines.includes('  Removed Service:istio-system:istio-ingressgateway.'))
})

test('an upgrade is one component after the other, and leaves the webhooks as strict as they are', async (t) => {
  const cluster = new FakeCluster()
  t.is(await runCommandLine(['install', '-y'], contextOf(cluster, [])), 0)
  const hooks = (): unknown[] =>
    cluster.applied.filter(({ kind }) => kind === 'ValidatingWebhookConfiguration').map((object) => object['webhooks'])
  t.is(hooks().length, 2)
  for (const hook of hooks()) t.like(hook, { 0: { failurePolicy: 'Ignore' } })
  for (const object of cluster.applied) {
    if (object.kind !== 'ValidatingWebhookConfiguration') continue
    for (const hook of object['webhooks'] as { failurePolicy: string }[]) hook.failurePolicy = 'Fail'
  }
  const before = cluster.applied.length
  t.is(await runCommandLine(['upgrade', '-y', '--set', 'tag=2'], contextOf(cluster, [])), 0)
  const again = cluster.applied.slice(before)
  for (const { kind, webhooks } of again) {
    if (kind === 'ValidatingWebhookConfiguration') t.false('failurePolicy' in ((webhooks as object[])[0] ?? {}))
  }
  const order = again.map((object) => `${object.kind}/${object.metadata.name}`)
  t.true(order.indexOf('Deployment/istiod') < order.indexOf('ServiceAccount/ztunnel'))
})

test('generate prints what install applies, and needs no cluster', async (t) => {
  const cluster = new FakeCluster()
  t.is(await runCommandLine(['install', '-y'], contextOf(cluster, [])), 0)
  const lines: string[] = []
  const context = { ...contextOf(cluster, lines), cluster: () => Promise.reject(new Error('no cluster')) }
  t.is(await runCommandLine(['manifest', 'generate', '--set', 'profile=ambient'], context), 0)
  const owner = /^(install\.)?operator\.istio\.io\//
  const plain = ({ metadata, ...object }: ClusterObject): unknown => ({
    ...object,
    metadata: {
      ...metadata,
      labels: Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([key]) => !owner.test(key))),
    },
  })
  const printed = manifestObjects([{ path: 'printed', text: lines.join('\n') }])
  const applied = cluster.applied.filter(
    ({ kind, metadata }) => kind !== 'Namespace' && !metadata.name.endsWith('.gateway.networking.k8s.io'),
  )
  const sorted = (objects: readonly ClusterObject[]): unknown[] =>
    objects.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)).map(plain)
  const key = ({ kind, metadata }: ClusterObject): string => `${kind}/${metadata.name}`
  t.deepEqual(sorted(printed), sorted(applied))
})

test('every CRD of the deploy folder has one storage version, structural types and names that fit', async (t) => {
  const cluster = new FakeCluster()
  t.is(await runCommandLine(['install', '-y'], contextOf(cluster, [])), 0)
  const crds = cluster.applied.filter((object) => object.kind === 'CustomResourceDefinition')
  t.is(crds.length, 24)
  for (const crd of crds) {
    const spec = crd['spec'] as {
      group: string
      names: { plural: string }
      versions: { storage: boolean; schema: { openAPIV3Schema: { type: string } } }[]
    }
    t.is(crd.metadata.name, `${spec.names.plural}.${spec.group}`)
    t.is(spec.versions.filter((version) => version.storage).length, 1, crd.metadata.name)
    for (const version of spec.versions) t.is(version.schema.openAPIV3Schema.type, 'object')
  }
})

const ready = test.macro({
  exec(t, object: Partial<ClusterObject>, expected: RegExp | undefined) {
    const reason = notReadyReason({ metadata: { name: 'x', generation: 2 }, ...object })
    if (expected === undefined) t.is(reason, undefined)
    else t.regex(reason ?? '', expected)
  },
  title: (name) => `readiness: ${name ?? ''}`,
})
test(
  'a deployment not seen yet',
  ready,
  { kind: 'Deployment', status: { observedGeneration: 1, availableReplicas: 1 } },
  /not seen/,
)
test(
  'old pods of a rollout',
  ready,
  {
    kind: 'Deployment',
    spec: { replicas: 1 },
    status: { observedGeneration: 2, updatedReplicas: 1, replicas: 2, availableReplicas: 1 },
  },
  /old pods/,
)
test(
  'an available deployment',
  ready,
  {
    kind: 'Deployment',
    spec: { replicas: 1 },
    status: { observedGeneration: 2, updatedReplicas: 1, replicas: 1, availableReplicas: 1 },
  },
  undefined,
)
test(
  'a daemon set with a pod missing',
  ready,
  {
    kind: 'DaemonSet',
    status: { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1 },
  },
  /1 of 2 pods available/,
)

test('trouble of a pod is its container’s reason', (t) => {
  const pod = {
    metadata: { name: 'p' },
    status: { containerStatuses: [{ state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } } }] },
  }
  t.is(podTrouble(pod), 'p: ErrImagePull: no such image')
  fc.assert(fc.property(fc.jsonValue(), (status) => t.notThrows(() => podTrouble({ metadata: { name: 'p' }, status }))))
})
