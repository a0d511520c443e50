import type { TunnelFacts } from '../request.types.ts'
import type { RequestRecord } from './request-record.ts'

/** One finished request, or TCP connection, as logs and metrics see it. */
export interface LoggedRequest {
  readonly record: RequestRecord
  readonly tunnel: TunnelFacts
  /** Of the client, with its scheme. */
  readonly principal: string
  readonly durationMs: number
}
