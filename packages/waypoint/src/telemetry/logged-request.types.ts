import type { Downstream } from '../request.types.ts'
import type { RequestRecord } from './request-record.ts'

/** One finished request, or TCP connection, as logs and metrics see it. */
export interface LoggedRequest {
  readonly record: RequestRecord
  /** As flows call it. */
  readonly id: string
  readonly downstream: Downstream
  /** Of the client, with its scheme; a client of a gateway rarely has one. */
  readonly principal: string | undefined
  readonly durationMs: number
}
