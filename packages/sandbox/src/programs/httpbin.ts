// Answers like httpbin: says back what it was asked. `--style go` gives header values as lists, as go-httpbin does.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { bounded, drip, MAX_DELAY_S, sendBytes, sendCompressed, streamBytes, streamLines } from './httpbin/bodies.ts'
import { echoOf, headersOf, originOf, type Style } from './httpbin/echo.ts'
import { basicAuth, bearer, changeCookies, cookiesOf, redirect, redirectTo, sendStatus } from './httpbin/state.ts'
import { flags, json, serveHttp } from './serve.ts'

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  /** Parts of the path after the first. */
  readonly words: readonly string[]
  readonly first: string
}
type Route = (asked: Asked) => void | Promise<void>

const options = flags(process.argv.slice(2))
const style: Style = options['style'] === 'go' ? 'go' : 'python'
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

const echo = async ({ request, response, url }: Asked): Promise<void> =>
  json(response, 200, await echoOf(request, url, style))
const only =
  (method: string, route: Route): Route =>
  (asked) => {
    const own = asked.request.method ?? ''
    if (own === method || (method === 'GET' && own === 'HEAD')) return route(asked)
    asked.response.writeHead(405, { allow: method }).end()
  }

const ROUTES: Readonly<Record<string, Route>> = {
  '': ({ response }) =>
    void response
      .writeHead(200, { 'content-type': 'text/plain' })
      .end(`httpbin of the Ambit sandbox: /${Object.keys(ROUTES).filter(Boolean).sort().join(' /')}\n`),
  ...Object.fromEntries(METHODS.map((method) => [method, only(method.toUpperCase(), echo)])),
  anything: echo,
  headers: ({ request, response }) => json(response, 200, { headers: headersOf(request, style) }),
  ip: ({ request, response }) => json(response, 200, { origin: originOf(request) }),
  'user-agent': ({ request, response }) => json(response, 200, { 'user-agent': request.headers['user-agent'] ?? '' }),
  hostname: ({ response }) => json(response, 200, { hostname: hostname() }),
  uuid: ({ response }) => json(response, 200, { uuid: randomUUID() }),
  status: ({ response, first }) => sendStatus(response, first),
  delay: async (asked) => {
    await delay(bounded(asked.first.replace(/s$/, ''), MAX_DELAY_S) * 1000)
    await echo(asked)
  },
  bytes: ({ response, first }) => sendBytes(response, first),
  'stream-bytes': ({ response, first, url }) => streamBytes(response, first, url.searchParams.get('chunk_size')),
  stream: async ({ request, response, first, url }) => streamLines(response, first, await echoOf(request, url, style)),
  gzip: async ({ request, response, url }) => sendCompressed(response, 'gzip', await echoOf(request, url, style)),
  deflate: async ({ request, response, url }) => sendCompressed(response, 'deflate', await echoOf(request, url, style)),
  drip: ({ response, url }) => drip(response, url.searchParams),
  'response-headers': ({ response, url }) => {
    for (const [name, value] of url.searchParams) response.setHeader(name, value)
    json(response, 200, Object.fromEntries(url.searchParams))
  },
  redirect: ({ request, response, first }) => redirect(request, response, first, false),
  'relative-redirect': ({ request, response, first }) => redirect(request, response, first, false),
  'absolute-redirect': ({ request, response, first }) => redirect(request, response, first, true),
  'redirect-to': ({ response, url }) => redirectTo(response, url.searchParams),
  cookies: ({ request, response, url, words }) =>
    words.length === 0 ? json(response, 200, { cookies: cookiesOf(request) }) : changeCookies(response, url, words),
  'basic-auth': ({ request, response, words: [user = '', password = ''] }) =>
    basicAuth(request, response, { user, password, hidden: false }),
  'hidden-basic-auth': ({ request, response, words: [user = '', password = ''] }) =>
    basicAuth(request, response, { user, password, hidden: true }),
  bearer: ({ request, response }) => bearer(request, response),
  json: ({ response }) =>
    json(response, 200, { slideshow: { title: 'Sample', slides: [{ title: 'One', type: 'all' }] } }),
  html: ({ response }) =>
    void response
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      .end('<!doctype html><title>A page</title><h1>A page</h1>\n'),
  'robots.txt': ({ response }) =>
    void response.writeHead(200, { 'content-type': 'text/plain' }).end('User-agent: *\nDisallow: /deny\n'),
  unstable: ({ response, url }) =>
    sendStatus(response, Math.random() < bounded(url.searchParams.get('failure_rate') ?? '0.5', 1) ? '500' : '200'),
}

serveHttp(Number(process.env['PORT'] ?? options['port'] ?? 80), async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://httpbin')
  const [, route = '', ...words] = url.pathname.split('/')
  const handler = Object.hasOwn(ROUTES, route) ? ROUTES[route] : undefined
  if (handler === undefined) {
    request.resume()
    return json(response, 404, { status_code: 404, error: 'Not Found' })
  }
  await handler({ request, response, url, words: words.filter((word) => word !== ''), first: words[0] ?? '' })
  request.resume()
})
