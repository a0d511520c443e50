// Installing as on a cluster: a bare sandbox, the charts put into it, once, again, differently, newer, and by kubectl alone.
import { join } from 'node:path'
import test from 'ava'
import { parseManifest } from '../../packages/cli/src/index.ts'
import { type Cluster, MESH_SETTINGS, startCluster } from '../support/cluster.ts'
import { Follower } from '../support/follow.ts'
import { curlFrom, enrolled, ready } from '../support/mesh.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const DEPLOY = join(import.meta.dirname, '../../deploy')
const LINES = [
  '✔ Istio core installed ⛵️',
  '✔ Istiod installed 🧠',
  '✔ CNI installed 🪢',
  '✔ Ztunnel installed 🔒',
  '✔ Installation complete',
  'The ambient profile has been installed successfully, enjoy Istio without sidecars!',
]
const KINDS =
  'deployments,daemonsets,services,configmaps,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,horizontalpodautoscalers,poddisruptionbudgets,validatingwebhookconfigurations,customresourcedefinitions'
const UPGRADE_LIMIT_MS = 90_000
/** Every pod in the mesh talks to the other node and to its own. */
const CALLS = [
  ['people/alice', 'far'],
  ['people/alice', 'near'],
] as const

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'install', mesh: false })
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

async function install(...more: readonly string[]): Promise<string> {
  const result = await cluster.ambit(
    'install',
    '--set',
    'profile=ambient',
    '--skip-confirmation',
    ...MESH_SETTINGS,
    ...more,
  )
  if (result.code !== 0) throw new Error(`install: exit ${result.code}\n${result.stdout}${result.stderr}`)
  return result.stdout
}

/** Every object of the installation with its resource version. */
async function versions(): Promise<readonly string[]> {
  const path = '{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}'
  const text = await cluster.must('get', KINDS, '-A', '-l', 'operator.istio.io/component', '-o', `jsonpath=${path}`)
  return text.trim().split('\n').toSorted()
}

test.serial('a sandbox boots bare', async (t) => {
  t.is((await cluster.kubectl('get', 'namespace', 'istio-system')).code, 1)
  t.is((await cluster.must('get', 'crd', '-o', 'name')).trim(), '')
  const check = await cluster.ambit('x', 'precheck')
  t.is(check.code, 0, check.stdout)
  t.regex(check.stderr, /No issues found when checking the cluster/)
  const dry = await cluster.ambit('install', '--dry-run')
  t.regex(dry.stdout, /would create DaemonSet:istio-system:ztunnel/)
  t.is((await cluster.kubectl('get', 'namespace', 'istio-system')).code, 1)
})

test.serial('installed, it has Istio’s pods, names and labels', async (t) => {
  const started = performance.now()
  t.deepEqual((await install()).trim().split('\n'), LINES)
  t.log(`install: ${Math.round(performance.now() - started)} ms`)
  const names = (await cluster.must('get', 'pods', '-n', 'istio-system', '-o', 'name')).trim().split('\n')
  for (const [pattern, count] of [
    [/^pod\/istiod-[a-z0-9]+-[a-z0-9]{5}$/, 1],
    [/^pod\/istio-cni-node-[a-z0-9]{5}$/, 2],
    [/^pod\/ztunnel-[a-z0-9]{5}$/, 2],
  ] as const) {
    t.is(names.filter((name) => pattern.test(name)).length, count, names.join(' '))
  }
  t.is(names.length, 5)
  for (const selector of [
    'app=istiod,istio=pilot,istio.io/rev=default,app.kubernetes.io/name=istiod,istio.io/dataplane-mode=none',
    'app=ztunnel,app.kubernetes.io/name=ztunnel,istio.io/dataplane-mode=none',
    'k8s-app=istio-cni-node,app.kubernetes.io/name=istio-cni,istio.io/dataplane-mode=none',
  ]) {
    const found = await cluster.must('get', 'pods', '-n', 'istio-system', '-l', selector, '-o', 'name')
    t.not(found.trim(), '', selector)
  }
  const verified = await cluster.ambit('verify-install')
  t.is(verified.code, 0, verified.stderr)
})

test.serial('installed again, it says the same and changes nothing', async (t) => {
  const before = await versions()
  t.true(before.length > 40)
  t.deepEqual((await install()).trim().split('\n'), LINES)
  t.deepEqual(await versions(), before)
})

test.serial('what generate prints is what is there', async (t) => {
  const printed = await cluster.ambit('manifest', 'generate', '--set', 'profile=ambient')
  const objects = parseManifest(printed.stdout, 'generated')
  t.true(objects.length > 40)
  const live = JSON.parse(await cluster.must('get', KINDS, '-A', '-o', 'json')) as { items: ApiObject[] }
  for (const object of objects) {
    const found = live.items.find(
      ({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name,
    )
    // The controller's webhooks are Fail as soon as they answer.
    t.deepEqual(
      missing(object, found, ['failurePolicy', 'operator.istio.io/component']),
      [],
      `${object.kind} ${object.metadata.name}`,
    )
  }
})

test.serial('kubectl’s server-side dry run takes every manifest', async (t) => {
  const folders = ['crds/gateway-api', 'crds/istio', 'manifests'].flatMap((name) => ['-f', join(DEPLOY, name)])
  const plain = await cluster.kubectl('apply', '--server-side', '--force-conflicts', '--dry-run=server', ...folders)
  t.is(plain.code, 0, plain.stderr)
  const all = await cluster.ambit(
    'manifest',
    'generate',
    ...[
      'profile=demo',
      'components.cni.enabled=true',
      'components.ztunnel.enabled=true',
      'values.pilot.replicaCount=2',
    ].flatMap((value) => ['--set', value]),
    ...[
      'values.gatewayClasses.istio-waypoint.deployment.spec.replicas=2',
      'values.cni.resourceQuotas.enabled=true',
    ].flatMap((value) => ['--set', value]),
  )
  t.is(all.code, 0, all.stderr)
  const tried = await cluster.dryRun(all.stdout)
  for (const kind of [
    'poddisruptionbudget.policy/istiod',
    'deployment.apps/istio-egressgateway',
    'resourcequota/istio-cni',
  ]) {
    t.true(tried.includes(kind), `${kind} in\n${tried}`)
  }
})

test.serial('an ingress gateway comes with its setting and goes without it', async (t) => {
  const gateway = [
    'components.ingressGateways[0].enabled=true',
    'components.ingressGateways[0].name=istio-ingressgateway',
  ]
  const said = await install(...gateway.flatMap((value) => ['--set', value]))
  t.true(said.includes('✔ Ingress gateways installed 🛬'))
  const service = await cluster.must(
    'get',
    'service',
    '-n',
    'istio-system',
    'istio-ingressgateway',
    '-o',
    'jsonpath={.spec.type} {.spec.ports[*].targetPort}',
  )
  t.is(service, 'LoadBalancer 15021 8080 8443')
  const account = await cluster.must(
    'get',
    'pods',
    '-n',
    'istio-system',
    '-l',
    'istio=ingressgateway',
    '-o',
    'jsonpath={.items[*].spec.serviceAccountName}',
  )
  t.is(account, 'istio-ingressgateway-service-account')
  t.regex(await install(), / {2}Removed Deployment:istio-system:istio-ingressgateway\./)
  const gone = ['service,deployment,pod', '-n', 'istio-system', '-l', 'app=istio-ingressgateway']
  await cluster.must('wait', ...gone, '--for=delete', '--timeout=60s')
  t.is((await cluster.must('get', ...gone, '-o', 'name')).trim(), '')
})

test.serial('an upgrade rolls ztunnel node by node; connections stay, and new ones work all the time', async (t) => {
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      server('shop', 'near', 'ambit-1') +
      server('shop', 'far', 'ambit-2'),
  )
  await ready(cluster, 'people', 'shop')
  await enrolled(cluster, 'people', 'shop')
  const exec = (pod: string, ...words: readonly string[]): Follower => {
    const [ns = '', name = ''] = pod.split('/')
    return new Follower('kubectl', ['exec', '-n', ns, name, '--', ...words], cluster.env)
  }
  const drip = (to: string): readonly string[] => [
    'curl',
    '-sN',
    `http://${to}.shop:8000/drip?duration=120&numbytes=1200&delay=0`,
  ]
  const loop = (to: string): string =>
    `while :; do curl -s -o /dev/null -w '%{http_code}:%{exitcode},' --max-time 5 http://${to}.shop:8000/get; done`
  await using streams = new AsyncDisposableStack()
  const open = CALLS.map(([from, to]) => streams.use(exec(from, ...drip(to))))
  const loops = CALLS.map(([from, to]) => streams.use(exec(from, 'sh', '-c', loop(to))))
  const fields =
    '{.metadata.name} {.spec.nodeName} {.status.conditions[?(@.type=="Ready")].status} {.metadata.deletionTimestamp}{"\\n"}'
  const watch = streams.use(
    new Follower(
      'kubectl',
      ['get', 'pods', '-n', 'istio-system', '-l', 'app=ztunnel', '-w', '-o', `jsonpath=${fields}`],
      cluster.env,
    ),
  )
  for (const stream of open) await stream.until((text) => text.length > 0, UPGRADE_LIMIT_MS, 'the download begins')
  for (const calls of loops) await calls.until((text) => text.includes('200:0,'), UPGRADE_LIMIT_MS, 'requests pass')
  await watch.until((text) => rolls(text).states.length >= 2, UPGRADE_LIMIT_MS, 'both ztunnels are seen')

  t.true((await install('--set', 'tag=0.1.1')).includes('✔ Ztunnel installed 🔒'))

  const image = 'jsonpath={.items[*].spec.containers[*].image}'
  const images = (await cluster.must('get', 'pods', '-n', 'istio-system', '-o', image)).split(' ')
  t.true(images.filter((name) => name === 'ambit/ztunnel:0.1.1').length >= 2, images.join(' '))
  const received = open.map(({ text }) => text.length)
  for (const [at, stream] of open.entries()) {
    await stream.until((text) => text.length > (received[at] ?? 0) + 10, UPGRADE_LIMIT_MS, 'the download goes on')
  }
  for (const calls of loops) {
    const done = calls.text.length
    await calls.until((text) => text.length > done + 40, UPGRADE_LIMIT_MS, 'requests go on')
    const failed = calls.text
      .split(',')
      .slice(0, -1)
      .filter((answer) => answer !== '200:0')
    t.deepEqual(failed, [])
  }
  const { states, problems } = rolls(watch.text)
  t.deepEqual(problems, [])
  t.is(new Set(states.map(({ name }) => name)).size, 4)
})

test.serial('without the tool: purged, and applied by kubectl, the mesh is there again', async (t) => {
  const removed = await cluster.ambit('uninstall', '--purge', '-y')
  t.is(removed.code, 0, removed.stdout + removed.stderr)
  t.regex(removed.stdout, /^ {2}Removed DaemonSet:istio-system:ztunnel\.$/m)
  t.is((await curlFrom(cluster, 'people/alice', 'http://far.shop:8000/get')).code, 0)
  await cluster.must('delete', 'namespace', 'istio-system')
  await cluster.must('apply', '--server-side', '-f', join(DEPLOY, 'manifests'))
  for (const what of ['deployment/istiod', 'daemonset/istio-cni-node', 'daemonset/ztunnel']) {
    await cluster.must('rollout', 'status', '-n', 'istio-system', what, '--timeout=60s')
  }
  await enrolled(cluster, 'people', 'shop')
  t.is((await curlFrom(cluster, 'people/alice', 'http://far.shop:8000/get')).code, 0)
})

interface ApiObject {
  readonly kind: string
  readonly metadata: { readonly name: string }
}

/** Paths of `wanted` that `found` has not, or has otherwise; lists of named things go by name. */
function missing(wanted: unknown, found: unknown, ignored: readonly string[], path = ''): readonly string[] {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(found)) return [`${path} is no list`]
    return wanted.flatMap((item, at) => {
      const name = nameOf(item)
      const other: unknown = name === undefined ? found[at] : found.find((one) => nameOf(one) === name)
      return missing(item, other, ignored, `${path}[${name ?? at}]`)
    })
  }
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof found !== 'object' || found === null) return [`${path} is missing`]
    return Object.entries(wanted)
      .filter(([key]) => !ignored.includes(key))
      .flatMap(([key, value]) => missing(value, (found as Record<string, unknown>)[key], ignored, `${path}.${key}`))
  }
  // A quantity or a port may be written another way.
  return String(wanted) === String(found) ? [] : [`${path}: ${String(found)} instead of ${String(wanted)}`]
}

function nameOf(item: unknown): string | undefined {
  const name = typeof item === 'object' && item !== null && 'name' in item ? item.name : undefined
  return typeof name === 'string' ? name : undefined
}

interface PodState {
  readonly name: string
  readonly node: string
  readonly isReady: boolean
  readonly isEnding: boolean
}

/** What a watch of ztunnel's pods told, and where a node had none, or two nodes had a second one. */
function rolls(text: string): { readonly states: readonly PodState[]; readonly problems: readonly string[] } {
  const states = text
    .split('\n')
    .slice(0, -1)
    .map((line): PodState => {
      const [name = '', node = '', isReady = '', ending = ''] = line.split(' ')
      return { name, node, isReady: isReady === 'True', isEnding: ending !== '' }
    })
  const problems: string[] = []
  const pods = new Map<string, PodState>()
  for (const state of states) {
    pods.set(state.name, state)
    const living = [...pods.values()].filter(({ isEnding, node }) => !isEnding && node !== '')
    const nodes = [...new Set([...pods.values()].map(({ node }) => node))].filter((node) => node !== '')
    const rolling = nodes.filter((node) => living.filter((pod) => pod.node === node).length > 1)
    if (rolling.length > 1) problems.push(`${rolling.join(' and ')} roll at once`)
    for (const node of nodes) {
      if (!living.some((pod) => pod.node === node && pod.isReady))
        problems.push(`${node} has no ready ztunnel at ${state.name}`)
    }
  }
  return { states, problems }
}
