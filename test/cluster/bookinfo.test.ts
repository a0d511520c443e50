// The bookstore as a person meets it: applied with kubectl, opened in a browser through a port-forward.
import test from 'ava'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { bookstoreManifest, service } from '../support/bookstore.ts'
import { startBrowser } from '../support/browser.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { Follower } from '../support/follow.ts'
import { BAD_CONTRAST, HEADING_LEVELS, OVERFLOW, UNNAMED } from '../support/page-checks.ts'

const LIMIT_MS = 20_000
const NAMESPACE = 'books'

let cluster: Cluster
let browser: Browser
let forward: Follower
let url: string

test.serial.before(async () => {
  cluster = await startCluster({ name: 'bookinfo', nodes: 2, mesh: false })
  await cluster.must('create', 'namespace', NAMESPACE)
  await cluster.apply(bookstoreManifest(NAMESPACE))
  ;[browser] = await Promise.all([
    startBrowser(),
    cluster.must('wait', 'deploy', '--all', '-n', NAMESPACE, '--for=condition=Available', '--timeout=60s'),
  ])
  forward = new Follower('kubectl', ['port-forward', '-n', NAMESPACE, 'svc/productpage', ':9080'], cluster.env)
  const text = await forward.until((printed) => printed.includes('Forwarding from 127.0.0.1'), LIMIT_MS, 'the port')
  url = `http://127.0.0.1:${/127\.0\.0\.1:(\d+)/.exec(text)?.[1]}`
})

test.serial.after.always(async () => {
  await browser?.close()
  await forward?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

/** The page as one version of reviews makes it. */
async function showVersion(page: Page, version: string): Promise<void> {
  await cluster.apply(JSON.stringify(service(NAMESPACE, 'reviews', { app: 'reviews', version })))
  const served = async (): Promise<string> => {
    await page.goto(`${url}/productpage`)
    return await page.locator('.served').innerText()
  }
  await eventually(served, (text) => text.includes(`reviews-${version}-`), LIMIT_MS, `reviews ${version} on the page`)
}

const starsOf = async (page: Page): Promise<(string | null)[]> =>
  await Promise.all((await page.locator('.stars').all()).map((stars) => stars.getAttribute('aria-label')))

const versions = test.macro({
  async exec(t, version: string, stars: readonly string[], color: string | undefined) {
    await using page = await open({})
    await showVersion(page, version)
    t.is(await page.title(), 'Simple Bookstore App')
    t.is(await page.locator('h1').innerText(), 'The Comedy of Errors')
    t.is(await page.locator('figure').count(), 2)
    t.deepEqual(await starsOf(page), [...stars])
    if (color === undefined) return
    const shown = await page.evaluate(`getComputedStyle(document.querySelector('.stars')).color`)
    t.is(shown, color)
  },
  title: (_, version: string) => `reviews ${version} on the page`,
})

test.serial(versions, 'v1', [], undefined)
test.serial(versions, 'v2', ['5 of 5 stars, black', '4 of 5 stars, black'], 'rgb(0, 0, 0)')
test.serial(versions, 'v3', ['5 of 5 stars, red', '4 of 5 stars, red'], 'rgb(179, 20, 10)')

test.serial('jason signs in and out with the keyboard', async (t) => {
  await using page = await open({})
  await page.goto(`${url}/productpage`)
  await page.locator('summary').focus()
  await page.keyboard.press('Enter')
  await page.getByLabel('User name').fill('jason')
  await page.keyboard.press('Enter')
  await page.getByText('Signed in as jason').waitFor()
  t.is(new URL(page.url()).pathname, '/productpage')
  await page.getByRole('link', { name: 'Sign out' }).click()
  await page.getByText('Sign in', { exact: true }).first().waitFor()
  t.is(await page.getByText('Signed in as').count(), 0)
})

const accessible = test.macro({
  async exec(t, colorScheme: 'light' | 'dark', width: number) {
    await using page = await open({ colorScheme, viewport: { width, height: 800 } })
    const refused: string[] = []
    page.on('response', (response) => response.ok() || response.status() === 302 || refused.push(response.url()))
    page.on('console', (message) => message.type() === 'error' && refused.push(message.text()))
    await showVersion(page, 'v2')
    await page.locator('summary').click()
    t.deepEqual(await page.evaluate(HEADING_LEVELS), [1, 2, 2])
    t.deepEqual(await page.evaluate(UNNAMED), [])
    t.deepEqual(await page.evaluate(BAD_CONTRAST), [])
    t.is(await page.evaluate(OVERFLOW), 0)
    t.deepEqual(refused, [])
  },
  title: (_, colorScheme: string, width: number) =>
    `${colorScheme}, ${width} pixels wide: headings, names, contrast, nothing cut off`,
})

test.serial(accessible, 'light', 1280)
test.serial(accessible, 'dark', 1280)
test.serial(accessible, 'light', 320)
test.serial(accessible, 'dark', 320)

test.serial('the page says what is down and shows the rest', async (t) => {
  await cluster.must('scale', 'deploy/details-v1', 'deploy/ratings-v1', '-n', NAMESPACE, '--replicas=0')
  await cluster.must('wait', 'pod', '-n', NAMESPACE, '-l', 'app in (details,ratings)', '--for=delete', '--timeout=30s')
  await using page = await open({ colorScheme: 'dark' })
  await page.goto(`${url}/productpage`)
  t.is(await page.locator('#details').innerText(), 'Error fetching product details!')
  await page.getByText('Sorry, product details are currently unavailable for this book.').waitFor()
  t.is(await page.getByText('Ratings service is currently unavailable').count(), 2)
  t.deepEqual(await page.evaluate(BAD_CONTRAST), [])
})

/** A page in a profile of its own, which ends with it. */
async function open(options: Parameters<Browser['newContext']>[0]): Promise<Page & AsyncDisposable> {
  const context: BrowserContext = await browser.newContext(options)
  const page = await context.newPage()
  return Object.assign(page, { [Symbol.asyncDispose]: () => context.close() })
}
