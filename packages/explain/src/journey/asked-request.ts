import type { HeaderList } from '@ambit/route'
import type { Target } from '../names/target.types.ts'
import type { AskedRequest } from '../question.types.ts'

/** A request as a proxy reads it. */
export interface SentRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  readonly authority: string
  readonly headers: HeaderList
}

/** What a client sends that asks for this. */
export function sentRequest(asked: AskedRequest, { host, port }: Target, isTls: boolean): SentRequest {
  const usual = isTls ? 443 : 80
  const name = host.includes(':') ? `[${host}]` : host
  const headers = (asked.headers ?? []).flatMap(([header, value]) => [header.toLowerCase(), value])
  const hasToken = asked.headers?.some(([one]) => one.toLowerCase() === 'authorization') === true
  return {
    method: asked.method,
    target: asked.path,
    authority: asked.host ?? (port === usual ? name : `${name}:${port}`),
    headers: asked.claims === undefined || hasToken ? headers : [...headers, 'authorization', 'Bearer'],
  }
}
