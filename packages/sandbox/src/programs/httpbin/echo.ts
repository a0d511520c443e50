import type { IncomingMessage } from 'node:http'
import { peerAddress, readBody } from '../serve.ts'

/** `go` gives header and argument values as lists, as go-httpbin does; `python` as texts. */
export type Style = 'go' | 'python'

/** What was asked, said back. */
export async function echoOf(request: IncomingMessage, url: URL, style: Style): Promise<Record<string, unknown>> {
  const body = await readBody(request)
  const value: Record<string, unknown> = {
    args: Object.fromEntries(
      [...new Set(url.searchParams.keys())].map((key) => [key, valuesOf(url.searchParams.getAll(key), style)]),
    ),
    headers: headersOf(request, style),
    method: request.method,
    origin: originOf(request),
    url: `http://${request.headers.host ?? ''}${request.url ?? ''}`,
  }
  if (request.method === 'GET' || request.method === 'HEAD') return value
  const form = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true
  const fields = new URLSearchParams(form ? body.toString() : '')
  return {
    ...value,
    data: body.toString(),
    files: {},
    form: Object.fromEntries([...new Set(fields.keys())].map((key) => [key, valuesOf(fields.getAll(key), style)])),
    json: parsed(body),
  }
}

export function headersOf(request: IncomingMessage, style: Style): Record<string, string | string[]> {
  const canonical = (name: string): string => name.replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
  const entries = Object.entries(request.headersDistinct).map(
    ([name, list = []]) => [canonical(name), valuesOf(list, style)] as const,
  )
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function originOf(request: IncomingMessage): string {
  const forwarded = request.headers['x-forwarded-for']
  const first = (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(',')[0]?.trim()
  return first || peerAddress(request)
}

function valuesOf(list: readonly string[], style: Style): string | string[] {
  return style === 'go' ? [...list] : list.join(',')
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return null
  }
}
