import { type FlowJournal, flowsResponse } from '@ambit/flow'
import type { AdminRoute, LogControl, PrometheusMetrics } from '@ambit/telemetry'
import { loggingRoute, metricsRoutes } from '@ambit/telemetry'

export interface AdminSources {
  readonly logControl: LogControl
  readonly metrics: PrometheusMetrics
  readonly configDump: () => object
  readonly serverInfo: () => object
  readonly flows: FlowJournal
  readonly now: () => number
  readonly shutdown: () => void
}

/** What the loopback administration port serves. */
export function adminRoutes({
  logControl,
  metrics,
  configDump,
  serverInfo,
  flows,
  now,
  shutdown,
}: AdminSources): readonly AdminRoute[] {
  const json = (read: () => object): AdminRoute['handle'] => {
    return () => ({ contentType: 'application/json', body: `${JSON.stringify(read(), undefined, 2)}\n` })
  }
  return [
    { method: 'GET', path: '/config_dump', handle: json(configDump) },
    { method: 'GET', path: '/server_info', handle: json(serverInfo) },
    { method: 'GET', path: '/stats', handle: async () => ({ body: await metrics.expose() }) },
    {
      method: 'GET',
      path: '/flows',
      handle: ({ query, signal }) => flowsResponse(flows, { query, signal, nowMs: now() }),
    },
    ...metricsRoutes(metrics),
    loggingRoute(logControl),
    {
      method: 'POST',
      path: '/quitquitquit',
      handle: () => {
        // Answered first: the drain closes this server.
        setImmediate(shutdown)
        return { body: 'OK\n' }
      },
    },
  ]
}
