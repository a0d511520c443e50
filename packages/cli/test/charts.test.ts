// The charts as Helm would render them: every one alone, all of them by the umbrella, with values that take every branch.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  fromPlain,
  loadChart,
  type ManifestObject,
  manifestObjects,
  type RenderedFile,
  renderChart,
} from '@ambit/chart'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { chartFiles } from '../src/install/chart-folder.ts'

const CHARTS = fileURLToPath(new URL('../../../deploy/charts', import.meta.url))
const FILES = chartFiles({ readFile: (path) => readFile(path, 'utf8'), listFolder: (path) => readdir(path) })

async function rendered(chart: string, values: unknown, release = chart): Promise<readonly RenderedFile[]> {
  return renderChart(await loadChart(join(CHARTS, chart), FILES), {
    values: fromPlain(values),
    release: { name: release, namespace: 'istio-system', service: 'Helm' },
    capabilities: { kubeVersion: 'v1.33.0', apiVersions: [] },
  })
}

async function objects(chart: string, values: unknown, release?: string): Promise<readonly ManifestObject[]> {
  return manifestObjects(await rendered(chart, values, release))
}

const names = (all: readonly ManifestObject[]): readonly string[] =>
  all.map(({ kind, metadata }) => `${kind}/${metadata.name}`).toSorted()

const EVERYTHING: Readonly<Record<string, unknown>> = {
  base: {
    global: { imagePullSecrets: ['registry'] },
    base: { validationURL: 'https://x.example', excludedCRDs: ['telemetries.telemetry.istio.io'] },
  },
  istiod: {
    profile: 'demo',
    platform: 'openshift',
    replicaCount: 3,
    pdb: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
    env: { A: true, B: 5 },
    envVarFrom: [{ name: 'C', value: 'x' }],
    extraContainerArgs: ['--x'],
    nodeSelector: { a: 'b' },
    affinity: { nodeAffinity: {} },
    tolerations: [{ operator: 'Exists' }],
    topologySpreadConstraints: [{ maxSkew: 1 }],
    podAnnotations: { p: 'q' },
    podLabels: { p: 'q' },
    deploymentLabels: { d: 'e' },
    deploymentAnnotations: { d: 'e' },
    serviceAnnotations: { s: 't' },
    serviceAccountAnnotations: { s: 't' },
    seccompProfile: { type: 'RuntimeDefault' },
    volumes: [{ name: 'v', emptyDir: {} }],
    volumeMounts: [{ name: 'v', mountPath: '/v' }],
    ipFamilyPolicy: 'PreferDualStack',
    ipFamilies: ['IPv4'],
    gatewayClasses: { istio: { deployment: { spec: { replicas: 2 } }, service: { spec: { type: 'NodePort' } } } },
    revision: 'r',
    base: { validationCABundle: 'Zm9v' },
    global: {
      logAsJson: true,
      imagePullPolicy: 'Always',
      imagePullSecrets: ['s'],
      priorityClassName: 'p',
      variant: 'v',
    },
  },
  cni: {
    profile: 'ambient',
    platform: 'gke',
    ambient: { shareHostNetworkNamespace: true },
    useAppArmorAnnotation: true,
    affinity: { nodeAffinity: {} },
    daemonSetLabels: { a: 'b' },
    podAnnotations: { a: 'b' },
    podLabels: { a: 'b' },
    seccompProfile: { type: 'RuntimeDefault' },
    seLinuxOptions: { type: 'spc_t' },
    env: { X: '1' },
    global: { logAsJson: true, imagePullPolicy: 'Always', imagePullSecrets: ['s'] },
  },
  ztunnel: {
    profile: 'demo',
    platform: 'gke',
    labels: { a: 'b' },
    annotations: { a: 'b' },
    podLabels: { a: 'b' },
    nodeSelector: { a: 'b' },
    affinity: { nodeAffinity: {} },
    seLinuxOptions: { type: 'spc_t' },
    volumes: [{ name: 'v', emptyDir: {} }],
    volumeMounts: [{ name: 'v', mountPath: '/v' }],
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['192.0.2.1'] },
    env: { X: '1' },
    revision: 'r',
    network: 'n',
    global: { logAsJson: true, imagePullPolicy: 'Always', imagePullSecrets: ['s'], multiCluster: { clusterName: 'c' } },
  },
  gateway: {
    profile: 'demo',
    name: 'edge',
    replicaCount: 2,
    podDisruptionBudget: { minAvailable: 1 },
    strategy: { type: 'Recreate' },
    minReadySeconds: 1,
    rbac: { enabled: true },
    service: {
      loadBalancerIP: '192.0.2.1',
      loadBalancerSourceRanges: ['192.0.2.0/24'],
      externalTrafficPolicy: 'Local',
      externalIPs: ['192.0.2.2'],
      annotations: { a: 'b' },
      selectorLabels: { c: 'd' },
    },
    labels: { app: 'a', extra: 'b' },
    securityContext: { runAsUser: 5 },
    containerSecurityContext: { runAsNonRoot: true },
    readinessProbe: { httpGet: { path: '/x', port: 1 } },
    initContainers: [{ name: 'i', image: 'x/y' }],
    additionalContainers: [{ name: 'j', image: 'x/y' }],
    revision: 'r',
    global: { network: 'n', logAsJson: true },
  },
}

for (const [chart, values] of Object.entries(EVERYTHING)) {
  test(`${chart} with every setting: objects with names, labels and no empty value`, async (t) => {
    const all = await objects(chart, values)
    t.true(all.length > 0)
    for (const object of all.filter(({ kind }) => kind !== 'CustomResourceDefinition')) {
      const { labels } = object.metadata as { labels?: Record<string, string> }
      t.is(labels?.['helm.sh/chart'], `${chart}-0.1.0`, object.kind)
      t.is(labels?.['app.kubernetes.io/instance'], chart)
      t.deepEqual(nulls(object), [], `${object.kind}/${object.metadata.name}`)
    }
    t.is(new Set(names(all)).size, all.length, 'nothing twice')
  })

  test(`${chart}: YAML 1.1, which Helm and kubectl read, and YAML 1.2 say the same`, async (t) => {
    for (const { path, text } of [...(await rendered(chart, values)), ...(await rendered(chart, {}))]) {
      const read = (version: '1.1' | '1.2'): unknown =>
        parseAllDocuments(text, { version }).map((document) => document.toJS({ maxAliasCount: -1 }) as unknown)
      t.deepEqual(read('1.1'), read('1.2'), path)
    }
  })

  test(`${chart}: its parts for the cluster and for the namespace are the whole`, async (t) => {
    if (chart === 'gateway') {
      t.pass('a gateway has only objects of its namespace')
      return
    }
    const part = async (resourceScope: string): Promise<readonly string[]> =>
      names(
        await objects(
          chart,
          chart === 'ztunnel' ? { resourceScope } : { global: { resourceScope }, profile: 'ambient' },
        ),
      )
    t.deepEqual([...(await part('cluster')), ...(await part('namespace'))].toSorted(), await part('all'))
  })
}

test('the umbrella has what the charts have', async (t) => {
  const parts = [
    ...(await objects('base', {})),
    ...(await objects('istiod', { profile: 'ambient' })),
    ...(await objects('cni', { profile: 'ambient' })),
    ...(await objects('ztunnel', { profile: 'ambient' })),
  ]
  t.deepEqual(names(await objects('ambient', {})), names(parts))
  const image = JSON.stringify(await objects('ambient', { global: { hub: 'r.example', tag: '7' } }))
  for (const name of ['controller', 'cni', 'ztunnel']) t.true(image.includes(`"r.example/${name}:7"`), name)
})

test('ztunnel keeps its name whatever the release is called: certificates go to that account', async (t) => {
  t.deepEqual(names(await objects('ztunnel', {}, 'my-release')), ['DaemonSet/ztunnel', 'ServiceAccount/ztunnel'])
  const istiod = JSON.stringify(await objects('istiod', { trustedZtunnelNamespace: 'kube-system' }))
  t.true(istiod.includes('{"name":"CA_TRUSTED_NODE_ACCOUNTS","value":"kube-system/ztunnel"}'))
})

const refusals = test.macro({
  async exec(t, chart: string, values: unknown, expected: RegExp) {
    await t.throwsAsync(objects(chart, values), { code: 'CHART_TEMPLATE', message: expected })
  },
  title: (_, chart: string, values: unknown) => `${chart} refuses ${JSON.stringify(values)}`,
})
test(refusals, 'istiod', { profile: 'remote' }, /profile "remote" is unknown to chart istiod/)
test(refusals, 'cni', { global: { platform: 'moon' } }, /platform "moon" is unknown to chart cni/)
test(refusals, 'ztunnel', { defaults: { hub: 'x' } }, /values\.defaults can't be set/)
test(refusals, 'gateway', { networkGateway: 'net1' }, /not part of this version/)
test(refusals, 'ztunnel', { global: { hub: '' } }, /hub is not set/)

test('no rule of a role lets a component do more than it was written for', async (t) => {
  const all = [
    ...(await objects('istiod', { profile: 'ambient' })),
    ...(await objects('cni', { profile: 'ambient' })),
    ...(await objects('gateway', {})),
  ]
  const rules = all.flatMap((object) => (object as unknown as { rules?: Rule[] }).rules ?? [])
  t.true(rules.length > 20)
  for (const { apiGroups, resources, verbs } of rules) {
    t.false(apiGroups.includes('*') || verbs.includes('*') || verbs.includes('escalate') || verbs.includes('bind'))
    if (resources.includes('*'))
      t.deepEqual(
        verbs.filter((verb) => !['get', 'list', 'watch'].includes(verb)),
        [],
      )
  }
})

const hasHelm = spawnSync('helm', ['version']).status === 0

test('where there is Helm, it renders the same objects', async (t) => {
  if (!hasHelm) {
    t.log('NOT COMPARED: there is no helm on PATH')
    t.pass()
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'ambit-helm-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const [chart, values] of Object.entries(EVERYTHING)) {
    const file = join(folder, `${chart}.yaml`)
    await writeFile(file, JSON.stringify(values))
    const args = ['template', chart, join(CHARTS, chart), '-n', 'istio-system', '-f', file, '--kube-version', 'v1.33.0']
    const text = execFileSync('helm', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    const theirs = manifestObjects([{ path: `helm ${chart}`, text }])
    const sorted = (all: readonly ManifestObject[]): readonly ManifestObject[] =>
      all.toSorted((a, b) => (`${a.kind}/${a.metadata.name}` < `${b.kind}/${b.metadata.name}` ? -1 : 1))
    t.deepEqual(sorted(await objects(chart, values)), sorted(theirs), chart)
  }
})

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** Paths of members without a value: a setting that led nowhere. */
function nulls(value: unknown, path = ''): readonly string[] {
  if (value === null) return [path]
  if (typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, member]) => nulls(member, `${path}.${key}`))
}
