import { randomUUID } from 'node:crypto'
import { believedHeaders } from '@ambit/route'
import type { Step } from './step.types.ts'

/** At a gateway a request enters the mesh: its headers are made so before anything is decided by them. */
export const edgeHeaders: Step = {
  name: 'edge-headers',
  run: (state) => {
    const { downstream, exchange, record, settings } = state
    if (downstream.kind !== 'gateway') return undefined
    record.requestId = randomUUID()
    const { headers, remoteIp } = believedHeaders({
      headers: exchange.head.headers,
      client: downstream.remote.ip,
      isTls: downstream.tls !== undefined,
      trustedHops: settings.trustedHops,
      requestId: record.requestId,
    })
    record.requestHeaders = headers
    state.headers = headers
    state.remoteIp = remoteIp
    return undefined
  },
}
