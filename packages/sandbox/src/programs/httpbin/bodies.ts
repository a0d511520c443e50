import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { deflateSync, gzipSync } from 'node:zlib'

const MAX_BYTES = 100 * 1024
const MAX_LINES = 100
export const MAX_DELAY_S = 10
const MAX_DRIP_S = 300
const OCTETS = { 'content-type': 'application/octet-stream' }

/** A number from a path or query, within its bounds; what is none is the least. */
export function bounded(text: string | null, most: number, least = 0): number {
  const value = Number(text ?? least)
  return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : least
}

export function sendBytes(response: ServerResponse, count: string): void {
  response.writeHead(200, OCTETS).end(randomBytes(Math.floor(bounded(count, MAX_BYTES))))
}

/** Bytes in chunks, without a length told beforehand. */
export async function streamBytes(response: ServerResponse, count: string, chunkSize: string | null): Promise<void> {
  const size = Math.floor(bounded(chunkSize ?? '10240', MAX_BYTES, 1))
  response.writeHead(200, OCTETS)
  for (let left = Math.floor(bounded(count, MAX_BYTES)); left > 0 && !response.destroyed; left -= size)
    if (!response.write(randomBytes(Math.min(size, left)))) await once(response, 'drain').catch(() => undefined)
  response.end()
}

/** Lines of JSON, one chunk each. */
export function streamLines(response: ServerResponse, count: string, echo: Readonly<Record<string, unknown>>): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const lines = Math.floor(bounded(count, MAX_LINES, 1))
  for (let id = 0; id < lines; id++) response.write(`${JSON.stringify({ id, ...echo })}\n`)
  response.end()
}

export function sendCompressed(
  response: ServerResponse,
  encoding: 'gzip' | 'deflate',
  echo: Readonly<Record<string, unknown>>,
): void {
  const flag = encoding === 'gzip' ? 'gzipped' : 'deflated'
  const body = Buffer.from(`${JSON.stringify({ ...echo, [flag]: true }, undefined, 2)}\n`)
  response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding })
  response.end(encoding === 'gzip' ? gzipSync(body) : deflateSync(body))
}

/** Bytes spread evenly over a while: a download that stays open. */
export async function drip(response: ServerResponse, query: URLSearchParams): Promise<void> {
  const bytes = Math.floor(bounded(query.get('numbytes') ?? '10', MAX_BYTES, 1))
  const seconds = bounded(query.get('duration') ?? '2', MAX_DRIP_S)
  await delay(bounded(query.get('delay'), MAX_DELAY_S) * 1000)
  response.writeHead(bounded(query.get('code') ?? '200', 599, 200), { ...OCTETS, 'content-length': bytes })
  for (let sent = 0; sent < bytes && !response.destroyed; sent++) {
    response.write('*')
    await delay((seconds * 1000) / bytes)
  }
  response.end()
}
