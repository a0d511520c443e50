import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json, readBody } from '../serve.ts'
import { indexHtml, productHtml } from './page-html.ts'
import { type Answer, ask, type Handler, passedOn, type ServiceName, type Services } from './service-calls.ts'
import { SIGN_OUT, signedInUser, signIn, userNameFrom } from './session.ts'

const TIMEOUT_MS = 3000
/** Reviews get a second try of the same length: 6 s in all, shorter than a version of reviews waits for ratings. */
const TRIES: Readonly<Record<ServiceName, number>> = { details: 1, ratings: 1, reviews: 2 }

const PRODUCTS = [
  {
    id: 0,
    title: 'The Comedy of Errors',
    descriptionHtml:
      '<a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">The Comedy of Errors</a> is the shortest of ' +
      '<b>William Shakespeare’s</b> plays and one of his first: two pairs of twins, separated at birth, come to the same ' +
      'town on the same day, and everybody takes everybody for somebody else.',
  },
] as const

const STATIC: Readonly<Record<string, { readonly type: string; readonly body: Buffer }>> = {
  '/static/bookstore.css': { type: 'text/css; charset=utf-8', body: asset('bookstore.css') },
  '/static/cover.svg': { type: 'image/svg+xml', body: asset('cover.svg') },
}

/** Everything of the shop comes from itself. */
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'cache-control': 'no-store',
}

/** What people see: the page, its interface for programs below `/api/v1/products`, sign-in by name. */
export function productPage(services: Services): Handler {
  return async (request, response) => {
    const [path = '/'] = (request.url ?? '/').split('?')
    if (path === '/login') return await login(request, response)
    request.resume()
    if (path === '/health') return void response.writeHead(200).end('Product page is healthy')
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead) return void response.writeHead(405, { allow: 'GET, HEAD' }).end('Method Not Allowed\n')
    const file = Object.hasOwn(STATIC, path) ? STATIC[path] : undefined
    if (file !== undefined)
      return void response
        .writeHead(200, { 'content-type': file.type, 'cache-control': 'public, max-age=3600' })
        .end(file.body)
    if (path === '/' || path === '/index.html')
      return void response.writeHead(200, PAGE_HEADERS).end(indexHtml(signedInUser(request)))
    if (path === '/logout') return redirect(response, SIGN_OUT)
    if (path === '/productpage') return await front(services, request, response)
    return await api(services, request, response, path)
  }
}

async function front(services: Services, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = headersFor(request)
  const [details, reviews] = await Promise.all([
    fetchPart(services, 'details', 0, headers),
    fetchPart(services, 'reviews', 0, headers),
  ])
  const html = productHtml({ product: PRODUCTS[0], user: signedInUser(request), details, reviews })
  response.writeHead(200, PAGE_HEADERS).end(html)
}

async function api(
  services: Services,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  if (path === '/api/v1/products') return json(response, 200, PRODUCTS)
  const match = /^\/api\/v1\/products\/(\d{1,9})(?:\/(reviews|ratings))?$/.exec(path)
  if (match === null) return json(response, 404, { error: 'not found' })
  const part = (match[2] ?? 'details') as ServiceName
  const { status, body } = await fetchPart(services, part, Number(match[1]), headersFor(request))
  json(response, status, body)
}

/** One part of the page; what isn't to be had is an object that says so, with the status that was got. */
async function fetchPart(
  services: Services,
  part: ServiceName,
  id: number,
  headers: Readonly<Record<string, string>>,
): Promise<Answer & { readonly body: object }> {
  let answer: Answer = { status: 500, body: undefined }
  for (let tries = TRIES[part]; tries > 0 && answer.body === undefined; tries--)
    answer = await ask(services[part], `/${part}/${id}`, { headers, timeoutMs: TIMEOUT_MS })
  const what = part === 'details' ? 'product details' : `product ${part}`
  return {
    status: answer.status,
    body: answer.body ?? { error: `Sorry, ${what} are currently unavailable for this book.` },
  }
}

function headersFor(request: IncomingMessage): Record<string, string> {
  const user = signedInUser(request)
  return { ...passedOn(request), ...(user === undefined ? {} : { 'end-user': user }) }
}

async function login(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') {
    request.resume()
    return void response.writeHead(405, { allow: 'POST' }).end('Method Not Allowed\n')
  }
  const user = userNameFrom(new URLSearchParams((await readBody(request)).toString()).get('username'))
  if (user !== undefined) return redirect(response, signIn(user))
  response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' })
  response.end('A user name has 1 to 64 letters, digits and signs of ASCII.\n')
}

/** Always to the page: an address given by the caller could lead elsewhere. */
function redirect(response: ServerResponse, cookie: string): void {
  response.writeHead(302, { location: '/productpage', 'set-cookie': cookie, 'cache-control': 'no-store' }).end()
}

function asset(name: string): Buffer {
  return readFileSync(new URL(name, import.meta.url))
}
