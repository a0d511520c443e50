// Which traffic goes through which waypoint: by namespace, service and pod, across namespaces, and when there is none.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { wasReset } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { enrolled, podIps, ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { applyWaypoint, BY_WAYPOINT, fetchFrom } from '../support/waypoints.ts'
import { AMBIENT, client, namespace, policy, server } from './manifests.ts'

const EFFECT_LIMIT_MS = 3000
const START_LIMIT_MS = 15_000
const WEB = 'http://web.shop:8000/get'
const OTHER = 'http://other.shop:8000/get'

let cluster: Cluster
let alice: PodShell

test.serial.before(async () => {
  cluster = await startCluster({ name: 'waypoint-binding' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('shop', AMBIENT) +
      namespace('infra', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('people', 'mallory', 'ambit-1') +
      server('shop', 'web', 'ambit-2') +
      server('shop', 'other', 'ambit-2'),
  )
  await applyWaypoint(cluster, '-n', 'shop')
  await ready(cluster, 'people', 'shop')
  await enrolled(cluster, 'people')
  alice = new PodShell(cluster, 'people/alice')
})

test.serial.after.always(async () => {
  await alice?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

type Way = 'waypoint' | 'direct' | 'refused'

async function wayOf(url: string): Promise<string> {
  const { exit, status, head } = await fetchFrom(alice, url)
  // What ztunnel refuses without asking anybody may be reset before curl has seen that it was connected: its 7.
  if (wasReset(exit) || exit === 7) return 'refused'
  if (exit !== 0 || status !== 200) return `exit ${exit}, status ${status}`
  return BY_WAYPOINT.test(head) ? 'waypoint' : 'direct'
}

/** Asks until every address is answered in its way. */
async function ways(expected: Readonly<Record<string, Way>>, what: string): Promise<void> {
  const wanted = JSON.stringify(Object.values(expected))
  const ask = async (): Promise<string[]> => {
    const seen: string[] = []
    for (const url of Object.keys(expected)) seen.push(await wayOf(url))
    return seen
  }
  await eventually(ask, (seen) => JSON.stringify(seen) === wanted, EFFECT_LIMIT_MS, what)
}

async function label(object: string, ...labels: readonly string[]): Promise<void> {
  const [kind = '', name = ''] = object.split('/')
  await cluster.must('label', kind, name, ...(kind === 'ns' ? [] : ['-n', 'shop']), '--overwrite', ...labels)
}

/** The reason of the service's condition, as soon as it is this one. */
async function bound(service: string, reason: string): Promise<string> {
  const path = 'jsonpath={.status.conditions[?(@.type=="istio.io/WaypointBound")]}'
  return await eventually(
    () => cluster.must('get', 'svc', '-n', 'shop', service, '-o', path),
    (text) => text.includes(`"reason":"${reason}"`),
    START_LIMIT_MS,
    `service ${service} says ${reason}`,
  )
}

const podUrl = async (pod: string): Promise<string> => `http://${(await podIps(cluster, pod))[0]}:8080/get`

test.serial('a waypoint that nothing is bound to takes no traffic', async (t) => {
  await ways({ [WEB]: 'direct', [OTHER]: 'direct' }, 'all goes direct')
  t.pass()
})

test.serial('one service by its label; its pods by their address go direct', async (t) => {
  await label('svc/web', 'istio.io/use-waypoint=waypoint')
  await ways({ [WEB]: 'waypoint', [OTHER]: 'direct', [await podUrl('shop/web')]: 'direct' }, 'one service')
  t.regex(await bound('web', 'WaypointAccepted'), /"status":"True"/)
  await label('svc/web', 'istio.io/use-waypoint-')
  await ways({ [WEB]: 'direct' }, 'without the label')
})

test.serial('all services of a namespace, but not the one that says none', async (t) => {
  await label('ns/shop', 'istio.io/use-waypoint=waypoint')
  await ways({ [WEB]: 'waypoint', [OTHER]: 'waypoint' }, 'the namespace')
  await label('svc/other', 'istio.io/use-waypoint=none')
  await ways({ [WEB]: 'waypoint', [OTHER]: 'direct' }, 'none')
  await label('svc/other', 'istio.io/use-waypoint-')
  await label('ns/shop', 'istio.io/use-waypoint-')
  await ways({ [WEB]: 'direct', [OTHER]: 'direct' }, 'without labels')
  t.pass()
})

test.serial('a waypoint for workloads takes what goes to pods, not what goes to services', async (t) => {
  await applyWaypoint(cluster, '-n', 'shop', '--name', 'pods', '--for', 'workload')
  await label('pod/web', 'istio.io/use-waypoint=pods')
  await ways(
    { [await podUrl('shop/web')]: 'waypoint', [WEB]: 'direct', [await podUrl('shop/other')]: 'direct' },
    'the pod by its address',
  )
  await cluster.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: pods, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: pods}]
  action: DENY
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
---`)
  const url = (await podUrl('shop/web')).replace('/get', '/delete')
  const denied = await eventually(
    () => fetchFrom(alice, '-X', 'DELETE', url),
    ({ status }) => status === 403,
    EFFECT_LIMIT_MS,
    'the policy takes effect',
  )
  t.is(denied.body, 'RBAC: access denied')
  await label('pod/web', 'istio.io/use-waypoint-')
  await cluster.must('delete', 'ap', '-n', 'shop', 'pods')
  // A service says so when the waypoint it names is for something else.
  await label('svc/web', 'istio.io/use-waypoint=pods')
  t.regex(await bound('web', 'UnsupportedTrafficType'), /"status":"False"/)
  await label('svc/web', 'istio.io/use-waypoint-')
})

test.serial('a waypoint for a service account, and its policy by selector, as of Istio 1.18', async (t) => {
  const account = ['-n', 'shop', '--service-account', 'web']
  t.is((await cluster.ambit('x', 'waypoint', 'apply', ...account)).code, 0)
  await cluster.must('wait', 'gtw/web', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s')
  await cluster.apply(`
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata: {name: web-viewer, namespace: shop}
spec:
  selector: {matchLabels: {istio.io/gateway-name: web}}
  action: ALLOW
  rules:
    - from: [{source: {principals: [cluster.local/ns/people/sa/alice]}}]
      to: [{operation: {methods: [GET]}}]
---`)
  await ways({ [WEB]: 'waypoint', [await podUrl('shop/web')]: 'waypoint', [OTHER]: 'direct' }, 'the account')
  const written = await eventually(
    () => fetchFrom(alice, '-X', 'DELETE', WEB),
    ({ status }) => status === 403,
    EFFECT_LIMIT_MS,
    'the policy takes effect',
  )
  t.is(written.body, 'RBAC: access denied')
  await using mallory = new PodShell(cluster, 'people/mallory')
  t.is((await fetchFrom(mallory, WEB)).status, 403)
  t.is((await cluster.ambit('x', 'waypoint', 'delete', ...account)).code, 0)
  await ways({ [WEB]: 'direct' }, 'without it')
  await cluster.must('delete', 'ap', '-n', 'shop', 'web-viewer')
})

const shared = (from: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shared, namespace: infra, labels: {istio.io/waypoint-for: service}}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: ${from}}}]
---`

test.serial('a waypoint of another namespace, where that allows it', async (t) => {
  await cluster.apply(shared('{from: Same}'))
  await cluster.must('wait', 'gtw/shared', '-n', 'infra', '--for=condition=Programmed', '--timeout=60s')
  await label('svc/web', 'istio.io/use-waypoint=shared', 'istio.io/use-waypoint-namespace=infra')
  t.regex(await bound('web', 'AttachmentDenied'), /not permitted to attach to waypoint \\"infra\/shared\\"/)
  await ways({ [WEB]: 'direct' }, 'not allowed')
  await cluster.apply(shared('{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}'))
  await ways({ [WEB]: 'waypoint', [OTHER]: 'direct' }, 'allowed')
  t.regex((await cluster.ambit('zc', 'services', '-n', 'shop')).stdout, /^shop +web +\S+ +shared +1\/1$/m)
  await label('svc/web', 'istio.io/use-waypoint-', 'istio.io/use-waypoint-namespace-')
  await ways({ [WEB]: 'direct' }, 'without the labels')
})

test.serial('a waypoint that is not there: direct, unless it is required', async (t) => {
  await label('svc/web', 'istio.io/use-waypoint=nowhere')
  t.regex(await bound('web', 'WaypointIsNotReady'), /waypoint \\"shop\/nowhere\\" is not ready/)
  await ways({ [WEB]: 'direct', [OTHER]: 'direct' }, 'a missing waypoint')
  await label('svc/web', 'ambit.dev/require-waypoint=true')
  await ways({ [WEB]: 'refused', [OTHER]: 'direct' }, 'a missing waypoint that is required')
  await label('svc/web', 'istio.io/use-waypoint=waypoint')
  await ways({ [WEB]: 'waypoint' }, 'a required waypoint that is there')
  await label('svc/web', 'ambit.dev/require-waypoint-', 'istio.io/use-waypoint-')
})

test.serial(
  'a waypoint without a pod keeps its address: what is bound to it fails, and is not reached around it',
  async (t) => {
    await label('svc/web', 'istio.io/use-waypoint=waypoint')
    await ways({ [WEB]: 'waypoint' }, 'the waypoint is there')
    await cluster.must('scale', 'deploy', '-n', 'shop', 'waypoint', '--replicas=0')
    await ways({ [WEB]: 'refused', [OTHER]: 'direct' }, 'no pod')
    await cluster.must('wait', 'gtw/waypoint', '-n', 'shop', '--for=condition=Programmed=False', '--timeout=30s')
    t.is(await wayOf(WEB), 'refused')
    await cluster.must('scale', 'deploy', '-n', 'shop', 'waypoint', '--replicas=1')
    await cluster.must('wait', 'gtw/waypoint', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s')
    await ways({ [WEB]: 'waypoint' }, 'a pod again')
  },
)

test.serial('the waypoint deleted, traffic is direct and policy on connections holds', async (t) => {
  const principals = ['cluster.local/ns/people/sa/alice']
  await cluster.apply(policy('shop', 'only-alice', 'web', 'ALLOW', [{ from: [{ source: { principals } }] }]))
  t.is((await cluster.ambit('waypoint', 'delete', 'waypoint', '-n', 'shop')).code, 0)
  await ways({ [WEB]: 'direct' }, 'no waypoint')
  await using mallory = new PodShell(cluster, 'people/mallory')
  const refused = await fetchFrom(mallory, WEB)
  t.true(wasReset(refused.exit), `curl exit code ${refused.exit}`)
  t.regex(await bound('web', 'WaypointIsNotReady'), /"status":"False"/)
})
