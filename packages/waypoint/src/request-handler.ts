import { randomUUID } from 'node:crypto'
import { type Clock, type Logger, messageOf } from '@ambit/core'
import type { WaypointSettings } from '@ambit/state'
import type { Exchange } from './http/exchange.types.ts'
import type { FrontHandler } from './http/front.types.ts'
import { headerBytes, headerOf, isGrpc } from './http/headers.ts'
import type { Pipeline } from './pipeline.ts'
import type { Downstream, RequestState } from './request.types.ts'
import { RequestRecord } from './telemetry/request-record.ts'
import type { TrafficEvents } from './telemetry/traffic-events.ts'

export interface RequestHandlerComponents {
  readonly pipeline: Pipeline
  readonly settings: () => WaypointSettings | undefined
  readonly events: TrafficEvents
  readonly clock: Clock
  readonly logger: Logger
}

/** Takes the requests of one connection through the pipeline, and tells what became of them. */
export function requestHandler(components: RequestHandlerComponents, downstream: Downstream): FrontHandler {
  const { pipeline, settings, events, logger } = components
  return {
    request: (exchange) => {
      const current = settings()
      if (current === undefined) return exchange.reset()
      const record = recordOf(exchange, components.clock)
      const state: RequestState = { exchange, downstream, record, settings: current }
      events.requestStarted(downstream, record)
      void pipeline(state)
        .catch((error: unknown) => {
          logger.error('a request could not be handled', {
            path: record.path,
            error: error instanceof Error ? error.stack : messageOf(error),
          })
          record.details = 'internal_error'
          exchange.reset()
        })
        .finally(() => events.requestDone(downstream, record))
    },
    protocolError: (error) => events.protocolError(downstream, error),
  }
}

function recordOf({ head }: Exchange, clock: Clock): RequestRecord {
  const record = new RequestRecord({ wallMs: clock.now(), monotonicMs: clock.monotonic() })
  record.method = head.method
  record.path = head.target
  record.protocol = head.version
  record.authority = head.authority
  record.requestHeaders = head.headers
  const requestId = headerOf(head.headers, 'x-request-id')
  record.isOwnRequestId = requestId === undefined
  record.requestId = requestId ?? randomUUID()
  record.requestHeaderBytes = headerBytes(head.headers) + head.target.length
  record.isGrpc = isGrpc(head.headers)
  return record
}
