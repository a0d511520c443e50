// VirtualServices and DestinationRules at a waypoint, in the shapes of the bookstore's samples, and the webhook that refuses wrong ones.
import test from 'ava'
import { bookstoreManifest } from '../support/bookstore.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { enrolled, ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { applyWaypoint, BY_WAYPOINT, countAnswers, fetchFrom } from '../support/waypoints.ts'
import { AMBIENT, client, namespace } from './manifests.ts'

const EFFECT_LIMIT_MS = 2000
const START_LIMIT_MS = 15_000
const REVIEWS = 'http://reviews.books:9080/reviews/0'
const RATINGS = 'http://ratings.books:9080/ratings/0'
const DETAILS = 'http://details.books:9080/details/0'

let cluster: Cluster
let shell: PodShell

const networking = (kind: string, name: string, spec: object, extra: object = {}): string =>
  JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind, metadata: { name, namespace: 'books', ...extra }, spec })
const virtual = (name: string, ...http: readonly object[]): string =>
  networking('VirtualService', name, { hosts: [name], http })
const to = (host: string, subset: string, weight?: number): object => ({
  destination: { host, subset },
  ...(weight === undefined ? {} : { weight }),
})
const subsets = (host: string, ...versions: readonly string[]): string =>
  networking('DestinationRule', host, {
    host,
    subsets: versions.map((version) => ({ name: version, labels: { version } })),
  })
/** Which version of the reviews answers shows in the stars: none, black, red. */
const VERSIONS: Readonly<Record<string, string>> = { '': 'v1', black: 'v2', red: 'v3' }
const versionOf = (body: string): string => VERSIONS[/"color": ?"(\w+)"/.exec(body)?.[1] ?? ''] ?? body
const conditionOf = async (kind: string, name: string, type: string): Promise<string> =>
  await cluster.must(
    'get',
    kind,
    '-n',
    'books',
    name,
    '-o',
    `jsonpath={.status.conditions[?(@.type=="${type}")].reason}`,
  )

test.serial.before(async () => {
  cluster = await startCluster({ name: 'virtual-service' })
  await cluster.apply(namespace('books', AMBIENT) + namespace('people', AMBIENT) + client('people', 'alice', 'ambit-1'))
  await cluster.apply(bookstoreManifest('books'))
  await applyWaypoint(cluster, '-n', 'books', '--enroll-namespace')
  await cluster.must('wait', 'deploy', '-n', 'books', '--all', '--for=condition=Available', '--timeout=60s')
  await ready(cluster, 'people', 'books')
  await enrolled(cluster, 'people')
  shell = new PodShell(cluster, 'people/alice')
  for (const url of [REVIEWS, RATINGS, DETAILS])
    await eventually(
      () => fetchFrom(shell, url),
      ({ head, status }) => BY_WAYPOINT.test(head) && status === 200,
      START_LIMIT_MS,
      `${url} goes through the waypoint`,
    )
  for (const rule of [subsets('reviews', 'v1', 'v2', 'v3'), subsets('ratings', 'v1'), subsets('details', 'v1', 'v2')])
    await cluster.apply(rule)
})

test.serial.after.always(async () => {
  await shell?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

async function versions(times: number, ...headers: readonly string[]): Promise<readonly string[]> {
  const seen: string[] = []
  for (let n = 0; n < times; n++) seen.push(versionOf((await fetchFrom(shell, ...headers, REVIEWS)).body))
  return seen
}

const only = (version: string) => (seen: readonly string[]) => seen.every((one) => one === version)

test.serial('all requests to one version, then one user’s to another', async (t) => {
  await cluster.apply(virtual('reviews', { route: [to('reviews', 'v1')] }))
  await eventually(() => versions(6), only('v1'), EFFECT_LIMIT_MS, 'everybody sees v1')
  t.deepEqual(new Set(await versions(12)), new Set(['v1']))
  await cluster.apply(
    virtual(
      'reviews',
      { match: [{ headers: { 'end-user': { exact: 'jason' } } }], route: [to('reviews', 'v2')] },
      { route: [to('reviews', 'v1')] },
    ),
  )
  await eventually(() => versions(4, '-H', 'end-user: jason'), only('v2'), EFFECT_LIMIT_MS, 'jason sees v2')
  t.deepEqual(new Set(await versions(8)), new Set(['v1']))
  t.is(await conditionOf('vs', 'reviews', 'Accepted'), 'Accepted')
  t.is(await conditionOf('vs', 'reviews', 'ResolvedWaypoints'), 'ResolvedWaypoints')
})

for (const [first, second, weight] of [
  ['v1', 'v3', 50],
  ['v1', 'v2', 90],
] as const)
  test.serial(`${weight} to ${100 - weight} between ${first} and ${second}`, async (t) => {
    await cluster.apply(
      virtual('reviews', { route: [to('reviews', first, weight), to('reviews', second, 100 - weight)] }),
    )
    await eventually(
      () => versions(12),
      (seen) => seen.includes(second),
      EFFECT_LIMIT_MS * 5,
      `${second} is seen`,
    )
    const counts = await countAnswers(shell, REVIEWS, 300, `grep -o '"podname": *"reviews-v[0-9]'`)
    const share = (version: string): number =>
      [...counts].reduce((sum, [line, count]) => sum + (line.endsWith(version) ? count : 0), 0)
    t.is(share(first) + share(second), 300, JSON.stringify([...counts]))
    // Five standard deviations.
    t.true(
      Math.abs(share(first) - 3 * weight) < 5 * Math.sqrt((3 * weight * (100 - weight)) / 100),
      JSON.stringify([...counts]),
    )
  })

test.serial('a delay and an abort for one user only', async (t) => {
  const jason = [{ headers: { 'end-user': { exact: 'jason' } } }]
  const all = { percentage: { value: 100 } }
  const rest = { route: [to('ratings', 'v1')] }
  const asJason = ['-H', 'end-user: jason', RATINGS]
  await cluster.apply(
    virtual('ratings', { match: jason, fault: { abort: { ...all, httpStatus: 500 } }, ...rest }, rest),
  )
  const aborted = await eventually(
    () => fetchFrom(shell, ...asJason),
    ({ status }) => status === 500,
    EFFECT_LIMIT_MS,
    'jason’s requests are aborted',
  )
  t.is(aborted.body, 'fault filter abort')
  t.is((await fetchFrom(shell, RATINGS)).status, 200)
  await cluster.apply(
    virtual('ratings', { match: jason, fault: { delay: { ...all, fixedDelay: '2s' } }, ...rest }, rest),
  )
  const took = async (): Promise<number> =>
    Number(await shell.run(`curl -s -o /dev/null -w '%{time_total}' -H 'end-user: jason' ${RATINGS}`))
  t.true((await eventually(took, (seconds) => seconds >= 2, EFFECT_LIMIT_MS * 5, 'jason waits')) < 8)
})

test.serial('every request to the details is aborted; a subset of nobody is 503', async (t) => {
  const abort = { percentage: { value: 100 }, httpStatus: 555 }
  await cluster.apply(virtual('details', { fault: { abort }, route: [to('details', 'v1')] }))
  await eventually(
    () => fetchFrom(shell, DETAILS),
    ({ status }) => status === 555,
    EFFECT_LIMIT_MS,
    'aborted',
  )
  await cluster.apply(virtual('details', { route: [to('details', 'v2')] }))
  const none = await eventually(
    () => fetchFrom(shell, DETAILS),
    ({ status }) => status === 503,
    EFFECT_LIMIT_MS,
    'v2 has no pods',
  )
  t.is(none.body, 'no healthy upstream')
  await cluster.apply(virtual('details', { route: [to('details', 'v9')] }))
  await eventually(
    () => conditionOf('vs', 'details', 'ResolvedRefs'),
    (reason) => reason === 'BackendNotFound',
    EFFECT_LIMIT_MS,
    'the status says that there is no v9',
  )
  t.is((await fetchFrom(shell, DETAILS)).status, 503)
})

test.serial('a pod that comes is in its subset', async (t) => {
  await cluster.apply(virtual('reviews', { route: [to('reviews', 'v3')] }))
  await eventually(() => versions(4), only('v3'), EFFECT_LIMIT_MS, 'everybody sees v3')
  await cluster.must('scale', '-n', 'books', 'deploy/reviews-v3', '--replicas=2')
  await cluster.must(
    'wait',
    '-n',
    'books',
    'deploy/reviews-v3',
    '--for=jsonpath={.status.readyReplicas}=2',
    '--timeout=30s',
  )
  const counted = async (): Promise<number> =>
    (await countAnswers(shell, REVIEWS, 40, `grep -o 'reviews-v3-[a-z0-9-]*'`)).size
  t.is(await eventually(counted, (pods) => pods === 2, START_LIMIT_MS, 'both pods of v3 answer'), 2)
})

test.serial('one user stays with one pod', async (t) => {
  await cluster.must('delete', 'vs', '-n', 'books', 'reviews', 'ratings')
  await cluster.apply(
    networking('DestinationRule', 'reviews', {
      host: 'reviews',
      trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: 'end-user' } } },
    }),
  )
  const pods = async (user: string): Promise<ReadonlySet<string>> => {
    const lines = await shell.run(
      `for i in 1 2 3 4 5 6 7 8; do curl -s -H 'end-user: ${user}' ${REVIEWS}; echo; done | grep -o 'reviews-v[0-9]-[a-z0-9-]*'`,
    )
    return new Set(lines.trim().split('\n'))
  }
  await eventually(
    () => pods('jane'),
    ({ size }) => size === 1,
    EFFECT_LIMIT_MS * 5,
    'jane has one pod',
  )
  for (const user of ['jane', 'jason', 'ann', 'bob']) t.is((await pods(user)).size, 1, user)
})

test.serial('what can not be followed is refused before it is stored', async (t) => {
  const failurePolicy = async (name: string): Promise<string> =>
    await cluster.must('get', 'validatingwebhookconfiguration', name, '-o', 'jsonpath={.webhooks[0].failurePolicy}')
  for (const name of ['istio-validator-istio-system', 'istiod-default-validator'])
    await eventually(
      () => failurePolicy(name),
      (value) => value === 'Fail',
      START_LIMIT_MS,
      `${name} refuses`,
    )
  const refused = async (manifest: string): Promise<string> => {
    const error = await t.throwsAsync(cluster.apply(manifest), undefined, manifest)
    return error?.message ?? ''
  }
  const wrong = virtual('wrong', { match: [{ uri: { regex: '(' } }], route: [to('reviews', 'v1')] })
  t.regex(
    await refused(wrong),
    /admission webhook "validation\.istio\.io" denied the request: .*spec\.http\[0\]\.match\[0\]/,
  )
  const labelled = networking(
    'Gateway',
    'wrong',
    { servers: [{ hosts: ['a'], port: { number: 443, name: 'x', protocol: 'HTTPS' } }] },
    { labels: { 'istio.io/rev': 'default' } },
  )
  t.regex(await refused(labelled), /admission webhook "rev\.validation\.istio\.io" denied the request/)
})
