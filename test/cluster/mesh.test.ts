// The main job, on a real sandbox with two nodes: label, tunnel, police, cut, unlabel.
import { spawn } from 'node:child_process'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import type { CommandResult } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { inspector, NODES, redirectionOn } from '../support/inspect.ts'
import { AMBIENT, client, namespace, policy, server } from './manifests.ts'

let cluster: Cluster

const URL = 'http://web.shop:8000'

function curl(from: string, ...args: readonly string[]): Promise<CommandResult> {
  return cluster.kubectl('exec', '-n', 'people', from, '--', 'curl', '-sS', '--max-time', '5', ...args)
}

async function enrolled(ns: string): Promise<void> {
  await cluster.must(
    'wait',
    'pod',
    '-n',
    ns,
    '--all',
    '--for=jsonpath={.metadata.annotations.ambient\\.istio\\.io/redirection}=enabled',
    '--timeout=30s',
  )
}

async function podIp(ns: string, name: string): Promise<string> {
  return await cluster.must('get', 'pod', '-n', ns, name, '-o', 'jsonpath={.status.podIP}')
}

async function ztunnelLog(): Promise<string> {
  return await cluster.must('logs', '-n', 'istio-system', '-l', 'app=ztunnel', '--tail=400')
}

test.serial.before(async () => {
  cluster = await startCluster({ name: 'mesh' })
  await cluster.apply(
    namespace('people') +
      namespace('shop') +
      client('people', 'alice', 'ambit-1') +
      client('people', 'mallory', 'ambit-1') +
      server('shop', 'web', 'ambit-2'),
  )
  for (const ns of ['people', 'shop'])
    await cluster.must('wait', 'pod', '-n', ns, '--all', '--for=condition=Ready', '--timeout=60s')
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

test.serial('outside the mesh traffic is plain', async (t) => {
  const answer = await curl('alice', `${URL}/ip`)
  t.is(answer.code, 0, answer.stderr)
  t.true(answer.stdout.includes(await podIp('people', 'alice')))
})

test.serial('inspectors find no redirection yet', async (t) => {
  await cluster.apply(namespace('tools') + NODES.map(inspector).join(''))
  await cluster.must('wait', 'pod', '-n', 'tools', '--all', '--for=condition=Ready', '--timeout=30s')
  t.deepEqual(await redirectionOn(cluster, NODES, 'cni-*'), [])
})

test.serial('a labelled namespace is captured without restarting a pod, and the source address survives', async (t) => {
  await cluster.must('label', 'namespace', 'people', 'shop', 'istio.io/dataplane-mode=ambient')
  await enrolled('people')
  await enrolled('shop')
  const answer = await curl('alice', `${URL}/ip`)
  t.is(answer.code, 0, answer.stderr)
  t.true(answer.stdout.includes(await podIp('people', 'alice')))
  const log = await eventually(
    ztunnelLog,
    (text) => /dst\.hbone_addr=\S+:8080.*direction="inbound"|direction="inbound".*dst\.hbone_addr=/.test(text),
    5000,
    'inbound HBONE access log',
  )
  t.regex(log, /src\.identity="spiffe:\/\/cluster\.local\/ns\/people\/sa\/alice"/)
  t.regex(log, /dst\.identity="spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web"/)
  t.true((await redirectionOn(cluster, NODES, 'cni-*')).length > 10)
})

test.serial('the same by pod address', async (t) => {
  const answer = await curl('alice', `http://${await podIp('shop', 'web')}:8080/get`)
  t.is(answer.code, 0, answer.stderr)
})

test.serial('an ALLOW policy by principal passes one client and denies the other with a reset', async (t) => {
  await cluster.apply(
    policy('shop', 'only-alice', 'web', 'ALLOW', [
      { from: [{ source: { principals: ['cluster.local/ns/people/sa/alice'] } }] },
    ]),
  )
  await cluster.must(
    'wait',
    'authorizationpolicy',
    '-n',
    'shop',
    'only-alice',
    '--for=condition=ZtunnelAccepted',
    '--timeout=10s',
  )
  await eventually(
    () => curl('mallory', `${URL}/get`),
    ({ code }) => code === 56,
    5000,
    'mallory is denied with curl exit 56',
  )
  const allowed = await curl('alice', '-o', '/dev/null', '-w', '%{http_code}', `${URL}/get`)
  t.is(allowed.stdout, '200')
  t.regex(
    await ztunnelLog(),
    /sa\/mallory.*connection closed due to policy rejection: allow policies exist, but none allowed/,
  )
})

test.serial('an open connection that a new policy denies is cut within a second', async (t) => {
  const download = spawn(
    'kubectl',
    ['exec', '-n', 'people', 'alice', '--', 'curl', '-sN', `${URL}/drip?duration=60&numbytes=600&delay=0`],
    {
      env: cluster.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  await new Promise((resolve) => download.stdout.once('data', resolve))
  const ended = new Promise<number>((resolve) => download.on('exit', (code) => resolve(code ?? -1)))
  await cluster.apply(policy('shop', 'nobody', 'web', 'DENY', [{ from: [{ source: { namespaces: ['people'] } }] }]))
  const applied = performance.now()
  t.not(await ended, 0)
  t.true(performance.now() - applied < 1000, `${performance.now() - applied} ms`)
  const denied = await curl('alice', `${URL}/get`)
  t.is(denied.code, 56)
  t.regex(await ztunnelLog(), /explicitly denied by: shop\/nobody/)
  await cluster.must('delete', 'authorizationpolicy', '-n', 'shop', '--all')
  await eventually(
    () => curl('alice', `${URL}/get`),
    ({ code }) => code === 0,
    5000,
    'open again',
  )
})

test.serial('STRICT refuses plain text and lets the mesh pass', async (t) => {
  await cluster.apply(namespace('outside') + client('outside', 'stranger', 'ambit-1'))
  await cluster.must('wait', 'pod', '-n', 'outside', 'stranger', '--for=condition=Ready', '--timeout=30s')
  const stranger = (): Promise<CommandResult> =>
    cluster.kubectl('exec', '-n', 'outside', 'stranger', '--', 'curl', '-sS', '--max-time', '5', `${URL}/get`)
  t.is((await stranger()).code, 0, 'PERMISSIVE is the default')
  await cluster.apply(
    JSON.stringify({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: 'shop' },
      spec: { mtls: { mode: 'STRICT' } },
    }),
  )
  await eventually(stranger, ({ code }) => code === 56, 5000, 'plain text is refused')
  t.is((await curl('alice', `${URL}/get`)).code, 0)
  await cluster.must('delete', 'peerauthentication', '-n', 'shop', 'default')
  await eventually(stranger, ({ code }) => code === 0, 5000, 'plain text passes again')
})

test.serial('kubelet probes still reach a pod that refuses plain text', async (t) => {
  await cluster.apply(
    JSON.stringify({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: 'shop' },
      spec: { mtls: { mode: 'STRICT' } },
    }),
  )
  await cluster.apply(server('shop', 'probed', 'ambit-2'))
  await cluster.must('wait', 'pod', '-n', 'shop', 'probed', '--for=condition=Ready', '--timeout=30s')
  t.is((await curl('alice', 'http://probed.shop:8000/get')).code, 0)
  await cluster.must('delete', 'peerauthentication', '-n', 'shop', 'default')
  await cluster.must('delete', 'pod', '-n', 'shop', 'probed', '--wait=true')
})

test.serial('a known service without endpoints fails instead of going round the mesh', async (t) => {
  await cluster.apply(`
apiVersion: v1
kind: Service
metadata: {name: empty, namespace: shop}
spec: {selector: {app: nothing}, ports: [{port: 8000}]}
`)
  const answer = await eventually(
    () => curl('alice', 'http://empty.shop:8000/'),
    ({ code }) => code === 56 || code === 52,
    5000,
    'connection closed',
  )
  t.not(answer.code, 0)
})

test.serial('a policy that does not validate is refused with the field and the reason', async (t) => {
  const bad = JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'bad', namespace: 'shop' },
    spec: { action: 'MAYBE' },
  })
  const error = await t.throwsAsync(cluster.apply(bad))
  t.regex(error?.message ?? '', /spec\.action: Unsupported value: "MAYBE"/)
})

test.serial('a new pod is captured before its first packet', async (t) => {
  await cluster.apply(
    `${namespace('fresh', AMBIENT)}
apiVersion: v1
kind: Pod
metadata: {name: eager, namespace: fresh}
spec:
  restartPolicy: Never
  nodeSelector: {kubernetes.io/hostname: ambit-1}
  containers:
    - {name: curl, image: 'docker.io/curlimages/curl:8.16.0', command: [curl, -sS, --retry, '5', --retry-all-errors, --max-time, '10', '${URL}/ip']}
`,
  )
  await cluster.must('wait', 'pod', '-n', 'fresh', 'eager', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=40s')
  t.regex(await ztunnelLog(), /src\.identity="spiffe:\/\/cluster\.local\/ns\/fresh\/sa\/default"/)
})

test.serial(
  'a NetworkPolicy sees tunnels: without port 15008 nobody gets through, whatever port is allowed',
  async (t) => {
    const allow = (...ports: readonly number[]): Promise<string> =>
      cluster.apply(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{ports: ${JSON.stringify(ports.map((port) => ({ port, protocol: 'TCP' })))}}]
`)
    await allow(8080)
    // Those who were here before have a tunnel, and connections that stand go on.
    await cluster.apply(client('people', 'newcomer', 'ambit-1'))
    await cluster.must('wait', 'pod', '-n', 'people', 'newcomer', '--for=condition=Ready', '--timeout=30s')
    t.is((await curl('newcomer', '--max-time', '2', `${URL}/get`)).code, 28)
    t.is((await curl('alice', `${URL}/get`)).code, 0)
    await allow(8080, 15008)
    const passes = (): Promise<CommandResult> => curl('newcomer', `${URL}/get`)
    await eventually(passes, ({ code }) => code === 0, 15_000, 'the newcomer gets through')
    await cluster.must('delete', 'networkpolicy', '-n', 'shop', 'web')
  },
)

test.serial('an unlabelled namespace is plain again and no rule stays behind', async (t) => {
  await cluster.must('label', 'namespace', 'people', 'shop', 'istio.io/dataplane-mode-')
  await eventually(
    () =>
      cluster.must(
        'get',
        'pods',
        '-A',
        '-o',
        'jsonpath={range .items[*]}{.metadata.namespace}={.metadata.annotations.ambient\\.istio\\.io/redirection} {end}',
      ),
    (text) => !/(people|shop)=enabled/.test(text),
    15_000,
    'redirection annotations are gone',
  )
  // What is captured still belongs to namespace fresh: its pod has ended, so no pod's namespace may hold a rule.
  await eventually(
    () => redirectionOn(cluster, NODES, 'cni-*'),
    (lines) => lines.length === 0,
    10_000,
    'no rule is left in any pod',
  )
  const answer = await curl('alice', `${URL}/get`)
  t.is(answer.code, 0, answer.stderr)
})
