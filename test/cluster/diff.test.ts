// `ambit record` and `ambit diff` on a real mesh: the bookstore's own traffic, a policy that locks it out, and the denial that was foretold.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { bookstoreManifest } from '../support/bookstore.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { Follower } from '../support/follow.ts'
import { curlFrom, enrolled, ready } from '../support/mesh.ts'
import { applyWaypoint } from '../support/waypoints.ts'
import { AMBIENT, client, namespace } from './manifests.ts'

const LIMIT_MS = 60_000
const BINARY = join(import.meta.dirname, '../../node_modules/.bin/ambit')
/** A page is a request to productpage, to details, to reviews, and where these have stars one to ratings. */
const ENOUGH = 60
const PAGE = 'http://productpage.books:9080/productpage'

let cluster: Cluster
let folder: string
let flowsFile: string
let lockOut: string

interface Flow {
  readonly kind: string
  readonly judge: string
  readonly client: { readonly identity?: string }
  readonly service?: { readonly hostname: string; readonly port: number }
  readonly request?: { readonly method: string; readonly path: string }
  readonly outcome: string
  readonly count: number
}

const PRODUCTPAGE = 'spiffe://cluster.local/ns/books/sa/bookinfo-productpage'
const REVIEWS = 'reviews.books.svc.cluster.local'
/** Only details may read reviews; the page, which shows them, is forgotten. */
const LOCK_OUT = JSON.stringify({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'reviewers', namespace: 'books' },
  spec: {
    targetRefs: [{ group: '', kind: 'Service', name: 'reviews' }],
    action: 'ALLOW',
    rules: [{ from: [{ source: { principals: ['cluster.local/ns/books/sa/bookinfo-details'] } }] }],
  },
})

async function recorded(file: string = flowsFile): Promise<readonly Flow[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as Flow)
}

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ambit-diff-'))
  flowsFile = join(folder, 'flows.jsonl')
  lockOut = join(folder, 'lock-out.yaml')
  await writeFile(lockOut, LOCK_OUT)
  cluster = await startCluster({ name: 'diff' })
  await cluster.apply(namespace('books', AMBIENT))
  await cluster.apply(namespace('town', AMBIENT))
  await cluster.apply(bookstoreManifest('books'))
  await cluster.apply(client('town', 'reader', 'ambit-1'))
  await applyWaypoint(cluster, '-n', 'books', '--enroll-namespace')
  await cluster.must('wait', 'deploy', '-n', 'books', '--all', '--for=condition=Available', '--timeout=60s')
  await ready(cluster, 'town')
  await enrolled(cluster, 'town')
})

test.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

test.serial('record adds up the bookstore’s traffic, each request once, until there is enough', async (t) => {
  await using record = new Follower(BINARY, ['record', '--count', String(ENOUGH), '-o', flowsFile], cluster.env)
  await record.until((text) => text.includes('Recording to'), LIMIT_MS, 'the recording')
  let over = false
  void record.exited.then(() => {
    over = true
  })
  let pages = 0
  while (!over) {
    const { stdout } = await curlFrom(cluster, 'town/reader', '-o', '/dev/null', '-w', '%{http_code}', PAGE)
    t.is(stdout, '200')
    if (++pages > ENOUGH * 3) break
  }
  t.is(await record.exited, 0, record.text)
  const lines = await recorded()
  t.deepEqual([lines[0]?.kind, lines.at(-1)?.kind], ['header', 'end'])
  const flows = lines.filter(({ kind }) => kind === 'flow')
  const counted = flows.reduce((sum, { count }) => sum + count, 0)
  t.true(counted >= ENOUGH, `${counted} flows`)
  const toReviews = flows.filter(({ service }) => service?.hostname === REVIEWS)
  t.true(toReviews.length > 0, JSON.stringify(flows))
  for (const { judge, client, request, outcome } of toReviews) {
    t.deepEqual([judge, client.identity, request?.method, outcome], ['waypoint', PRODUCTPAGE, 'GET', 'allowed'])
    t.is(request?.path, '/reviews/{number}')
  }
  // A page asks for its reviews once; what is under way when it ends may be missing on either side.
  const readers = flows.filter(({ service }) => service?.hostname === 'productpage.books.svc.cluster.local')
  const [asked, shown] = [toReviews, readers].map((of) => of.reduce((sum, { count }) => sum + count, 0))
  t.true(Math.abs((asked ?? 0) - (shown ?? 0)) <= 2, `${asked} reviews for ${shown} pages`)
})

test.serial('diff finds the lock-out in it, with the count and the policy, and changes nothing', async (t) => {
  const flows = (await recorded()).filter(({ service }) => service?.hostname === REVIEWS)
  const count = flows.reduce((sum, one) => sum + one.count, 0)
  const { code, stdout, stderr } = await cluster.ambit('diff', '-f', lockOut, '--flows', flowsFile)
  t.is(code, 80, stdout + stderr)
  t.regex(stdout, /^AuthorizationPolicy books\/reviewers added$/m)
  t.regex(stdout, new RegExp(`of \\d+, ${count} newly denied, 0 newly allowed, \\d+ unchanged`))
  t.regex(
    stdout,
    new RegExp(
      `^ +${count}  books/bookinfo-productpage to service books/reviews:9080 GET /reviews/\\{number\\}\\n +by no rule of books/reviewers allows it \\(waypoint\\)$`,
      'm',
    ),
  )
  t.regex(stdout, /^ {2}service books\/reviews:9080\n {4}any identity but books\/bookinfo-details\n/m)
  t.regex(stdout, /nearest: books\/reviewers rules\[0\], but for from\[0\]\.source\.principals/)

  const json = await cluster.ambit('diff', '-f', lockOut, '--flows', flowsFile, '-o', 'json', '--fail-on', 'allowed')
  t.is(json.code, 0, json.stderr)
  const diff = JSON.parse(json.stdout) as {
    readonly format: string
    readonly isPartial: boolean
    readonly regions: readonly { readonly change: string; readonly clients: readonly string[] }[]
    readonly flows: {
      readonly total: number
      readonly unchanged: number
      readonly changed: readonly { readonly count: number }[]
      readonly outdated: number
    }
  }
  t.is(diff.format, 'ambit.diff/v1')
  t.false(diff.isPartial)
  t.is(diff.flows.outdated, 0)
  t.is(diff.flows.total - diff.flows.unchanged, count)
  t.true(
    diff.regions.every(({ change, clients }) => change === 'denied' && clients.includes('books/bookinfo-productpage')),
  )

  const page = await curlFrom(cluster, 'town/reader', PAGE)
  t.notRegex(page.stdout, /reviews are currently unavailable/)
})

test.serial('applied, the denial happens as foretold; then nothing is left to change', async (t) => {
  await cluster.must('apply', '-f', lockOut)
  const page = await eventually(
    async () => (await curlFrom(cluster, 'town/reader', PAGE)).stdout,
    (text) => /reviews are currently unavailable/.test(text),
    LIMIT_MS,
    'the page without reviews',
  )
  t.regex(page, /reviews are currently unavailable/)
  const again = await cluster.ambit('diff', '-f', lockOut)
  t.deepEqual([again.code, again.stderr], [0, ''], again.stdout)
  t.regex(again.stdout, /Nothing changes/)
  const removed = await cluster.ambit('diff', '--delete', 'AuthorizationPolicy/books/reviewers', '--flows', flowsFile)
  t.is(removed.code, 80)
  t.regex(removed.stdout, /^Newly allowed$/m)
  t.regex(removed.stdout, /ended otherwise when they were recorded/)
})

test.serial('a recording that is ended by hand has what was recorded until then', async (t) => {
  const file = join(folder, 'by-hand.jsonl')
  const record = new Follower(BINARY, ['record', '-n', 'books', '-o', file], cluster.env)
  await record.until((text) => text.includes('Recording to'), LIMIT_MS, 'the recording')
  await curlFrom(cluster, 'town/reader', PAGE)
  await record[Symbol.asyncDispose]()
  t.is(await record.exited, 0, record.text)
  const lines = await recorded(file)
  t.like(lines.at(-1), { kind: 'end', complete: true, reason: 'stopped' })
})

test.serial('who may see one namespace only is told what the answer leaves out', async (t) => {
  await cluster.must('create', 'serviceaccount', '-n', 'books', 'viewer')
  const resources = 'services,pods,authorizationpolicies.security.istio.io,gateways.gateway.networking.k8s.io'
  await cluster.must('create', 'role', '-n', 'books', 'viewer', '--verb=get,list', `--resource=${resources}`)
  await cluster.must('create', 'rolebinding', '-n', 'books', 'viewer', '--role=viewer', '--serviceaccount=books:viewer')
  const token = (await cluster.must('create', 'token', '-n', 'books', 'viewer')).trim()
  const config = join(folder, 'viewer.yaml')
  await writeFile(config, await cluster.must('config', 'view', '--raw', '--flatten', '--minify'))
  await cluster.must('--kubeconfig', config, 'config', 'set-credentials', 'viewer', `--token=${token}`)
  await cluster.must('--kubeconfig', config, 'config', 'set-context', '--current', '--user=viewer')
  const { code, stdout, stderr } = await cluster.ambit('diff', '-n', 'books', '-f', lockOut, '--kubeconfig', config)
  // The policy is there already.
  t.is(code, 75, stdout)
  t.regex(stderr, /no right to list namespaces: left out: who is enrolled by namespace/)
  t.regex(stderr, /no right to list pods of all namespaces: only those of books are looked at/)
  t.regex(stdout, /^! no right to list namespaces/m)
})
