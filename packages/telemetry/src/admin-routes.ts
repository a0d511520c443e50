import type { AdminRoute } from './admin-server.ts'
import type { LogControl } from './logger.ts'
import type { PrometheusMetrics } from './prometheus-metrics.ts'
import { OPENMETRICS_CONTENT_TYPE } from './prometheus-metrics.ts'

/** `POST /logging`: no query reports, `?level=` adds clauses, `?reset` goes back to the start first. */
export function loggingRoute(control: LogControl): AdminRoute {
  return {
    method: 'POST',
    path: '/logging',
    handle: ({ query }) => {
      if (query.has('reset')) control.reset()
      const level = query.get('level')
      const reason = level === null ? undefined : control.add(level)
      if (reason !== undefined) return { status: 400, body: `invalid level: ${reason}\n` }
      return { body: `current log level is ${control.current()}\n` }
    },
  }
}

/** The scrape endpoints of Istio's proxies. */
export function metricsRoutes(metrics: PrometheusMetrics): readonly AdminRoute[] {
  return ['/metrics', '/stats/prometheus'].map((path) => ({
    method: 'GET',
    path,
    handle: async () => ({ contentType: OPENMETRICS_CONTENT_TYPE, body: await metrics.expose() }),
  }))
}

/** Tasks that must finish before a process calls itself ready. */
export class Readiness {
  readonly #pending = new Set<string>()

  /** The names of tasks not done, in the order they were announced. */
  get pending(): readonly string[] {
    return [...this.#pending]
  }

  /** Announces a task; the answer marks it done, or not done again. */
  task(name: string): (done: boolean) => void {
    this.#pending.add(name)
    return (done) => {
      if (done) this.#pending.delete(name)
      else this.#pending.add(name)
    }
  }
}

/** `GET /healthz/ready`: 200 `ready`, or 500 with what is missing. */
export function readinessRoute(readiness: Readiness): AdminRoute {
  return {
    method: 'GET',
    path: '/healthz/ready',
    handle: () => {
      const { pending } = readiness
      if (pending.length === 0) return { body: 'ready\n' }
      return { status: 500, body: `not ready, pending: ${pending.join(', ')}\n` }
    },
  }
}
