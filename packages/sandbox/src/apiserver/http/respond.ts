import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Logger, messageOf } from '@ambit/core'
import { stringify } from 'yaml'
import { StatusError } from '../status-error.ts'

/** Longest warning header text. */
const MAX_WARNING = 1024

/** Answers with a JSON (or YAML) body. */
export function respond(
  response: ServerResponse,
  status: number,
  body: unknown,
  options: { yaml?: boolean; warnings?: readonly string[]; contentType?: string } = {},
): void {
  if (response.headersSent) return
  const text = options.yaml === true ? stringify(body) : `${JSON.stringify(body)}\n`
  for (const warning of options.warnings ?? []) {
    const safe = warning
      .slice(0, MAX_WARNING)
      .replaceAll(/["\\]/g, '\\$&')
      .replaceAll(/[^\x20-\x7e]/g, '?')
    response.appendHeader('warning', `299 - "${safe}"`)
  }
  const type = options.contentType ?? (options.yaml === true ? 'application/yaml' : 'application/json')
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-cache, private',
  })
  response.end(text)
}

export function respondText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

export function respondBytes(
  response: ServerResponse,
  o: { readonly contentType: string; readonly body: Buffer },
): void {
  response.writeHead(200, { 'content-type': o.contentType, 'content-length': o.body.length })
  response.end(o.body)
}

/** Anything thrown as a Status; what isn't one is a mistake of ours: 500, and the log has it. */
export function statusOf(error: unknown, logger: Logger, request: IncomingMessage): StatusError {
  if (error instanceof StatusError) return error
  logger.error('a request failed inside the API server; this is a defect', {
    method: request.method,
    path: request.url,
    error: error instanceof Error ? (error.stack ?? error.message) : messageOf(error),
  })
  return new StatusError(500, 'InternalError', `Internal error occurred: ${messageOf(error)}`)
}

export function respondError(response: ServerResponse, error: StatusError): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  respond(response, error.status, error.toStatus())
}
