// What `ambit explain` says, held against what really happens: every situation at once in one cluster, each asked with curl and explained.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { KubeCluster } from '../../packages/cli/src/cluster/kube-cluster.ts'
import { readMesh } from '../../packages/cli/src/explain/read-mesh.ts'
import type { Explanation, MeshModel, NotEnforced, PointName } from '../../packages/explain/src/index.ts'
import type { Flow } from '../../packages/flow/src/index.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { enrolled, podIps, ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { applyWaypoint } from '../support/waypoints.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const SETTLE_LIMIT_MS = 60_000
const ALICE = 'cluster.local/ns/people/sa/alice'
const CLIENTS = { alice: 'people/alice', stranger: 'outside/stranger', host: 'outside/host' } as const
type Who = keyof typeof CLIENTS

interface Situation {
  readonly what: string
  readonly from?: Who
  /** As `--to`; its URL unless one is given. */
  readonly to: string
  readonly url?: string
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly policies?: readonly unknown[]
  /** Status of the answer; 0: reset. */
  readonly seen: number
  readonly outcome?: Explanation['outcome']
  readonly point?: PointName
  readonly policy?: string
  readonly notEnforced?: readonly NotEnforced['code'][]
  /** Field of the nearest rule that does not hold. */
  readonly lacks?: string
}

const security = (kind: string, name: string, spec: unknown, place = 'shop', annotations = {}): unknown => ({
  apiVersion: 'security.istio.io/v1',
  kind,
  metadata: { name, namespace: place, annotations },
  spec,
})
type Spec = Readonly<Record<string, unknown>>
const onPods = (app: string, spec: Spec, place = 'shop', annotations = {}): unknown =>
  security('AuthorizationPolicy', app, { selector: { matchLabels: { app } }, ...spec }, place, annotations)
const onService = (name: string, spec: Spec, annotations = {}): unknown =>
  security(
    'AuthorizationPolicy',
    name,
    { targetRefs: [{ group: '', kind: 'Service', name }], ...spec },
    'shop',
    annotations,
  )
const from = (source: unknown): unknown => [{ from: [{ source }] }]
const to = (operation: unknown): unknown => [{ to: [{ operation }] }]
const DRY_RUN = { 'istio.io/dry-run': 'true' }

/** Names of services are those of the situations' policies; each is a name of its own, so that all are there at once. */
function situations(ips: Readonly<Record<'alice' | 'closed' | 'free', string>>): readonly Situation[] {
  return [
    { what: 'nothing forbids it', to: 'shop/free', seen: 200 },
    {
      what: 'L4 deny by principal',
      to: 'shop/by-principal',
      policies: [onPods('by-principal', { action: 'DENY', rules: from({ principals: [ALICE] }) })],
      seen: 0,
      policy: 'shop/by-principal',
    },
    {
      what: 'L4 deny by namespace, port and address together',
      to: 'shop/by-rest',
      policies: [
        onPods('by-rest', {
          action: 'DENY',
          rules: [
            {
              from: [{ source: { namespaces: ['people'], ipBlocks: [ips.alice] } }],
              to: [{ operation: { ports: ['8080'] } }],
            },
          ],
        }),
      ],
      seen: 0,
      policy: 'shop/by-rest',
    },
    {
      what: 'L4 ALLOW with nobody matching',
      to: 'shop/for-others',
      policies: [
        onPods('for-others', { action: 'ALLOW', rules: from({ principals: ['cluster.local/ns/people/sa/bob'] }) }),
      ],
      seen: 0,
      lacks: 'from[0].source.principals',
    },
    {
      what: 'L7 policy without a waypoint: ALLOW loses its rules',
      to: 'shop/l7-alone',
      policies: [onPods('l7-alone', { action: 'ALLOW', rules: to({ methods: ['GET'] }) })],
      seen: 0,
      point: 'destination-ztunnel',
      notEnforced: ['l7-without-waypoint'],
    },
    {
      what: 'STRICT, with a client in the mesh',
      to: 'shop/strict',
      policies: [
        security('PeerAuthentication', 'strict', {
          selector: { matchLabels: { app: 'strict' } },
          mtls: { mode: 'STRICT' },
        }),
      ],
      seen: 200,
    },
    {
      what: 'STRICT, with a client that is not captured',
      from: 'stranger',
      to: 'shop/strict',
      seen: 0,
      point: 'destination-ztunnel',
    },
    { what: 'PERMISSIVE, with a client that is not captured', from: 'stranger', to: 'shop/free', seen: 200 },
    {
      what: 'PERMISSIVE, with a client in the host’s network',
      from: 'host',
      to: 'shop/free',
      url: `http://${ips.free}:8000`,
      seen: 200,
    },
    {
      what: 'dry-run on pods',
      to: 'shop/tried',
      policies: [onPods('tried', { action: 'DENY', rules: [{}] }, 'shop', DRY_RUN)],
      seen: 200,
      notEnforced: ['dry-run'],
    },
    {
      what: 'CUSTOM on pods',
      to: 'shop/custom-pods',
      policies: [onPods('custom-pods', { action: 'CUSTOM', provider: { name: 'outside' }, rules: [{}] })],
      seen: 200,
      notEnforced: ['not-accepted'],
    },
    {
      what: 'a policy in the client’s namespace',
      to: 'shop/elsewhere',
      policies: [onPods('elsewhere', { action: 'DENY', rules: [{}] }, 'people')],
      seen: 200,
      notEnforced: ['other-namespace'],
    },
    {
      what: 'L7 method',
      to: 'shop/method',
      method: 'POST',
      path: '/post',
      policies: [onService('method', { action: 'ALLOW', rules: to({ methods: ['GET'] }) })],
      seen: 403,
      point: 'waypoint',
      lacks: 'to[0].operation.methods',
    },
    {
      what: 'L7 method that is allowed',
      to: 'shop/method',
      method: 'GET',
      path: '/get',
      seen: 200,
      policy: 'shop/method',
    },
    {
      what: 'L7 path, however it is written',
      to: 'shop/path',
      path: '/anything/x/%2e%2e/admin',
      policies: [onService('path', { action: 'DENY', rules: to({ paths: ['/anything/admin*'] }) })],
      seen: 403,
      point: 'waypoint',
      policy: 'shop/path',
    },
    {
      what: 'L7 header',
      to: 'shop/header',
      headers: { 'x-team': 'blue' },
      policies: [
        onService('header', {
          action: 'DENY',
          rules: [{ when: [{ key: 'request.headers[x-team]', values: ['blue'] }] }],
        }),
      ],
      seen: 403,
      policy: 'shop/header',
    },
    {
      what: 'L7 token that is wanted and not there',
      to: 'shop/token',
      policies: [
        onService('token', { action: 'ALLOW', rules: from({ requestPrincipals: ['*'] }) }),
        security('RequestAuthentication', 'token', {
          targetRefs: [{ group: '', kind: 'Service', name: 'token' }],
          jwtRules: [{ issuer: 'https://issuer.example', jwksUri: 'https://issuer.example/keys' }],
        }),
      ],
      seen: 403,
      lacks: 'from[0].source.requestPrincipals',
    },
    {
      what: 'L7 token that can not be checked',
      to: 'shop/token',
      headers: { authorization: 'Bearer x.y.z' },
      seen: 401,
      point: 'waypoint',
    },
    {
      what: 'CUSTOM at the waypoint',
      to: 'shop/custom',
      policies: [onService('custom', { action: 'CUSTOM', provider: { name: 'outside' }, rules: [{}] })],
      seen: 403,
      policy: 'shop/custom',
    },
    {
      what: 'dry-run at the waypoint',
      to: 'shop/rehearsed',
      policies: [onService('rehearsed', { action: 'DENY', rules: [{}] }, DRY_RUN)],
      seen: 200,
      notEnforced: ['dry-run'],
    },
    {
      what: 'a target that is not there',
      to: 'shop/mistyped',
      policies: [
        security('AuthorizationPolicy', 'mistyped', {
          targetRefs: [{ group: '', kind: 'Service', name: 'mistyped-service' }],
          action: 'DENY',
          rules: [{}],
        }),
      ],
      seen: 200,
      notEnforced: ['wrong-target'],
    },
    {
      what: 'a waypoint that is not there',
      to: 'shop/not-ready',
      policies: [onService('not-ready', { action: 'DENY', rules: [{}] })],
      seen: 200,
      notEnforced: ['waypoint-not-ready'],
    },
    {
      what: 'a required waypoint that is not there',
      to: 'shop/required',
      seen: 0,
      outcome: 'unreachable',
      point: 'source-ztunnel',
    },
    {
      what: 'a closed service, by its address',
      to: 'shop/closed',
      policies: [onService('closed', { action: 'ALLOW' })],
      seen: 403,
      point: 'waypoint',
    },
    {
      what: 'a closed service, by its pod',
      to: 'pod:shop/closed:8080',
      url: `http://${ips.closed}:8080`,
      seen: 200,
      notEnforced: ['waypoint-bypassed'],
    },
    { what: 'a closed service, headless', to: 'closed-pods.shop:8080', seen: 200, notEnforced: ['waypoint-bypassed'] },
    {
      what: 'a closed service, by a client that is not captured',
      from: 'stranger',
      to: 'shop/closed',
      seen: 200,
      notEnforced: ['not-captured'],
    },
    {
      what: 'a policy on pods that knows only the waypoint’s client',
      to: 'shop/behind',
      policies: [onPods('behind', { action: 'ALLOW', rules: from({ principals: [ALICE] }) })],
      seen: 503,
      outcome: 'denied',
      point: 'destination-ztunnel',
      lacks: 'from[0].source.principals',
    },
    {
      what: 'a server that is not captured',
      to: 'outside/site',
      policies: [onPods('site', { action: 'DENY', rules: [{}] }, 'outside')],
      seen: 200,
      notEnforced: ['not-captured'],
    },
    { what: 'a ServiceEntry', to: 'site.example.com', seen: 200 },
    {
      what: 'a ServiceEntry behind the waypoint',
      to: 'guarded.example.com',
      policies: [
        security('AuthorizationPolicy', 'guarded', {
          targetRefs: [{ group: 'networking.istio.io', kind: 'ServiceEntry', name: 'guarded' }],
          action: 'DENY',
          rules: to({ paths: ['/get'] }),
        }),
      ],
      seen: 403,
      policy: 'shop/guarded',
    },
    {
      what: 'an ingress gateway',
      from: 'stranger',
      to: 'front-istio.edge:80',
      headers: { host: 'front.example.com' },
      seen: 200,
    },
    {
      what: 'a policy of an ingress gateway',
      from: 'stranger',
      to: 'front-istio.edge:80',
      path: '/anything/admin',
      headers: { host: 'front.example.com' },
      policies: [
        security(
          'AuthorizationPolicy',
          'front',
          {
            targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'front' }],
            action: 'DENY',
            rules: to({ paths: ['/anything/admin'] }),
          },
          'edge',
        ),
      ],
      seen: 403,
      point: 'gateway',
      policy: 'edge/front',
    },
  ]
}

/** Pods of these names with services of their own, reached without a waypoint. */
const ALONE = [
  'free',
  'by-principal',
  'by-rest',
  'for-others',
  'l7-alone',
  'strict',
  'tried',
  'custom-pods',
  'elsewhere',
]
/** Services before the pod `web`, by the waypoint that they name. */
const BEHIND_WAYPOINT: Readonly<Record<string, string>> = {
  method: 'waypoint',
  path: 'waypoint',
  header: 'waypoint',
  token: 'waypoint',
  custom: 'waypoint',
  rehearsed: 'waypoint',
  mistyped: 'waypoint',
  'not-ready': 'missing',
  required: 'missing',
}

function service(
  name: string,
  app: string,
  labels: Readonly<Record<string, string>>,
  port: number,
  headless = false,
): string {
  const spec = {
    selector: { app },
    ports: [{ name: 'http', port, targetPort: 8080 }],
    ...(headless ? { clusterIP: 'None' } : {}),
  }
  return `\n${JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop', labels }, spec })}\n---`
}

/** The part of the manifest of a server that is its service is labelled. */
function behind(name: string): string {
  return `${server('shop', name, 'ambit-2')}${service(name, name, { 'istio.io/use-waypoint': 'waypoint' }, 8000)}`
}

const HOST_CLIENT = `
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: outside, labels: {app: host, istio.io/dataplane-mode: ambient}}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ambit-1}
  containers:
    - {name: curl, image: 'docker.io/curlimages/curl:8.16.0', command: [/bin/sleep, infinity]}
---`

const EDGE = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: edge}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: front, namespace: shop}
spec:
  parentRefs: [{name: front, namespace: edge}]
  hostnames: [front.example.com]
  rules: [{backendRefs: [{name: free, port: 8000}]}]
---`

const entry = (name: string, ip: string, labels: Readonly<Record<string, string>>): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop, labels: ${JSON.stringify(labels)}}
spec:
  hosts: [${name}.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
  endpoints: [{address: ${ip}}]
---`

let cluster: Cluster
let all: readonly Situation[]
const shells = new Map<Who, PodShell>()

test.serial.before(async () => {
  cluster = await startCluster({ name: 'explain' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('outside') +
      namespace('edge') +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('outside', 'stranger', 'ambit-1') +
      HOST_CLIENT +
      server('outside', 'site', 'ambit-2') +
      ALONE.map((name) => server('shop', name, 'ambit-2')).join('') +
      server('shop', 'web', 'ambit-2') +
      behind('closed') +
      behind('behind') +
      service('closed-pods', 'closed', {}, 8080, true) +
      Object.entries(BEHIND_WAYPOINT)
        .map(([name, waypoint]) =>
          service(
            name,
            'web',
            {
              'istio.io/use-waypoint': waypoint,
              ...(name === 'required' ? { 'ambit.dev/require-waypoint': 'true' } : {}),
            },
            8000,
          ),
        )
        .join('') +
      EDGE,
  )
  await applyWaypoint(cluster, '-n', 'shop')
  await ready(cluster, 'people', 'outside', 'edge', 'shop')
  await cluster.must('wait', 'gateway', '-n', 'edge', 'front', '--for=condition=Programmed', '--timeout=60s')
  await enrolled(cluster, 'people')
  const [siteIp = ''] = await podIps(cluster, 'outside/site')
  const [alice = ''] = await podIps(cluster, 'people/alice')
  const [closed = ''] = await podIps(cluster, 'shop/closed')
  // A pod in the host's network asks the host's DNS, which knows no services.
  const free = await cluster.must('get', 'svc', '-n', 'shop', 'free', '-o', 'jsonpath={.spec.clusterIP}')
  all = situations({ alice, closed, free })
  const items = all.flatMap(({ policies = [] }) => policies)
  await cluster.apply(entry('site', siteIp, {}) + entry('guarded', siteIp, { 'istio.io/use-waypoint': 'waypoint' }))
  await cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  for (const [who, pod] of Object.entries(CLIENTS)) shells.set(who as Who, new PodShell(cluster, pod))
})

test.serial.after.always(async () => {
  for (const shell of shells.values()) await shell[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

function urlOf({ to: target, url }: Situation): string {
  if (url !== undefined) return url
  const [, place, name] = /^([^/:]+)\/([^/:]+)$/.exec(target) ?? []
  return place === undefined ? `http://${target}` : `http://${name}.${place}:8000`
}

function curlOf(situation: Situation): string {
  const { method = 'GET', path = '/get', headers = {} } = situation
  const flags = Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`)
  return `curl -s -o /dev/null --max-time 5 --path-as-is -X ${method} ${flags.join(' ')} -w '%{http_code}' '${urlOf(situation)}${path}'`
}

/** Status of each answer, 0 for a reset, less than 0 for another failure of curl; each client asks all of its own at one go. */
async function seen(): Promise<ReadonlyMap<Situation, number>> {
  const byClient = [...shells].map(async ([who, shell]) => {
    const own = all.filter((one) => (one.from ?? 'alice') === who)
    const lines = await shell.run(own.map((one) => `${curlOf(one)}; echo " $?"`).join('; '))
    const answers = [...lines.matchAll(/^(\d{3}) (\d+)$/gm)]
    return own.map((one, i): [Situation, number] => {
      const [, status = '0', exit = '-1'] = answers[i] ?? []
      const wasReset = exit === '56' || exit === '55' || exit === '52'
      return [one, exit === '0' || wasReset ? Number(status) : -Number(exit)]
    })
  })
  return new Map((await Promise.all(byClient)).flat())
}

async function modelNow(): Promise<MeshModel> {
  const read = await readMesh(
    { readFile: () => Promise.reject(new Error('no file')), listFolder: () => Promise.reject(new Error('no folder')) },
    {
      cluster: KubeCluster.fromKubeConfig({ path: cluster.env['KUBECONFIG'] }),
      files: [],
      namespace: 'default',
      istioNamespace: 'istio-system',
    },
  )
  return read.model
}

function explained(
  model: MeshModel,
  { from: who = 'alice', to: target, method, path, headers = {} }: Situation,
): Explanation {
  const { host, ...others } = headers
  return model.explain({
    from: model.clientNamed(`pod:${CLIENTS[who]}`, 'people'),
    to: model.targetNamed(target, 'people'),
    request: { method: method ?? 'GET', path: path ?? '/get', host, headers: Object.entries(others) },
  })
}

test.serial('what happens is what is explained, in every situation', async (t) => {
  const answers = await eventually(
    seen,
    (found) => [...found].every(([one, status]) => status === one.seen),
    SETTLE_LIMIT_MS,
    'every situation is as it is meant',
  ).catch(async (error: unknown) => {
    for (const [one, status] of await seen()) if (status !== one.seen) t.log(`${one.what}: ${status}, not ${one.seen}`)
    throw error
  })
  const model = await modelNow()
  t.deepEqual(model.problems, [])
  const wrong: unknown[] = []
  for (const [one, status] of answers) {
    const explanation = explained(model, one)
    const { outcome, point, reason, policy, nearest, notEnforced, mixed } = explanation
    t.log(
      `${one.what}: curl ${status === 0 ? 'was reset' : status}, explain ${outcome} ${point ?? ''} ${policy ?? ''} (${reason})`,
    )
    const expected = {
      outcome: one.outcome ?? (status === 200 ? 'allowed' : 'denied'),
      point: one.point ?? point,
      policy: one.policy ?? policy,
      lacks: one.lacks ?? nearest?.failed[0]?.field,
      codes: [...(one.notEnforced ?? [])].sort(),
      mixed: undefined,
    }
    const codes = [...new Set(notEnforced.map(({ code }) => code))].sort()
    const found = { outcome, point, policy, lacks: nearest?.failed[0]?.field, codes, mixed }
    if (!isDeepStrictEqual(found, expected)) wrong.push({ what: one.what, found, expected, explanation })
  }
  t.deepEqual(wrong, [])
})

interface Told extends Explanation {
  readonly observed?: { readonly flow: Flow; readonly differs: boolean }
}

async function told(...args: readonly string[]): Promise<{ readonly code: number; readonly said: Told }> {
  const { code, stdout, stderr } = await cluster.ambit('explain', '-o', 'json', ...args)
  try {
    return { code, said: JSON.parse(stdout) as Told }
  } catch (cause) {
    throw new Error(`ambit explain ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`, { cause })
  }
}

test.serial('the exit status says what comes of it, and the text why', async (t) => {
  const denied = await cluster.ambit('explain', '--from', 'people/alice', '--to', 'shop/by-principal')
  t.is(denied.code, 77, denied.stderr)
  t.regex(denied.stdout, /^DENIED at the ztunnel of shop\/by-principal: explicitly denied by: shop\/by-principal\n/)
  t.regex(denied.stdout, /^ +✓ from\[0\]\.source\.principals: cluster\.local\/ns\/people\/sa\/alice, wants /m)
  t.is((await cluster.ambit('explain', '--from', 'people/alice', '--to', 'shop/free')).code, 0)
  const away = await cluster.ambit('explain', '--from', 'people/alice', '--to', 'shop/required', '--path', '/get')
  t.is(away.code, 69, away.stdout)
  const unknown = await cluster.ambit('explain', '--from', 'people/alice', '--to', 'shop/fre')
  t.is(unknown.code, 1)
  t.is(unknown.stderr.trim(), 'Error: there is no service or pod shop/fre; is shop/free meant?')
})

test.serial(
  'a real denial is taken out of the proxies’ journals, and it is told when the answer is another now',
  async (t) => {
    const alice = shells.get('alice') as PodShell
    const byPath = all.find(({ policy }) => policy === 'shop/path') as Situation
    await alice.run(curlOf(byPath))
    const atWaypoint = await told('--last-denied', '--from', 'people/alice')
    const { observed } = atWaypoint.said
    t.is(atWaypoint.code, 77)
    t.like(atWaypoint.said, { outcome: 'denied', point: 'waypoint', policy: 'shop/path' })
    t.is(observed?.flow.request?.path, '/anything/admin')
    t.is(observed?.flow.verdict?.policy, 'shop/path')
    t.false(observed?.differs)

    await alice.run(curlOf(all.find(({ policy }) => policy === 'shop/by-principal') as Situation))
    const atZtunnel = await told('--last-denied', '--from', 'people/alice')
    t.like(atZtunnel.said, { outcome: 'denied', point: 'destination-ztunnel', policy: 'shop/by-principal' })
    t.is(atZtunnel.said.observed?.flow.client.identity, `spiffe://${ALICE}`)

    await cluster.must('delete', 'authorizationpolicy', '-n', 'shop', 'path')
    const later = await told('--connection', observed?.flow.id ?? '')
    t.is(later.code, 0)
    t.is(later.said.outcome, 'allowed')
    t.true(later.said.observed?.differs)
    const text = await cluster.ambit('explain', '--connection', observed?.flow.id ?? '')
    t.regex(text.stdout, /^It is another now \(allowed\): policies, or what they are about, have changed since\.$/m)
  },
)

test.serial('who may see one namespace only is told what the answer leaves out', async (t) => {
  await cluster.must('create', 'serviceaccount', '-n', 'shop', 'reader')
  const resources = '--resource=services,pods,gateways.gateway.networking.k8s.io'
  await cluster.must('create', 'role', '-n', 'shop', 'reader', '--verb=get,list', resources)
  await cluster.must('create', 'rolebinding', '-n', 'shop', 'reader', '--role=reader', '--serviceaccount=shop:reader')
  const token = (await cluster.must('create', 'token', '-n', 'shop', 'reader')).trim()
  const folder = await mkdtemp(join(tmpdir(), 'ambit-explain-'))
  try {
    const config = join(folder, 'reader.yaml')
    await writeFile(config, await cluster.must('config', 'view', '--raw', '--flatten', '--minify'))
    await cluster.must('--kubeconfig', config, 'config', 'set-credentials', 'reader', `--token=${token}`)
    await cluster.must('--kubeconfig', config, 'config', 'set-context', '--current', '--user=reader')
    const asked = [
      'explain',
      '--kubeconfig',
      config,
      '-n',
      'shop',
      '--from',
      `spiffe://${ALICE}`,
      '--to',
      'shop/by-principal',
    ]
    const { code, stdout, stderr } = await cluster.ambit(...asked)
    t.is(code, 75, stdout + stderr)
    t.regex(stdout, /no right to list pods of all namespaces: only those of shop are looked at/)
    t.regex(
      stdout,
      /no right to list authorizationpolicies, not even those of shop: left out: AuthorizationPolicies: what is called allowed may be denied/,
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
