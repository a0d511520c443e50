// Answers like httpbin: says back what it was asked. `--style go` gives header values as lists, as go-httpbin does.
import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { flags, json, peerAddress, readBody, serveHttp } from './serve.ts'

const options = flags(process.argv.slice(2))
const asLists = options['style'] === 'go'
const MAX_DELAY_S = 10
const MAX_BYTES = 100 * 1024
const MAX_DRIP_S = 300

serveHttp(Number(process.env['PORT'] ?? options['port'] ?? 80), async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://httpbin')
  const [, route = '', first = '', second = ''] = url.pathname.split('/')
  switch (route) {
    case '':
      return text(
        response,
        'httpbin of the Ambit sandbox: /get /post /headers /ip /status/{code} /delay/{seconds} /anything /bytes/{n} /drip\n',
      )
    case 'headers':
      return json(response, 200, { headers: headersOf(request) })
    case 'ip':
      return json(response, 200, { origin: originOf(request) })
    case 'user-agent':
      return json(response, 200, { 'user-agent': request.headers['user-agent'] ?? '' })
    case 'hostname':
      return json(response, 200, { hostname: hostname() })
    case 'uuid':
      return json(response, 200, { uuid: randomUUID() })
    case 'status':
      return status(request, response, first)
    case 'delay':
      await delay(Math.min(MAX_DELAY_S, Number(first) || 0) * 1000)
      return await echo(request, response, url)
    case 'bytes':
      return void response
        .writeHead(200, { 'content-type': 'application/octet-stream' })
        .end(randomBytes(Math.min(MAX_BYTES, Number(first) || 0)))
    case 'drip':
      return await drip(response, url.searchParams)
    case 'response-headers':
      for (const [name, value] of url.searchParams) response.setHeader(name, value)
      return json(response, 200, Object.fromEntries(url.searchParams))
    case 'redirect': {
      const left = Number(first) - 1
      return void response.writeHead(302, { location: left > 0 ? `/redirect/${left}` : '/get' }).end()
    }
    case 'basic-auth': {
      const wanted = `Basic ${Buffer.from(`${first}:${second}`).toString('base64')}`
      if (request.headers.authorization === wanted) return json(response, 200, { authenticated: true, user: first })
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="Fake Realm"' }).end()
    }
    case 'get':
    case 'post':
    case 'put':
    case 'patch':
    case 'delete':
      if (request.method?.toLowerCase() !== route && !(route === 'get' && request.method === 'HEAD')) {
        return void response.writeHead(405, { allow: route.toUpperCase() }).end()
      }
      return await echo(request, response, url)
    case 'anything':
      return await echo(request, response, url)
    default:
      return json(response, 404, { status_code: 404, error: 'Not Found' })
  }
})

function text(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'text/plain' }).end(body)
}

/** Bytes spread evenly over a while: a download that stays open. */
async function drip(response: ServerResponse, query: URLSearchParams): Promise<void> {
  const bytes = Math.min(MAX_BYTES, Math.max(1, Number(query.get('numbytes') ?? 10) || 10))
  const seconds = Math.min(MAX_DRIP_S, Number(query.get('duration') ?? 2) || 0)
  await delay(Math.min(MAX_DELAY_S, Number(query.get('delay') ?? 0) || 0) * 1000)
  response.writeHead(Number(query.get('code') ?? 200) || 200, {
    'content-type': 'application/octet-stream',
    'content-length': bytes,
  })
  for (let sent = 0; sent < bytes && !response.destroyed; sent++) {
    response.write('*')
    await delay((seconds * 1000) / bytes)
  }
  response.end()
}

function status(request: IncomingMessage, response: ServerResponse, code: string): void {
  const number = Number(code)
  request.resume()
  if (!Number.isInteger(number) || number < 200 || number > 599)
    return json(response, 400, { error: 'invalid status code' })
  if (number >= 300 && number < 400 && number !== 304) response.setHeader('location', '/redirect/1')
  response.writeHead(number).end()
}

async function echo(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const body = await readBody(request)
  const value: Record<string, unknown> = {
    args: Object.fromEntries(
      [...new Set(url.searchParams.keys())].map((key) => [key, values(url.searchParams.getAll(key))]),
    ),
    headers: headersOf(request),
    method: request.method,
    origin: originOf(request),
    url: `http://${request.headers.host ?? ''}${request.url ?? ''}`,
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    value['data'] = body.toString()
    const form = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')
    value['form'] = form === true ? Object.fromEntries(new URLSearchParams(body.toString())) : {}
    value['json'] = parsed(body)
  }
  json(response, 200, value)
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return null
  }
}

function headersOf(request: IncomingMessage): Record<string, string | string[]> {
  const canonical = (name: string): string => name.replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
  const entries = Object.entries(request.headersDistinct).map(
    ([name, list = []]) => [canonical(name), values(list)] as const,
  )
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function values(list: readonly string[]): string | string[] {
  return asLists ? [...list] : list.join(',')
}

function originOf(request: IncomingMessage): string {
  const forwarded = request.headers['x-forwarded-for']
  const first = (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(',')[0]?.trim()
  return first || peerAddress(request)
}
