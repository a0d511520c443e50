import { type FlowJournal, flowsResponse } from '@ambit/flow'
import type { AdminRoute, LogControl, PrometheusMetrics } from '@ambit/telemetry'
import { loggingRoute, metricsRoutes } from '@ambit/telemetry'

export interface AdminSources {
  readonly logControl: LogControl
  readonly configDump: () => object
  readonly flows: FlowJournal
  readonly now: () => number
  readonly shutdown: () => void
}

const INDEX = `<!DOCTYPE html>
<html><head><title>ztunnel</title></head><body><h1>ztunnel</h1><ul>
<li><a href="config_dump">config_dump</a>: state and configuration as JSON</li>
<li><a href="flows">flows</a>: connections open now, and those denied or failed lately, one JSON object a line; <code>?watch=true</code> goes on</li>
<li>logging: POST, <code>?level=info,access=debug</code>, <code>?reset</code></li>
<li>quitquitquit: POST, graceful shutdown</li>
</ul></body></html>
`

/** What the loopback administration port serves. */
export function adminRoutes(sources: AdminSources): readonly AdminRoute[] {
  return [
    { method: 'GET', path: '/', handle: () => ({ contentType: 'text/html; charset=utf-8', body: INDEX }) },
    {
      method: 'GET',
      path: '/config_dump',
      handle: () => ({
        contentType: 'application/json',
        body: `${JSON.stringify(sources.configDump(), undefined, 2)}\n`,
      }),
    },
    {
      method: 'GET',
      path: '/flows',
      handle: ({ query, signal }) => flowsResponse(sources.flows, { query, signal, nowMs: sources.now() }),
    },
    loggingRoute(sources.logControl),
    {
      method: 'POST',
      path: '/quitquitquit',
      handle: () => {
        // Answered first: the drain closes this server.
        setImmediate(sources.shutdown)
        return { body: 'shutdown now\n' }
      },
    },
  ]
}

/** The scrape routes, with counters of open connections brought up to date first. */
export function statsRoutes(metrics: PrometheusMetrics, flush: () => void): readonly AdminRoute[] {
  return metricsRoutes(metrics).map((route) => ({
    ...route,
    handle: (request) => {
      flush()
      return route.handle(request)
    },
  }))
}
