import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from '../serve.ts'

/** `/status/418`, `/status/200,500` and `/status/200:0.9,503:0.1`. */
export function sendStatus(response: ServerResponse, wanted: string): void {
  const choices = wanted.split(',').map((part) => {
    const [code = '', weight = '1'] = part.split(':')
    return { code: Number(code), weight: Number(weight) }
  })
  const valid = choices.every(
    ({ code, weight }) =>
      Number.isInteger(code) && code >= 200 && code <= 599 && weight >= 0 && Number.isFinite(weight),
  )
  if (!valid) return json(response, 400, { status_code: 400, error: 'Bad Request', detail: 'invalid status code' })
  const code = chosen(choices, Math.random())
  if (code >= 300 && code < 400 && code !== 304) response.setHeader('location', '/redirect/1')
  response.writeHead(code).end()
}

export function chosen(choices: readonly { readonly code: number; readonly weight: number }[], luck: number): number {
  let left = luck * choices.reduce((sum, { weight }) => sum + weight, 0)
  for (const { code, weight } of choices) {
    left -= weight
    if (left < 0) return code
  }
  return choices.at(-1)?.code ?? 200
}

export function redirect(request: IncomingMessage, response: ServerResponse, count: string, absolute: boolean): void {
  const left = Number(count) - 1
  const path = left > 0 ? `/${absolute ? 'absolute-redirect' : 'redirect'}/${left}` : '/get'
  const location = absolute ? `http://${request.headers.host ?? ''}${path}` : path
  response.writeHead(302, { location }).end()
}

export function redirectTo(response: ServerResponse, query: URLSearchParams): void {
  const location = query.get('url')
  if (location === null || /[\r\n]/.test(location)) return json(response, 400, { error: 'missing or invalid url' })
  const code = Number(query.get('status_code') ?? 302)
  response.writeHead(code >= 300 && code < 400 ? code : 302, { location: encodeURI(location) }).end()
}

export function cookiesOf(request: IncomingMessage): Record<string, string> {
  const cookies: Record<string, string> = {}
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name = '', ...value] = part.trim().split('=')
    if (name !== '') cookies[name] = value.join('=')
  }
  return cookies
}

/** `/cookies/set?a=1`, `/cookies/set/a/1`, `/cookies/delete?a`. */
export function changeCookies(response: ServerResponse, url: URL, words: readonly string[]): void {
  const [action = '', name, value = ''] = words
  if (action !== 'set' && action !== 'delete') return json(response, 404, { error: 'Not Found' })
  const pairs: readonly (readonly [string, string])[] = name === undefined ? [...url.searchParams] : [[name, value]]
  const valid = pairs.every(
    ([key, text]) => /^[\w.-]+$/.test(key) && /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/.test(text),
  )
  if (!valid) return json(response, 400, { error: 'not a cookie' })
  const suffix = action === 'delete' ? '; Max-Age=0; Path=/' : '; Path=/'
  response.setHeader(
    'set-cookie',
    pairs.map(([key, text]) => `${key}=${action === 'delete' ? '' : text}${suffix}`),
  )
  response.writeHead(302, { location: '/cookies' }).end()
}

export function basicAuth(
  request: IncomingMessage,
  response: ServerResponse,
  wanted: { readonly user: string; readonly password: string; readonly hidden: boolean },
): void {
  const expected = `Basic ${Buffer.from(`${wanted.user}:${wanted.password}`).toString('base64')}`
  const ok = request.headers.authorization === expected
  if (ok) return json(response, 200, { authenticated: true, authorized: true, user: wanted.user })
  if (wanted.hidden) return json(response, 404, { authenticated: false, authorized: false, user: '' })
  response.writeHead(401, { 'www-authenticate': 'Basic realm="Fake Realm"' }).end()
}

export function bearer(request: IncomingMessage, response: ServerResponse): void {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  if (token !== undefined) return json(response, 200, { authenticated: true, token })
  response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
}
