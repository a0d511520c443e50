import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '@ambit/core'
import type { PodRuntime } from '../contract.types.ts'
import { badRequest } from '../status-error.ts'

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,12}$/.test(text))
    throw badRequest(`${name}: Invalid value: ${JSON.stringify(text.slice(0, 50))}: must be a number`)
  return Number(text)
}

/** GET pods/log: the container's output, followed until somebody ends it. */
export async function streamLog(
  runtime: PodRuntime,
  clock: Clock,
  target: { readonly namespace: string; readonly pod: string },
  query: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const isSet = (name: string): boolean => query.get(name) === 'true' || query.get(name) === '1'
  const sinceTime = query.get('sinceTime')
  const since = sinceTime === null ? undefined : Math.max(0, Math.ceil((clock.now() - Date.parse(sinceTime)) / 1000))
  const abort = new AbortController()
  response.on('close', () => abort.abort())
  request.on('error', () => abort.abort())
  const log = await runtime.logs({
    ...target,
    container: query.get('container') ?? undefined,
    follow: isSet('follow'),
    tailLines: numberOf(query, 'tailLines'),
    sinceSeconds: numberOf(query, 'sinceSeconds') ?? (Number.isNaN(since) ? undefined : since),
    previous: isSet('previous'),
    timestamps: isSet('timestamps'),
    limitBytes: numberOf(query, 'limitBytes'),
    signal: abort.signal,
  })
  response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' })
  response.flushHeaders()
  try {
    await pipeline(log, response)
  } catch {
    // The reader left, or the container's output broke off: the connection says so.
    response.destroy()
  } finally {
    log.destroy()
  }
}
