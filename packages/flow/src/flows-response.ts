import type { FlowJournal } from './flow-journal.ts'
import { readFlowQuery } from './flow-query.ts'
import { MAX_FLOW_FOLLOWERS } from './limits.ts'

/** An answer of an administration port. */
export interface FlowsResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string | AsyncIterable<string>
}

/** `GET /flows`: one flow a line, or why not. */
export function flowsResponse(
  journal: FlowJournal,
  request: { readonly query: URLSearchParams; readonly signal: AbortSignal; readonly nowMs: number },
): FlowsResponse {
  const asked = readFlowQuery(request.query, request.nowMs)
  if (!asked.ok) return { status: 400, contentType: TEXT, body: `${asked.reason}\n` }
  if (asked.query.watch && !journal.hasRoom)
    return { status: 503, contentType: TEXT, body: `${MAX_FLOW_FOLLOWERS} clients follow already\n` }
  return { status: 200, contentType: 'application/x-ndjson', body: journal.lines(asked.query, request.signal) }
}

const TEXT = 'text/plain; charset=utf-8'
