// What Istio's documents tell a beginner to type, in their order: the flow of 1.18 (ingress gateway installed with the mesh, Istio's own
// routing kinds, waypoints by service account), all of it taken away again, then today's (Gateway API).
import test from 'ava'
import { bookstoreManifest, service } from '../support/bookstore.ts'
import { startBrowser } from '../support/browser.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { Follower } from '../support/follow.ts'

const EFFECT_LIMIT_MS = 5_000
const START_LIMIT_MS = 30_000
const TITLE = '<title>Simple Bookstore App</title>'
const SAMPLE = 100

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'documents', mesh: false })
})

test.serial.after.always(() => cluster?.[Symbol.asyncDispose]())

/** `ambit …`, which must succeed; what it printed. */
async function ambit(...args: readonly string[]): Promise<string> {
  const { line, code, stdout, stderr } = await cluster.ambit(...args)
  if (code !== 0) throw new Error(`${line}: exit ${code}\n${stdout}${stderr}`)
  return stdout
}

/** What `kubectl exec deploy/WHO -- curl -s …` says to who typed it: exit code and output. */
async function curl(who: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout } = await cluster.kubectl('exec', `deploy/${who}`, '--', 'curl', '-s', '-m', '8', ...args)
  const title = /<title>.*<\/title>/.exec(stdout)?.[0]
  return code === 0 ? (title ?? stdout) : `exit code ${code}`
}

/** A change of policy takes effect some milliseconds after kubectl has returned. */
async function becomes(expected: string, who: string, ...args: readonly string[]): Promise<void> {
  await eventually(
    () => curl(who, ...args),
    (seen) => seen === expected,
    EFFECT_LIMIT_MS,
    `${who}: curl ${args.join(' ')}`,
  )
}

/** A deployment with an account of its own that waits for `kubectl exec`. */
const sleeper = (name: string): string => `
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${name}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 0
      serviceAccountName: ${name}
      containers: [{name: sleep, image: curlimages/curl, command: [/bin/sleep, infinity]}]
---`

const allow = (name: string, where: string, from: readonly string[], methods?: readonly string[]): string => `
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata: {name: ${name}}
spec:
  ${where}
  action: ALLOW
  rules:
  - from: [{source: {principals: ${JSON.stringify(from)}}}]
${methods === undefined ? '' : `    to: [{operation: {methods: ${JSON.stringify(methods)}}}]`}
---`

const principal = (account: string, namespace = 'default'): string => `cluster.local/ns/${namespace}/sa/${account}`
const selector = (key: string, value: string): string => `selector: {matchLabels: {${key}: ${value}}}`

async function podsReady(): Promise<void> {
  await cluster.must('wait', 'deploy', '--all', '--for=condition=Available', '--timeout=60s')
}

/** Where a load balancer is on this machine: without root, low ports are at others. */
async function loadBalancerUrl(namespace: string, service: string, port: number): Promise<string> {
  const field = (path: string): Promise<string> =>
    cluster.must('get', 'svc', '-n', namespace, service, '-o', `jsonpath=${path}`)
  const address = await field('{.status.loadBalancer.ingress[0].ip}')
  const note = await field(String.raw`{.metadata.annotations.sandbox\.ambit\.dev/load-balancer-ports}`)
  const mapped = new Map(note.split(',').map((pair) => pair.split('=') as [string, string]))
  return `http://${address}:${mapped.get(String(port)) ?? port}`
}

/** All pods of the namespace are in the mesh and none was restarted for it. */
async function inTheMesh(t: { is(a: unknown, b: unknown): void }): Promise<void> {
  const path = 'jsonpath={range .items[*]}{.metadata.annotations.ambient\\.istio\\.io/redirection}{"\\n"}{end}'
  const label = 'gateway.networking.k8s.io/gateway-class-name!=istio'
  await eventually(
    async () => (await cluster.must('get', 'pods', '-l', label, '-o', path)).trim().split('\n'),
    (seen) => seen.every((value) => value === 'enabled'),
    START_LIMIT_MS,
    'every pod is enrolled',
  )
  const restarts = await cluster.must(
    'get',
    'pods',
    '-o',
    'jsonpath={.items[*].status.containerStatuses[*].restartCount}',
  )
  t.is(restarts.replaceAll(/[0 ]/g, ''), '')
}

/** Versions of reviews that the product page shows to so many requests. */
async function reviewsSeen(who: string, url: string): Promise<ReadonlyMap<string, number>> {
  const script = `for i in $(seq 1 ${SAMPLE}); do curl -s -m 8 ${url} | grep -o 'reviews-v[0-9]' | head -1; done | sort | uniq -c`
  const text = await cluster.must('exec', `deploy/${who}`, '--', 'sh', '-c', script)
  return new Map([...text.matchAll(/(\d+) reviews-(v\d)/g)].map(([, count, version = '']) => [version, Number(count)]))
}

/** About nine in ten go to v1 and the rest to v2: five standard deviations either side. */
function isNinetyToTen(seen: ReadonlyMap<string, number>): boolean {
  const [v1, v2] = [seen.get('v1') ?? 0, seen.get('v2') ?? 0]
  return v1 + v2 === SAMPLE && v1 >= SAMPLE * 0.75 && v2 >= 1
}

test.serial('1.18: the mesh is installed with an ingress gateway', async (t) => {
  const gateway = [
    'components.ingressGateways[0].enabled=true',
    'components.ingressGateways[0].name=istio-ingressgateway',
  ]
  const flags = ['--set', 'profile=ambient', ...gateway.flatMap((value) => ['--set', value]), '--skip-confirmation']
  const printed = await ambit('install', ...flags)
  for (const line of [
    'Istio core installed',
    'Istiod installed',
    'CNI installed',
    'Ingress gateways installed',
    'Ztunnel installed',
    'Installation complete',
  ])
    t.true(printed.includes(`✔ ${line}`), `${line}\n${printed}`)
  const pods = await cluster.must('get', 'pods', '-n', 'istio-system', '--no-headers')
  for (const name of ['istio-cni-node-', 'istio-ingressgateway-', 'istiod-', 'ztunnel-'])
    t.regex(pods, new RegExp(`^${name}\\S+ +1/1 +Running +0 `, 'm'), pods)
  t.regex(await cluster.must('get', 'daemonset', '-n', 'istio-system'), /istio-cni-node +2 +2 +2[^]*ztunnel +2 +2 +2/)
})

test.serial('1.18: Bookinfo by way of the gateway, in the mesh, and only for whom a policy names', async (t) => {
  await cluster.apply(bookstoreManifest('default'))
  await cluster.apply(
    `${sleeper('sleep')}${sleeper('notsleep')}
apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata: {name: bookinfo-gateway}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*']}]
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: bookinfo}
spec:
  hosts: ['*']
  gateways: [bookinfo-gateway]
  http:
  - match: [{uri: {exact: /productpage}}, {uri: {prefix: /static}}, {uri: {exact: /login}}, {uri: {exact: /logout}}]
    route: [{destination: {host: productpage, port: {number: 9080}}}]`,
  )
  await podsReady()
  const gateway = 'http://istio-ingressgateway.istio-system/productpage'
  await becomes(TITLE, 'sleep', gateway)
  t.is(
    await curl('sleep', '-o', '/dev/null', '-w', '%{http_code}', 'http://istio-ingressgateway.istio-system/other'),
    '404',
  )
  await cluster.must('label', 'namespace', 'default', 'istio.io/dataplane-mode=ambient')
  await inTheMesh(t)
  t.is(await curl('sleep', gateway), TITLE)
  await cluster.apply(
    allow('productpage-viewer', selector('app', 'productpage'), [
      principal('sleep'),
      principal('istio-ingressgateway-service-account', 'istio-system'),
    ]),
  )
  await becomes('exit code 56', 'notsleep', 'http://productpage:9080/')
  t.is(await curl('sleep', 'http://productpage:9080/productpage'), TITLE)
  t.is(await curl('sleep', gateway), TITLE)
  t.is(await curl('notsleep', gateway), TITLE)
})

test.serial(
  '1.18: the page opens in a browser on the machine, at the gateway’s address, and lets a reader sign in',
  async (t) => {
    const url = await loadBalancerUrl('istio-system', 'istio-ingressgateway', 80)
    await using browser = await startBrowser()
    const page = await browser.newPage()
    const failed: string[] = []
    page.on('response', (response) => response.status() >= 400 && failed.push(`${response.status()} ${response.url()}`))
    page.on('console', (message) => message.type() === 'error' && failed.push(message.text()))
    await page.goto(`${url}/productpage`)
    t.is(await page.title(), 'Simple Bookstore App')
    t.is(await page.locator('h1').innerText(), 'The Comedy of Errors')
    // Each load may be served by another version of the reviews: none, black and red stars.
    const colours = new Set<string>()
    const seen = async (): Promise<number> => {
      await page.reload()
      const stars = "document.querySelector('.stars')"
      colours.add(String(await page.evaluate(`${stars} === null ? 'none' : getComputedStyle(${stars}).color`)))
      return colours.size
    }
    await eventually(seen, (count) => count === 3, START_LIMIT_MS, 'reviews of all three versions')
    await page.locator('summary').click()
    await page.getByLabel('User name').fill('jason')
    await page.keyboard.press('Enter')
    await page.getByText('Signed in as jason').waitFor()
    t.deepEqual(failed, [])
  },
)

test.serial('1.18: a waypoint for the account of the product page decides by method', async (t) => {
  t.regex(
    await ambit('x', 'waypoint', 'apply', '--service-account', 'bookinfo-productpage'),
    /waypoint default\/bookinfo-productpage applied/,
  )
  await cluster.must('wait', 'gtw', 'bookinfo-productpage', '--for=condition=Programmed', '--timeout=60s')
  await cluster.apply(
    allow(
      'productpage-viewer',
      selector('istio.io/gateway-name', 'bookinfo-productpage'),
      [principal('sleep')],
      ['GET'],
    ),
  )
  await becomes('RBAC: access denied', 'sleep', '-X', 'DELETE', 'http://productpage:9080/productpage')
  await becomes('RBAC: access denied', 'notsleep', 'http://productpage:9080/')
  t.is(await curl('sleep', 'http://productpage:9080/productpage'), TITLE)
})

test.serial('1.18: a VirtualService splits the reviews over subsets of a DestinationRule', async (t) => {
  await ambit('x', 'waypoint', 'apply', '--service-account', 'bookinfo-reviews')
  await cluster.must('wait', 'gtw', 'bookinfo-reviews', '--for=condition=Programmed', '--timeout=60s')
  await cluster.apply(`
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}, {name: v3, labels: {version: v3}}]
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route:
    - {destination: {host: reviews, subset: v1}, weight: 90}
    - {destination: {host: reviews, subset: v2}, weight: 10}`)
  const url = 'http://productpage:9080/productpage'
  const seen = await eventually(() => reviewsSeen('sleep', url), isNinetyToTen, START_LIMIT_MS, '90 to 10')
  t.is(seen.get('v3'), undefined)
})

test.serial('1.18: uninstalled, nothing of the mesh is left, and plain traffic flows', async (t) => {
  await ambit('x', 'waypoint', 'delete', '--service-account', 'bookinfo-reviews')
  await ambit('x', 'waypoint', 'delete', '--service-account', 'bookinfo-productpage')
  await cluster.must(
    'delete',
    'authorizationpolicy,virtualservice,destinationrule,gateway.networking.istio.io',
    '--all',
  )
  await cluster.must('label', 'namespace', 'default', 'istio.io/dataplane-mode-')
  await becomes(TITLE, 'notsleep', 'http://productpage:9080/productpage')
  t.regex(await ambit('uninstall', '-y', '--purge'), /✔ Uninstall complete/)
  await cluster.must('delete', 'namespace', 'istio-system', '--timeout=60s')
  t.is(await curl('notsleep', 'http://productpage:9080/productpage'), TITLE)
})

test.serial('today: installed again, Bookinfo opens through a Gateway of the Gateway API', async (t) => {
  t.regex(
    await ambit('install', '--set', 'profile=ambient', '--skip-confirmation'),
    /✔ Installation complete[^]*The ambient profile has been installed successfully, enjoy Istio without sidecars!/,
  )
  await cluster.apply(
    `${sleeper('curl')}${['v1', 'v2', 'v3'].map((version) => versioned(version)).join('')}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bookinfo-gateway}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Same}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: bookinfo}
spec:
  parentRefs: [{name: bookinfo-gateway}]
  rules:
  - matches: [{path: {type: Exact, value: /productpage}}, {path: {type: PathPrefix, value: /static}}]
    backendRefs: [{name: productpage, port: 9080}]`,
  )
  await cluster.must('annotate', 'gateway', 'bookinfo-gateway', 'networking.istio.io/service-type=ClusterIP')
  await cluster.must('wait', 'gtw', 'bookinfo-gateway', '--for=condition=Programmed', '--timeout=60s')
  const address = () => cluster.must('get', 'gtw', 'bookinfo-gateway', '-o', 'jsonpath={.status.addresses[0].value}')
  const wanted = 'bookinfo-gateway-istio.default.svc.cluster.local'
  await eventually(address, (text) => text === wanted, START_LIMIT_MS, 'the gateway’s address')
  await podsReady()
  await cluster.must('label', 'namespace', 'default', 'istio.io/dataplane-mode=ambient')
  await inTheMesh(t)
  await cluster.apply(
    allow('productpage-ztunnel', selector('app', 'productpage'), [principal('bookinfo-gateway-istio')]),
  )
  await becomes('exit code 56', 'curl', 'http://productpage:9080/productpage')
  await using forward = new Follower('kubectl', ['port-forward', 'svc/bookinfo-gateway-istio', ':80'], cluster.env)
  const text = await forward.until(
    (printed) => printed.includes('Forwarding from 127.0.0.1'),
    START_LIMIT_MS,
    'the port',
  )
  const page = await fetch(`http://127.0.0.1:${/127\.0\.0\.1:(\d+)/.exec(text)?.[1]}/productpage`)
  t.true((await page.text()).includes(TITLE))
})

test.serial('today: a waypoint for the namespace allows what its policy names, and splits traffic', async (t) => {
  const printed = await ambit('waypoint', 'apply', '--enroll-namespace', '--wait')
  t.regex(
    printed,
    /waypoint default\/waypoint applied[^]*namespace default labeled with "istio.io\/use-waypoint: waypoint"/,
  )
  t.regex(await cluster.must('get', 'gtw', 'waypoint'), /waypoint +istio-waypoint +10\.\S+ +True/)
  const target = 'targetRefs: [{kind: Service, group: "", name: productpage}]'
  await cluster.apply(
    allow('productpage-waypoint', target, [principal('curl')], ['GET']) +
      allow('productpage-ztunnel', selector('app', 'productpage'), [
        principal('bookinfo-gateway-istio'),
        principal('waypoint'),
      ]),
  )
  const url = 'http://productpage:9080/productpage'
  await becomes(TITLE, 'curl', url)
  await becomes('RBAC: access denied', 'curl', url, '-X', 'DELETE')
  await becomes('RBAC: access denied', 'reviews-v1', url)
  await cluster.apply(`
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: {name: reviews}
spec:
  parentRefs: [{group: "", kind: Service, name: reviews, port: 9080}]
  rules:
  - backendRefs: [{name: reviews-v1, port: 9080, weight: 90}, {name: reviews-v2, port: 9080, weight: 10}]`)
  const seen = await eventually(() => reviewsSeen('curl', url), isNinetyToTen, START_LIMIT_MS, '90 to 10')
  t.is(seen.get('v3'), undefined)
})

/** The service of one version of the reviews. */
const versioned = (version: string): string =>
  `\n${JSON.stringify({ ...service('default', 'reviews', { app: 'reviews', version }), metadata: { name: `reviews-${version}` } })}\n---`
