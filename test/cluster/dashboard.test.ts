// `ambit dashboard` on a real mesh: the bookstore with readers, somebody in plain text and somebody who is refused, seen in a browser.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { bringAxe, violationsOf } from '../support/accessibility.ts'
import { bookstoreManifest } from '../support/bookstore.ts'
import { startBrowser } from '../support/browser.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { Follower } from '../support/follow.ts'
import { OVERFLOW } from '../support/page-checks.ts'
import { applyWaypoint } from '../support/waypoints.ts'
import { AMBIENT, namespace } from './manifests.ts'

const LIMIT_MS = 30_000
/** Where pictures for the documents go; none are taken without. */
const PICTURES = process.env['AMBIT_SCREENSHOTS']

let cluster: Cluster
let browser: Browser
let dashboard: Follower
let url: string

/** Somebody who asks all the time, under an account of its own. */
function caller(space: string, name: string, ...requests: readonly string[]): string {
  const curl = requests.map((request) => `curl -s -o /dev/null --max-time 2 ${request}`).join('; ')
  const command = ['/bin/sh', '-c', `while :; do ${curl}; sleep 0.4; done`]
  const labels = { app: name }
  const spec = {
    serviceAccountName: name,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'curl', image: 'docker.io/curlimages/curl:8.16.0', command }],
  }
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: space } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: space },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

const READERS = JSON.stringify({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'readers', namespace: 'books' },
  spec: {
    targetRefs: [{ group: '', kind: 'Service', name: 'ratings' }],
    action: 'ALLOW',
    rules: [{ from: [{ source: { namespaces: ['books', 'shoppers'] } }], to: [{ operation: { methods: ['GET'] } }] }],
  },
})
const RATINGS = 'http://ratings.books:9080/ratings/1'

test.serial.before(async () => {
  cluster = await startCluster({ name: 'dashboard' })
  await cluster.apply([namespace('books', AMBIENT), namespace('shoppers', AMBIENT), namespace('legacy')].join('\n'))
  await cluster.apply(bookstoreManifest('books'))
  await cluster.apply(READERS)
  await applyWaypoint(cluster, '-n', 'books')
  await cluster.must('label', 'service', '-n', 'books', 'ratings', 'reviews', 'istio.io/use-waypoint=waypoint')
  await cluster.must('wait', 'deploy', '-n', 'books', '--all', '--for=condition=Available', '--timeout=60s')
  await cluster.apply(caller('shoppers', 'browser', 'http://productpage.books:9080/productpage'))
  await cluster.apply(caller('shoppers', 'scraper', RATINGS, `-X DELETE ${RATINGS}`))
  await cluster.apply(caller('legacy', 'cronjob', 'http://details.books:9080/details/0'))
  dashboard = new Follower('node_modules/.bin/ambit', ['dashboard', '--no-browser'], cluster.env)
  const printed = await dashboard.until((text) => text.includes('Ctrl-C'), LIMIT_MS, 'the address')
  url = /http:\S+/.exec(printed)?.[0] ?? ''
  browser = await startBrowser()
})

test.serial.after.always(async () => {
  await browser?.close()
  await dashboard?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

interface Opened extends AsyncDisposable {
  readonly page: Page
  /** Errors of the page, requests that failed, and requests to anywhere else. */
  readonly complaints: readonly string[]
}

/** The page with all its traffic there. */
async function open(options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  await bringAxe(context)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => request.url().startsWith(url) || complaints.push(request.url()))
  page.on('response', (response) => response.ok() || complaints.push(`${response.status()} ${response.url()}`))
  await page.goto(url)
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
}

const SHOPPER = /^shoppers\/browser to books\/productpage, mutual TLS, post-quantum key exchange: PQ [\d.]+\/s/
const PLAIN = /^legacy\/cronjob to books\/details, plain text, not encrypted: plain [\d.]+\/s/
const DENIED =
  /^shoppers\/scraper to books\/ratings, through waypoint books\/waypoint, mutual TLS, .*, \d+ denied: PQ [\d.]+\/s \d+/

const chip = (page: Page, name: RegExp): ReturnType<Page['locator']> => page.getByRole('button', { name })

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return
  await mkdir(PICTURES, { recursive: true })
  await page.screenshot({ path: join(PICTURES, `${name}.png`) })
}

test.serial('edges with their rates, protection and denials, and nothing from elsewhere', async (t) => {
  await using opened = await open({ viewport: { width: 1440, height: 660 } })
  const { page, complaints } = opened
  for (const name of [SHOPPER, PLAIN, DENIED]) await chip(page, name).waitFor({ timeout: LIMIT_MS })
  await chip(page, /^books\/reviews-v3 to books\/ratings, through waypoint books\/waypoint, mutual TLS/).waitFor()
  t.is(
    await page.getByRole('button', { name: /^waypoint books\/waypoint before books\/(?:ratings|reviews)$/ }).count(),
    2,
  )
  t.deepEqual([...new Set(await page.locator('.group').allInnerTexts())].toSorted(), ['books', 'legacy', 'shoppers'])
  await page.getByText(/^\d+ edges · 1 with plain text · \d+ denied in the last 5 minutes$/).waitFor()
  t.true((await page.locator('.dot').count()) > 3, 'what is alive moves')
  await picture(page, 'dashboard-light')
  t.deepEqual(complaints, [])
})

test.serial('a click on the refused edge explains it, and the request can be changed', async (t) => {
  await using opened = await open({ colorScheme: 'dark' })
  const { page, complaints } = opened
  await chip(page, DENIED).click({ timeout: LIMIT_MS })
  const panel = page.getByRole('complementary')
  await panel.getByRole('heading', { name: 'shoppers/scraper → books/ratings' }).waitFor()
  await panel.getByText('mTLS TLSv1.3 X25519MLKEM768').waitFor()
  await panel.getByText('spiffe://cluster.local/ns/shoppers/sa/scraper').waitFor()
  await panel
    .getByText(/\d+ times, last/)
    .first()
    .waitFor()
  await panel.getByRole('button', { name: 'Why: DELETE /ratings/1' }).click()
  const verdict = panel.locator('.verdict')
  await verdict.getByText('Denied').waitFor()
  t.regex(await verdict.innerText(), /no ALLOW policy lets it pass; there is books\/readers/)
  const failing = panel.locator('.policy .clauses .fails')
  t.is((await failing.innerText()).replaceAll(/\s+/g, ' '), '✗ fails: to[0].operation.methods wants GET; is DELETE')
  t.is(await panel.locator('.policy .clauses .holds').count(), 1)
  await picture(page, 'dashboard-denied-dark')
  await panel.getByLabel('Method').fill('GET')
  await panel.getByLabel('Method').press('Enter')
  await verdict.getByText('Allowed').waitFor()
  await panel.getByLabel('Path').fill('no-path')
  await panel.getByRole('button', { name: 'Explain' }).click()
  await panel.getByText('a path begins with /').waitFor()
  t.deepEqual(
    complaints.filter((line) => !line.includes('400')),
    [],
  )
})

test.serial('everything by keyboard: arrows, Enter, Escape, and back to where one was', async (t) => {
  await using opened = await open()
  const { page, complaints } = opened
  await chip(page, DENIED).waitFor({ timeout: LIMIT_MS })
  const focused = (): Promise<string> =>
    page.evaluate(
      `(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent ?? '').trim().replace(/\\s+/g, ' ')`,
    )
  await page.getByRole('button', { name: /^ratings\s*service$/ }).focus()
  await page.keyboard.press('ArrowLeft')
  t.is(await focused(), 'waypoint books/waypoint before books/ratings')
  await page.keyboard.press('Enter')
  const panel = page.getByRole('complementary')
  await panel.getByRole('heading', { name: 'Passes through it' }).waitFor()
  await panel.getByRole('button', { name: /shoppers\/scraper → books\/ratings/ }).focus()
  await page.keyboard.press('Enter')
  await panel.getByRole('heading', { name: 'shoppers/scraper → books/ratings' }).waitFor()
  await page.keyboard.press('Escape')
  await panel.waitFor({ state: 'hidden' })
  t.regex(await focused(), DENIED)
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowUp')
  t.regex(await focused(), /^scraper\s*workload$/)
  t.is(await page.locator('#canvas [tabindex="0"]').count(), 1, 'one stop for the Tab key')
  t.deepEqual(complaints, [])
})

test.serial('the list says the same; filters; pause', async (t) => {
  await using opened = await open({ reducedMotion: 'reduce' })
  const { page, complaints } = opened
  await chip(page, DENIED).waitFor({ timeout: LIMIT_MS })
  t.is(await page.locator('.dot').count(), 0, 'nothing moves for who does not want it')
  const edges = await page.locator('#canvas .chip').count()
  await page.getByRole('button', { name: 'List' }).click()
  const rows = page.locator('tbody tr')
  t.is(await rows.count(), edges)
  const refused = page.getByRole('row', { name: /shoppers\/scraper/ })
  t.regex(await refused.innerText(), /books\/ratings\s+books\/waypoint\s+mTLS PQ\s+[\d.]+\/s\s.*✗ \d+/s)
  await page.getByRole('button', { name: 'Denied' }).click()
  t.regex(await rows.first().innerText(), /shoppers\/scraper/)
  await page.getByLabel('Find').fill('plain')
  t.deepEqual(await rows.count(), 1)
  await page.getByLabel('Find').fill('nobody at all')
  await page.getByRole('heading', { name: 'Nothing fits the filter' }).waitFor()
  await page.getByRole('button', { name: 'Show all' }).click()
  await page.getByLabel('Namespace').selectOption('legacy')
  t.is(await rows.count(), 1)
  await page.getByLabel('Namespace').selectOption('')
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByText(/^paused at /).waitFor()
  const before = await refused.innerText()
  await cluster.must('delete', 'deploy', '-n', 'shoppers', 'scraper')
  await cluster.apply(caller('shoppers', 'scraper', RATINGS, `-X DELETE ${RATINGS}`))
  t.is(await refused.innerText(), before)
  await page.getByRole('button', { name: 'Resume' }).click()
  await page.getByText('live', { exact: true }).waitFor()
  t.deepEqual(complaints, [])
})

const accessible = test.macro({
  async exec(t, colorScheme: 'light' | 'dark', width: number) {
    await using opened = await open({ colorScheme, viewport: { width, height: 800 } })
    const { page, complaints } = opened
    const edge =
      width < 640 ? page.getByRole('button', { name: 'shoppers/scraper to books/ratings' }) : chip(page, DENIED)
    await edge.waitFor({ timeout: LIMIT_MS })
    const check = async (what: string): Promise<void> => {
      t.deepEqual(await violationsOf(page), [], what)
      t.is(await page.evaluate(OVERFLOW), 0, what)
    }
    await check('at first')
    await picture(page, `dashboard-${colorScheme}-${width}`)
    await edge.click()
    await page.getByRole('complementary').locator('.verdict').waitFor()
    await check('panel')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: width < 640 ? 'Graph' : 'List' }).click()
    await check('the other view')
    if (width < 640) await page.getByText('Legend').click()
    await check('legend')
    t.deepEqual(complaints, [])
  },
  title: (_, colorScheme: string, width: number) => `${colorScheme}, ${width} pixels wide: WCAG AA, nothing cut off`,
})

test.serial(accessible, 'light', 1280)
test.serial(accessible, 'dark', 1280)
test.serial(accessible, 'light', 360)
test.serial(accessible, 'dark', 360)

test.serial('a subcommand of istioctl says what to do instead, another word is told to be none', async (t) => {
  const kiali = await cluster.ambit('dashboard', 'kiali')
  t.deepEqual([kiali.code, /Instead: ambit dashboard/.test(kiali.stderr)], [2, true], kiali.stderr)
  const wrong = await cluster.ambit('dashboard', 'kialy')
  t.deepEqual([wrong.code, /unknown command "kialy".*did you mean "kiali"/.test(wrong.stderr)], [2, true], wrong.stderr)
})

// Last: it ends the cluster, then the dashboard.
test.serial('a cluster that goes away, and a dashboard that ends, are said', async (t) => {
  await using opened = await open()
  const { page } = opened
  await chip(page, SHOPPER).waitFor({ timeout: LIMIT_MS })
  await cluster.ambit('sandbox', 'down', '--name', 'dashboard')
  await page.getByText(/The cluster has not answered since .*ECONNREFUSED/).waitFor({ timeout: LIMIT_MS })
  await page.getByText('no answer of the cluster').waitFor()
  t.deepEqual(await violationsOf(page), [])
  t.true((await page.locator('#canvas .chip').count()) > 0, 'what was seen stays')
  await dashboard[Symbol.asyncDispose]()
  await page.getByText(/ambit dashboard does not answer/).waitFor({ timeout: LIMIT_MS })
  await page.getByText(/^disconnected, as of /).waitFor()
})
