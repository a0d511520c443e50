import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import * as fc from 'fast-check'
import type { Cluster, ClusterObject, ObjectReference } from '../src/cluster/cluster.types.ts'
import type { Context } from '../src/context.types.ts'
import { parseManifest, readManifestSet } from '../src/install/manifest-set.ts'
import { OWNER_LABEL, prepareObject } from '../src/install/prepare-object.ts'
import { notReadyReason, podTrouble } from '../src/install/readiness.ts'
import { parseSettings } from '../src/install/settings.ts'
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

  list(): Promise<readonly ClusterObject[]> {
    return Promise.resolve([])
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
    return Promise.resolve({ ...found, status: ready ? { ...numbers, conditions } : { desiredNumberScheduled: 1 } })
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
  cluster.delete = () => Promise.resolve(false)
  t.is(await runCommandLine(['uninstall', '-y', '--purge'], contextOf(cluster, nothing)), 0)
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
  const lines: string[] = []
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
  const set = await readManifestSet(FILES, DEPLOY)
  const ztunnel = set.steps[3]?.objects.find((object) => object.kind === 'DaemonSet')
  if (ztunnel === undefined) {
    t.fail()
    return
  }
  const options = { namespace: 'istio-system', version: '9', hub: 'registry.example/mesh', tag: 'v2' }
  const prepared = prepareObject(ztunnel, 'Ztunnel', options)
  t.is(prepared.metadata.labels?.[OWNER_LABEL], 'installed-state')
  t.true(JSON.stringify(prepared).includes('"image":"registry.example/mesh/ztunnel:v2"'))
  t.true(
    JSON.stringify(prepareObject(ztunnel, 'Ztunnel', { namespace: 'x', version: '9' })).includes(
      '"ambit/ztunnel:0.1.0"',
    ),
  )
  const values = set.steps[1]?.objects.find((object) => object.metadata.name === 'istio-sidecar-injector')
  if (values === undefined) {
    t.fail()
    return
  }
  const { data } = prepareObject(values, 'Pilot', options) as unknown as { data: { config: string; values: string } }
  t.like(JSON.parse(data.values), {
    global: { hub: 'registry.example/mesh', tag: 'v2', istioNamespace: 'istio-system' },
  })
  t.true(data.config.includes('policy: disabled'))
})

test('every CRD of the deploy folder has one storage version, structural types and names that fit', async (t) => {
  const set = await readManifestSet(FILES, DEPLOY)
  const crds = [...set.gatewayApi, ...(set.steps[0]?.objects ?? [])].filter(
    (object) => object.kind === 'CustomResourceDefinition',
  )
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

const settings = test.macro({
  exec(t, values: readonly string[], expected: object) {
    t.like(parseSettings(values), expected)
  },
  title: (_, values: readonly string[]) => `--set ${values.join(' ') || '(none)'}`,
})
test(settings, [], { kind: 'accepted' })
test(settings, ['profile=ambient', 'hub=r.example/x', 'tag=1=2'], { kind: 'accepted', hub: 'r.example/x', tag: '1=2' })
test(
  settings,
  [
    'profile=ambient',
    'components.ingressGateways[0].enabled=true',
    'components.ingressGateways[0].name=istio-ingressgateway',
    'components.cni.enabled=true',
  ],
  {
    kind: 'accepted',
    leftOut: {
      0: '! components.ingressGateways[0] is left out: this version installs no ingress or egress gateways',
      length: 1,
    },
  },
)
test(settings, ['components.ingressGateways[0].enabled=false'], { kind: 'accepted', leftOut: { length: 0 } })
test(settings, ['components.cni.enabled=false'], { kind: 'refused' })
test(settings, ['profile=demo'], { kind: 'refused' })
test(settings, ['values.pilot.x=1'], { kind: 'refused' })
test(settings, ['nonsense'], { kind: 'refused' })

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

test('a manifest that is no YAML or no object is refused with its path', (t) => {
  t.throws(() => parseManifest('a: [', 'x.yaml'), { code: 'CLI_DECODE', message: /x\.yaml/ })
  t.throws(() => parseManifest('kind: Pod', 'x.yaml'), { code: 'CLI_DECODE' })
  t.deepEqual(parseManifest('---\n---\n', 'x.yaml'), [])
})
