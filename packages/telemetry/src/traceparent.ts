import { randomBytes } from 'node:crypto'

export interface TraceContext {
  readonly traceId: string
  readonly spanId: string
}

/** A fresh context with the sampled flag off (W3C Trace Context, version 00). */
export function newTraceContext(): TraceContext {
  const random = randomBytes(24).toString('hex')
  return { traceId: random.slice(0, 32), spanId: random.slice(32) }
}

export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-00`
}

/** Undefined unless the header has exactly the 55 characters of version 00. */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  const match = header?.match(/^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/i)
  const [, traceId, spanId] = match ?? []
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId }
}
