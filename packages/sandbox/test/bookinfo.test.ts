// The Bookinfo services among each other, in this process, over real sockets.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { details } from '../src/programs/bookinfo/details.ts'
import { escapeHtml } from '../src/programs/bookinfo/page-html.ts'
import { productPage } from '../src/programs/bookinfo/product-page.ts'
import { ratings } from '../src/programs/bookinfo/ratings.ts'
import { reviews } from '../src/programs/bookinfo/reviews.ts'
import { type Handler, type Services, servicesFrom } from '../src/programs/bookinfo/service-calls.ts'

type Place = Services['details']

async function serve(t: ExecutionContext, handler: Handler, seen: IncomingMessage[] = []): Promise<Place> {
  const server = createServer((request, response) => {
    seen.push(request)
    void handler(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

/** A port where nobody listens. */
const NOBODY: Place = { host: '127.0.0.1', port: 1 }

async function shop(t: ExecutionContext, stars: 'black' | 'red' | undefined, change: Partial<Services> = {}) {
  const seen: IncomingMessage[] = []
  const forReviews = change.ratings ?? (await serve(t, ratings({ fault: undefined }), seen))
  const inner: Services = { details: NOBODY, reviews: NOBODY, ratings: forReviews }
  const made = reviews({ services: inner, stars, podName: 'reviews-v9-abc', clusterName: undefined })
  const services: Services = {
    details: change.details ?? (await serve(t, details(), seen)),
    reviews: change.reviews ?? (await serve(t, made, seen)),
    ratings: forReviews,
  }
  const { port } = await serve(t, productPage(services))
  return { url: `http://127.0.0.1:${port}`, seen }
}

const page = async (url: string, init: RequestInit = {}): Promise<string> =>
  await (await fetch(`${url}/productpage`, init)).text()

test('the page has title, details and reviews; v1 has no stars', async (t) => {
  const { url } = await shop(t, undefined)
  const html = await page(url)
  t.regex(html, /<title>Simple Bookstore App<\/title>/)
  t.regex(html, /<h1>The Comedy of Errors<\/h1>/)
  t.regex(html, /<dt>ISBN-13<\/dt><dd>123-1234567890<\/dd>/)
  t.is(html.split('\n').filter((line) => line.includes('reviews-v9-abc')).length, 1)
  t.notRegex(html, /class="stars/)
})

const starred = test.macro({
  async exec(t, color: 'black' | 'red') {
    const { url } = await shop(t, color)
    const html = await page(url)
    t.deepEqual(
      [...html.matchAll(/aria-label="([^"]+)">([★☆]+)</g)].map((match) => match.slice(1)),
      [
        [`5 of 5 stars, ${color}`, '★★★★★'],
        [`4 of 5 stars, ${color}`, '★★★★☆'],
      ],
    )
  },
  title: (_, color: string) => `stars are ${color}`,
})
test(starred, 'black')
test(starred, 'red')

test('who has signed in is told to the other services, with what traces the request', async (t) => {
  const { url, seen } = await shop(t, 'black')
  const login = await fetch(`${url}/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: 'jason', passwd: '' }),
    redirect: 'manual',
    headers: { referer: 'http://elsewhere/' },
  })
  t.is(login.status, 302)
  t.is(login.headers.get('location'), '/productpage')
  const cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  const html = await page(url, { headers: { cookie, 'x-request-id': 'r1', traceparent: '00-1', 'x-own': 'no' } })
  t.regex(html, /Signed in as <b>jason<\/b>/)
  t.is(seen.length, 3)
  for (const { headers } of seen)
    t.like(headers, { 'end-user': 'jason', 'x-request-id': 'r1', traceparent: '00-1', 'x-own': undefined })
  const logout = await fetch(`${url}/logout`, { redirect: 'manual', headers: { cookie } })
  t.regex(logout.headers.get('set-cookie') ?? '', /^session=; .*Max-Age=0/)
})

test('a user name is text on the page and can be no second header', async (t) => {
  const { url } = await shop(t, undefined)
  const name = encodeURIComponent('<b>&"x')
  t.regex(await page(url, { headers: { cookie: `session=${name}` } }), /<b>&lt;b&gt;&amp;&quot;x<\/b>/)
  const broken = await fetch(`${url}/login`, { method: 'POST', body: 'username=a%0d%0ab', redirect: 'manual' })
  t.is(broken.status, 400)
  t.regex(await page(url, { headers: { cookie: 'session=%0d%0a' } }), /Sign in/)
  t.is(escapeHtml(`'`), '&#39;')
})

test('what is down is said, and the rest is shown', async (t) => {
  const { url } = await shop(t, undefined, { details: NOBODY })
  const html = await page(url)
  t.regex(html, /Error fetching product details![^]*Sorry, product details are currently unavailable for this book\./)
  t.regex(html, /Reviews served by/)
  const { url: second } = await shop(t, undefined, { reviews: NOBODY })
  t.regex(await page(second), /Sorry, product reviews are currently unavailable for this book\./)
  const { url: third } = await shop(t, 'red', { ratings: NOBODY })
  t.regex(await page(third), /Ratings service is currently unavailable/)
})

test('an answer that is no JSON, too long or broken off is no answer', async (t) => {
  for (const handler of [
    ((_, response) => void response.end('<html>')) as (...args: Parameters<Handler>) => void,
    (_: unknown, response: Parameters<Handler>[1]) => void response.end(`{"a":"${'x'.repeat(100_000)}"}`),
    (_: unknown, response: Parameters<Handler>[1]) => {
      response.writeHead(200, { 'content-length': '100' }).write('{')
      setImmediate(() => response.destroy())
    },
  ]) {
    const { url } = await shop(t, undefined, {
      details: await serve(t, (request, response) => Promise.resolve(handler(request, response))),
    })
    t.regex(await page(url), /Sorry, product details are currently unavailable/)
  }
})

test('a service that answers with an error gives its status to the interface for programs', async (t) => {
  const refusing = await serve(t, (_, response) =>
    Promise.resolve(void response.writeHead(403).end('RBAC: access denied')),
  )
  const { url } = await shop(t, 'black', { details: refusing })
  t.is((await fetch(`${url}/api/v1/products/0`)).status, 403)
  t.like(await (await fetch(`${url}/api/v1/products/0/ratings`)).json(), { id: 0, ratings: { Reviewer1: 5 } })
  t.like(await (await fetch(`${url}/api/v1/products/0/reviews`)).json(), { podname: 'reviews-v9-abc' })
  t.is((await fetch(`${url}/api/v1/products`)).status, 200)
  t.is((await fetch(`${url}/api/v1/products/x`)).status, 404)
  t.is((await fetch(`${url}/productpage`, { method: 'DELETE' })).status, 405)
})

test('ratings can be set, and only with numbers and JSON', async (t) => {
  const { host, port } = await serve(t, ratings({ fault: undefined }))
  const at = `http://${host}:${port}/ratings`
  t.is((await fetch(`${at}/7`, { method: 'POST', body: '{"Reviewer1":1}' })).status, 200)
  t.deepEqual(await (await fetch(`${at}/7`)).json(), { id: 7, ratings: { Reviewer1: 1 } })
  t.is((await fetch(`${at}/7`, { method: 'POST', body: '{' })).status, 400)
  t.is((await fetch(`${at}/x`)).status, 400)
})

test('every request goes over a connection of its own', async (t) => {
  const seen = new Set<number | undefined>()
  const counted = await serve(t, async (request, response) => {
    seen.add(request.socket.remotePort)
    await details()(request, response)
  })
  const { url } = await shop(t, undefined, { details: counted })
  for (let i = 0; i < 3; i++) await page(url)
  t.is(seen.size, 3)
})

test('the variables of the sample say where services are', (t) => {
  const services = servicesFrom({ SERVICES_DOMAIN: 'x.local', RATINGS_HOSTNAME: 'r', RATINGS_SERVICE_PORT: '81' })
  t.deepEqual(services.ratings, { host: 'r.x.local', port: 81 })
  t.deepEqual(services.details, { host: 'details.x.local', port: 9080 })
})
