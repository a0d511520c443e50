// Who talks to whom, as `ambit connections` and `ambit graph` say it while it happens.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { decodeFlowLine, type Flow } from '../../packages/flow/src/index.ts'
import type { GraphEdge, GraphView } from '../../packages/graph/src/index.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import type { CommandResult } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { Follower } from '../support/follow.ts'
import { enrolled, ready, ztunnelLog } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { applyWaypoint, BY_WAYPOINT, fetchFrom, waypointLog } from '../support/waypoints.ts'
import { AMBIENT, client, namespace, policy, server } from './manifests.ts'

const AMBIT = join(import.meta.dirname, '../../node_modules/.bin/ambit')
const LIMIT_MS = 30_000
const ALICE = 'spiffe://cluster.local/ns/people/sa/alice'
const DIRECT = 'workload:people/alice>service:store/web.store.svc.cluster.local'
const THROUGH = 'workload:people/alice>service:shop/web.shop.svc.cluster.local'

let cluster: Cluster
let alice: PodShell

test.serial.before(async () => {
  cluster = await startCluster({ name: 'flows' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('store', AMBIENT) +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      server('store', 'web', 'ambit-2') +
      server('shop', 'web', 'ambit-2'),
  )
  await applyWaypoint(cluster, '-n', 'shop', '--enroll-namespace')
  await ready(cluster, 'people', 'store', 'shop')
  await enrolled(cluster, 'people', 'store')
  alice = new PodShell(cluster, 'people/alice')
  await eventually(
    () => fetchFrom(alice, 'http://web.shop:8000/get'),
    ({ head }) => BY_WAYPOINT.test(head),
    LIMIT_MS,
    'requests go through the waypoint',
  )
})

test.serial.after.always(async () => {
  await alice?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

async function view(...flags: readonly string[]): Promise<GraphView> {
  const { code, stdout, stderr } = await cluster.ambit('connections', '-o', 'json', ...flags)
  if (code !== 0) throw new Error(`ambit connections: exit ${code}\n${stdout}${stderr}`)
  return JSON.parse(stdout) as GraphView
}

async function edge(id: string, ...flags: readonly string[]): Promise<GraphEdge | undefined> {
  return (await view(...flags)).edges.find((each) => each.id === id)
}

async function flows(...flags: readonly string[]): Promise<readonly Flow[]> {
  const { stdout } = await cluster.ambit('connections', '-o', 'ndjson', ...flags)
  return stdout.split('\n').flatMap((line) => {
    const read = line === '' ? undefined : decodeFlowLine(line)
    return read !== undefined && 'flow' in read ? [read.flow] : []
  })
}

test.serial('a download under way is one line: both its proxies’ word, identities, bytes, key exchange', async (t) => {
  await alice.run(
    'curl -sN "http://web.store:8000/drip?duration=120&numbytes=1200&delay=0" >/dev/null & echo $! > /tmp/download',
  )
  const open = await eventually(
    () => edge(DIRECT, '--state', 'open'),
    (found) => found !== undefined && found.open === 1 && found.bytesToClient > 0,
    LIMIT_MS,
    'the download is seen',
  )
  t.like(open, {
    connections: 1,
    denied: 0,
    failed: 0,
    ports: [8000],
    endpoints: ['store/web'],
    waypoints: [],
    clientIdentities: [ALICE],
    serverIdentities: ['spiffe://cluster.local/ns/store/sa/web'],
    transports: ['hbone'],
    tlsVersions: ['TLSv1.3'],
    keyExchanges: ['X25519MLKEM768'],
    plainText: false,
  })
  const told = await flows('--state', 'open', '--service', 'store/web')
  t.deepEqual(told.map(({ side, reporter }) => `${side} ${reporter.node}`).toSorted(), [
    'destination ambit-2',
    'source ambit-1',
  ])
  const { stdout } = await cluster.ambit('connections', '-n', 'store')
  t.regex(
    stdout,
    /^people\/alice +svc store\/web +8000 +- +1 .*TLSv1\.3 +X25519MLKEM768 .* cluster\.local\/ns\/people\/sa\/alice +cluster\.local\/ns\/store\/sa\/web$/m,
  )
  t.regex((await cluster.ambit('connections', '-n', 'elsewhere')).stdout, /^CLIENT .*\n$/)

  await alice.run('kill $(cat /tmp/download); wait')
  await eventually(
    () => ztunnelLog(cluster),
    (log) => told.every(({ id }) => log.includes(`connection_id="${id}"`)),
    LIMIT_MS,
    'the access log has both ids',
  )
})

test.serial('a connection that policy refuses is told with the policy, and counts once', async (t) => {
  await cluster.apply(
    policy('store', 'no-alice', 'web', 'DENY', [
      { from: [{ source: { principals: [ALICE.slice('spiffe://'.length)] } }] },
    ]),
  )
  await eventually(
    () => fetchFrom(alice, 'http://web.store:8000/get'),
    ({ exit }) => exit !== 0,
    LIMIT_MS,
    'the policy holds',
  )
  const before = (await edge(DIRECT))?.denied ?? 0
  await fetchFrom(alice, 'http://web.store:8000/get')
  const after = await edge(DIRECT)
  t.is((after?.denied ?? 0) - before, 1)
  t.is(after?.failed, 0)
  const denied = await flows('--state', 'denied', '--service', 'web.store')
  t.like(denied.at(-1), {
    side: 'destination',
    client: { identity: ALICE, workload: 'alice' },
    verdict: { allowed: false, policy: 'store/no-alice', rule: 0 },
    failure: { code: 'policy-denied' },
  })
  t.regex(await ztunnelLog(cluster), new RegExp(`connection_id="${denied.at(-1)?.id}" policies="store/no-alice"`))
  await cluster.must('delete', 'authorizationpolicy', '-n', 'store', '--all')
})

test.serial(
  'through a waypoint: requests while somebody looks, a denial with its path and rule, and the picture of it',
  async (t) => {
    await cluster.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: web}]
  action: ALLOW
  rules: [{to: [{operation: {methods: [GET]}}], when: [{key: 'request.headers[x-tenant]', values: [a]}]}]
`)
    await eventually(
      () => fetchFrom(alice, 'http://web.shop:8000/get'),
      ({ status }) => status === 403,
      LIMIT_MS,
      'the policy holds',
    )
    await fetchFrom(
      alice,
      '-H',
      'x-tenant: a',
      '-H',
      'x-secret: hidden',
      '-X',
      'DELETE',
      'http://web.shop:8000/a/../delete?token=hidden',
    )
    const [denied] = (await flows('--state', 'denied', '--service', 'web.shop')).filter(
      ({ request }) => request?.method === 'DELETE',
    )
    t.like(denied, {
      reporter: { kind: 'waypoint', gateway: 'shop/waypoint' },
      client: { identity: ALICE, workload: 'alice' },
      service: { hostname: 'web.shop.svc.cluster.local', port: 8000 },
      request: { method: 'DELETE', path: '/delete', host: 'web.shop:8000', status: 403, headers: { 'x-tenant': 'a' } },
      verdict: { allowed: false, reason: 'not-allowed', unmatched: ['shop/readers'] },
    })
    t.notRegex(JSON.stringify(denied), /hidden/)
    t.regex(await waypointLog(cluster, 'shop'), new RegExp(`stream_id="${denied?.id}"`))

    await using looking = new Follower(AMBIT, ['graph', '-w', '-o', 'json', '-n', 'shop', '--since', '1s'], cluster.env)
    const { edges } = await eventually(
      async () => {
        await fetchFrom(alice, '-H', 'x-tenant: a', 'http://web.shop:8000/get')
        const picture = looking.text.split('\n').findLast((line) => line.endsWith('}'))
        return picture === undefined ? NOTHING : (JSON.parse(picture) as GraphView)
      },
      (view) => view.edges.some(({ requests, connections }) => requests > 1 && connections > 1),
      LIMIT_MS,
      'requests and connections are seen',
    )
    t.deepEqual(
      edges.map(({ id }) => id),
      [THROUGH],
      'no edge from the waypoint to its endpoint',
    )
    t.like(edges[0], {
      waypoints: ['shop/waypoint'],
      endpoints: ['shop/web'],
      serverIdentities: ['spiffe://cluster.local/ns/shop/sa/web'],
      plainText: false,
      failed: 0,
    })
    t.true((edges[0]?.bytesToClient ?? 0) > 0)

    const mermaid = await cluster.ambit('graph', '--for', '0s', '-o', 'mermaid')
    t.is(mermaid.code, 0, mermaid.stderr)
    t.regex(mermaid.stdout, /^flowchart LR\n/)
    t.regex(mermaid.stdout, /-->\|"\d+ req, \d+ denied, .*, via shop\/waypoint"\|/)
    t.regex(mermaid.stdout, /linkStyle .*stroke:red/)
  },
)

test.serial('-w tells what happens as it happens, until Ctrl-C', async (t) => {
  const watching = new Follower(AMBIT, ['connections', '-w', '-o', 'ndjson', '--service', 'store/web'], cluster.env)
  try {
    await eventually(
      async () => {
        await fetchFrom(alice, 'http://web.store:8000/get')
        return watching.text
      },
      (text) => /"state":"closed".*"side":"source"/.test(text) && /"state":"closed".*"side":"destination"/.test(text),
      LIMIT_MS,
      'both ends of a connection are told',
    )
    t.is(await watching.interrupt(), 130)
  } finally {
    await watching[Symbol.asyncDispose]()
  }
})

const NOTHING: GraphView = { at: '', nodes: [], edges: [] }

interface KubeConfig {
  readonly clusters: readonly { readonly cluster: object }[]
}

test.serial('who may not ask is told which right is missing', async (t) => {
  await cluster.must('create', 'serviceaccount', 'guest')
  const token = (await cluster.must('create', 'token', 'guest')).trim()
  const { clusters } = JSON.parse(await cluster.must('config', 'view', '--raw', '-o', 'json')) as KubeConfig
  const path = join(cluster.env['HOME'] ?? '', 'guest')
  await writeFile(
    path,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'guest',
      clusters: [{ name: 'guest', cluster: clusters[0]?.cluster }],
      users: [{ name: 'guest', user: { token } }],
      contexts: [{ name: 'guest', context: { cluster: 'guest', user: 'guest' } }],
    }),
  )
  const ask = (): Promise<CommandResult> => cluster.ambit('connections', '--kubeconfig', path)
  const refused = await ask()
  t.is(refused.code, 75)
  t.regex(
    refused.stderr,
    /! node proxies in istio-system are not asked: it takes the right to list pods in namespace istio-system/,
  )
  t.regex(
    refused.stderr,
    /! waypoints and gateways of all namespaces are not asked: it takes the right to list pods in all namespaces/,
  )
  await cluster.must('create', 'clusterrole', 'lister', '--verb=list', '--resource=pods')
  await cluster.must('create', 'clusterrolebinding', 'lister', '--clusterrole=lister', '--serviceaccount=default:guest')
  const listed = await ask()
  t.is(listed.code, 75)
  t.is(
    listed.stderr.match(/it takes the rights get and create on pods\/portforward in namespace istio-system/g)?.length,
    2,
  )
  t.regex(listed.stderr, /it takes the rights get and create on pods\/portforward in namespace shop/)
})
