// `ambit analyze` on a real mesh: the bookstore with mistakes planted in it, and what the statuses say of the same.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { bookstoreManifest } from '../support/bookstore.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { applyWaypoint } from '../support/waypoints.ts'
import { AMBIENT, namespace } from './manifests.ts'

const STATUS_LIMIT_MS = 10_000

let cluster: Cluster
let folder: string

const object = (apiVersion: string, kind: string, name: string, spec: object): string =>
  JSON.stringify({ apiVersion, kind, metadata: { name, namespace: 'books' }, spec })
const virtual = (name: string, host: string, subset?: string): string =>
  object('networking.istio.io/v1', 'VirtualService', name, {
    hosts: [name],
    http: [{ route: [{ destination: { host, ...(subset === undefined ? {} : { subset }) } }] }],
  })
const policy = (name: string, spec: object): string =>
  object('security.istio.io/v1', 'AuthorizationPolicy', name, { action: 'ALLOW', ...spec })
const GET = [{ to: [{ operation: { methods: ['GET'] } }] }]

/** A mistake, and the line that tells it. */
const PLANTED: readonly (readonly [string, RegExp])[] = [
  [
    virtual('ratings', 'ratings', 'v9'),
    /^Error \[IST0101\] \(VirtualService books\/ratings\) Referenced host\+subset in destinationrule not found: "ratings\+v9"$/m,
  ],
  [
    object('networking.istio.io/v1', 'DestinationRule', 'reviews', {
      host: 'reviews',
      subsets: ['v1', 'v7'].map((version) => ({ name: version, labels: { version } })),
    }),
    /^Error \[IST0173\] \(DestinationRule books\/reviews\) The subset v7 /m,
  ],
  [
    policy('nobody', { selector: { matchLabels: { app: 'detail' } } }),
    /^Warning \[IST0127\] \(AuthorizationPolicy books\/nobody\) .*app=detail$/m,
  ],
  [
    policy('l7', { selector: { matchLabels: { app: 'details' } }, rules: GET }),
    /^Warning \[IST0171\] \(AuthorizationPolicy books\/l7\) .*type=ZtunnelAccepted, reason=UnsupportedValue/m,
  ],
  [
    policy('lost', { targetRefs: [{ group: '', kind: 'Service', name: 'review' }], rules: GET }),
    /^Warning \[IST0171\] \(AuthorizationPolicy books\/lost\) .*type=WaypointAccepted, reason=TargetNotFound/m,
  ],
  [
    object('gateway.networking.k8s.io/v1', 'Gateway', 'edge', {
      gatewayClassName: 'nginx',
      listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }],
    }),
    /^Error \[IST0101\] \(Gateway books\/edge\) Referenced GatewayClass not found: "nginx"$/m,
  ],
]

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ambit-analyze-'))
  cluster = await startCluster({ name: 'analyze' })
  await cluster.apply(namespace('books', AMBIENT))
  await cluster.apply(bookstoreManifest('books'))
  await applyWaypoint(cluster, '-n', 'books', '--enroll-namespace')
  await cluster.must('wait', 'deploy', '-n', 'books', '--all', '--for=condition=Available', '--timeout=60s')
})

test.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

test.serial('the bookstore as it comes has no issues, nor has the mesh', async (t) => {
  const books = await cluster.ambit('analyze', '-n', 'books')
  t.deepEqual(
    [books.code, books.stdout, books.stderr.trim()],
    [0, '', '✔ No validation issues found when analyzing namespace: books.'],
  )
  const mesh = await cluster.ambit('analyze', '-n', 'istio-system', '--output-threshold', 'Warning')
  t.deepEqual([mesh.code, mesh.stdout], [0, ''])
})

test.serial('planted mistakes are found before they are applied, with their lines, and after', async (t) => {
  const file = join(folder, 'mistakes.yaml')
  await writeFile(file, PLANTED.map(([manifest]) => manifest).join('\n---\n'))
  const before = await cluster.ambit('analyze', '-n', 'books', file)
  t.is(before.code, 79, before.stdout + before.stderr)
  t.regex(before.stdout, new RegExp(`\\(VirtualService books/ratings ${file}:1\\)`))
  t.regex(before.stdout, new RegExp(`\\(Gateway books/edge ${file}:${2 * PLANTED.length - 1}\\)`))
  await cluster.apply(PLANTED.map(([manifest]) => manifest).join('\n---\n'))
  const after = await cluster.ambit('analyze', '-n', 'books')
  t.is(after.code, 79, after.stdout + after.stderr)
  for (const [, line] of PLANTED) t.regex(after.stdout, line)
  const codes = (text: string): readonly string[] =>
    [...text.matchAll(/\[(IST\d+)\] \((\S+ [^ )]+)/g)].map(([, ...found]) => found.join(' ')).toSorted()
  t.deepEqual(codes(before.stdout), codes(after.stdout))
})

test.serial('conditions are told in the words that the control plane writes', async (t) => {
  const { stdout } = await cluster.ambit('analyze', '-n', 'books', '-o', 'json')
  const messages = JSON.parse(stdout) as readonly {
    readonly code: string
    readonly origin: string
    readonly message: string
  }[]
  for (const [name, type] of [
    ['l7', 'ZtunnelAccepted'],
    ['lost', 'WaypointAccepted'],
  ] as const) {
    const written = await eventually(
      () =>
        cluster.must(
          'get',
          'authorizationpolicy',
          '-n',
          'books',
          name,
          '-o',
          `jsonpath={.status.conditions[?(@.type=="${type}")].message}`,
        ),
      (message) => message !== '',
      STATUS_LIMIT_MS,
      `${name} has the condition ${type}`,
    )
    const told = messages.filter(
      ({ code, origin }) => code === 'IST0171' && origin === `AuthorizationPolicy books/${name}`,
    )
    t.true(
      told.some(({ message }) => message.includes(written.replace(/\.$/, ''))),
      `${written}\n${JSON.stringify(told)}`,
    )
  }
})

test.serial('who may see one namespace only is told what the answer leaves out', async (t) => {
  await cluster.must('create', 'serviceaccount', '-n', 'books', 'reader')
  await cluster.must(
    'create',
    'role',
    '-n',
    'books',
    'reader',
    '--verb=get,list',
    '--resource=services,pods,virtualservices.networking.istio.io,destinationrules.networking.istio.io',
  )
  await cluster.must('create', 'rolebinding', '-n', 'books', 'reader', '--role=reader', '--serviceaccount=books:reader')
  const token = (await cluster.must('create', 'token', '-n', 'books', 'reader')).trim()
  const config = join(folder, 'reader.yaml')
  await writeFile(config, await cluster.must('config', 'view', '--raw', '--flatten', '--minify'))
  await cluster.must('--kubeconfig', config, 'config', 'set-credentials', 'reader', `--token=${token}`)
  await cluster.must('--kubeconfig', config, 'config', 'set-context', '--current', '--user=reader')
  const { code, stdout, stderr } = await cluster.ambit('analyze', '-n', 'books', '--kubeconfig', config)
  t.is(code, 79, stdout + stderr)
  t.regex(stdout, /^Error \[IST0173\] \(DestinationRule books\/reviews\)/m)
  t.notRegex(stdout, /IST0127|GatewayClass|waypoint not found/)
  t.regex(stderr, /no right to list services of all namespaces: only those of books are looked at/)
  t.regex(
    stderr,
    /no right to list authorizationpolicies, not even those of books: left out: what is wrong with AuthorizationPolicies/,
  )
})

test.serial('a waypoint that goes is missed', async (t) => {
  await cluster.must('delete', 'gateway', '-n', 'books', 'waypoint')
  const { stdout } = await cluster.ambit('analyze', '-n', 'books')
  t.regex(stdout, /^Error \[IST0101\] \(Namespace books\) Referenced waypoint not found: "books\/waypoint"$/m)
  t.regex(
    stdout,
    /^Warning \[IST0171\] \(Service books\/reviews\) .*type=istio\.io\/WaypointBound, reason=WaypointIsNotReady/m,
  )
})
