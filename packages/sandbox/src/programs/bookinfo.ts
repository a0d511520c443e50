// The four services of Istio's Bookinfo sample, reduced to what calls whom: `bookinfo <details|ratings|reviews-vN|productpage>`.
import { get, type IncomingMessage } from 'node:http'
import { hostname } from 'node:os'
import { json, serveHttp } from './serve.ts'

const PORT = 9080
const UPSTREAM_TIMEOUT_MS = 5000
const MAX_ANSWER_BYTES = 64 * 1024
/** Headers that carry a trace or a person through the services. */
const PASSED_ON = [
  'x-request-id',
  'traceparent',
  'tracestate',
  'baggage',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-sampled',
  'end-user',
  'cookie',
  'authorization',
  'user-agent',
]
const role = process.argv[2] ?? 'details'

const RATINGS = { Reviewer1: 5, Reviewer2: 4 }
const STARS: Readonly<Record<string, string>> = { 'reviews-v2': 'black', 'reviews-v3': 'red' }

serveHttp(PORT, async (request, response) => {
  request.resume()
  const url = new URL(request.url ?? '/', 'http://bookinfo')
  if (url.pathname === '/health') return json(response, 200, { status: `${role} is healthy` })
  if (role === 'productpage') return await productPage(request, response, url.pathname)
  const id = Number(url.pathname.split('/')[2] ?? 0)
  if (role === 'details') return json(response, 200, details(id))
  if (role === 'ratings') return json(response, 200, { id, ratings: RATINGS })
  json(response, 200, await reviews(request, id))
})

function details(id: number): object {
  return {
    id,
    author: 'William Shakespeare',
    year: 1595,
    type: 'paperback',
    pages: 200,
    publisher: 'PublisherA',
    language: 'English',
    'ISBN-10': '1234567890',
    'ISBN-13': '123-1234567890',
  }
}

async function reviews(request: IncomingMessage, id: number): Promise<object> {
  const color = STARS[role]
  const ratings = color === undefined ? undefined : await ask(request, 'ratings', `/ratings/${id}`)
  const rated = (reviewer: string, text: string): object => {
    if (color === undefined) return { reviewer, text }
    const list = (ratings as { ratings?: Record<string, number> } | undefined)?.ratings
    const rating =
      list === undefined ? { error: 'Ratings service is currently unavailable' } : { stars: list[reviewer], color }
    return { reviewer, text, rating }
  }
  return {
    id: String(id),
    podname: hostname(),
    clustername: 'null',
    reviews: [
      rated('Reviewer1', 'An extremely entertaining play. The slapstick humour is refreshing!'),
      rated('Reviewer2', 'Absolutely fun and entertaining.'),
    ],
  }
}

async function productPage(
  request: IncomingMessage,
  response: Parameters<typeof json>[0],
  path: string,
): Promise<void> {
  if (path === '/')
    return page(
      response,
      '<h3>Hello! This is a simple bookstore application.</h3><a href="/productpage">Product page</a>',
    )
  const [book, texts] = await Promise.all([
    ask(request, 'details', '/details/0'),
    ask(request, 'reviews', '/reviews/0'),
  ])
  if (path.startsWith('/api/v1/products')) {
    const part = path.endsWith('/reviews')
      ? texts
      : path.endsWith('/ratings')
        ? await ask(request, 'ratings', '/ratings/0')
        : book
    return json(response, part === undefined ? 503 : 200, part ?? { error: 'unavailable' })
  }
  const show = (title: string, value: unknown): string =>
    value === undefined
      ? `<h4>Error fetching product ${title}!</h4>`
      : `<h4>Book ${title}</h4><pre>${escaped(JSON.stringify(value, undefined, 2))}</pre>`
  page(response, `<h3>The Comedy of Errors</h3>${show('details', book)}${show('reviews', texts)}`)
}

function page(response: Parameters<typeof json>[0], body: string): void {
  const text = `<html><head><title>Simple Bookstore App</title></head><body>${body}</body></html>\n`
  response.writeHead(200, { 'content-type': 'text/html' }).end(text)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

/** Asks another service; undefined when it doesn't answer with 200 and JSON. */
async function ask(request: IncomingMessage, service: string, path: string): Promise<unknown> {
  const host = process.env[`${service.toUpperCase()}_HOSTNAME`] ?? service
  const port = Number(process.env[`${service.toUpperCase()}_SERVICE_PORT`] ?? PORT)
  const headers = Object.fromEntries(
    PASSED_ON.flatMap((name) => (request.headers[name] === undefined ? [] : [[name, request.headers[name]]])),
  )
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const asked = get({ host, port, path, headers, timeout: UPSTREAM_TIMEOUT_MS }, (response) => {
    let body = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      if (body.length < MAX_ANSWER_BYTES) body += chunk
    })
    response.on('end', () => {
      try {
        resolve(response.statusCode === 200 ? JSON.parse(body) : undefined)
      } catch {
        resolve(undefined)
      }
    })
    response.on('error', () => resolve(undefined))
  })
  asked.on('timeout', () => asked.destroy())
  asked.on('error', () => resolve(undefined))
  return await promise
}
