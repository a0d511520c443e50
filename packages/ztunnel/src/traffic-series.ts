import type { Counter, Gauge, Metrics } from '@ambit/core'
import { formatSpiffeId } from '@ambit/core'
import type { ResponseFlag } from './failures.ts'
import { MAX_GATHERED_SERIES } from './limits.ts'
import type { Party, Traffic } from './traffic.types.ts'
import { TRAFFIC_LABELS, trafficLabels } from './traffic-labels.ts'

/** What happened to the connections of one label set since the metrics were last told. */
export interface Series {
  opened: number
  closed: number
  failed: number
  received: number
  sent: number
}

interface Gathered extends Series {
  readonly traffic: Traffic
  readonly flag: ResponseFlag
}

/**
 * The connection families of Istio's ztunnel. Counts are gathered by label set and handed on before each scrape: four
 * counters of 27 labels, told one by one, cost a short connection more than its bytes do.
 */
export class TrafficSeries {
  readonly #metrics: Readonly<Record<keyof Series, Counter>>
  readonly #sockets: Gauge
  readonly #gathered = new Map<string, Gathered>()
  readonly #open = new Map<Traffic['reporter'], number>()

  constructor(metrics: Metrics) {
    const counter = (name: string, help: string): Counter =>
      metrics.counter({ name: `istio_tcp_${name}`, help, labelNames: TRAFFIC_LABELS })
    this.#metrics = {
      opened: counter('connections_opened', 'TCP connections opened'),
      closed: counter('connections_closed', 'TCP connections closed'),
      failed: counter('connections_failed', 'TCP connections that failed'),
      received: counter('received_bytes', 'Bytes received from downstream'),
      sent: counter('sent_bytes', 'Bytes sent to downstream'),
    }
    this.#sockets = metrics.gauge({
      name: 'istio_tcp_sockets_open',
      help: 'TCP connections open',
      labelNames: ['reporter'],
    })
  }

  /** Where to count now. Not to be kept: after the next flush nobody reads it. */
  of(traffic: Traffic, flag: ResponseFlag): Series {
    const key = keyOf(traffic, flag)
    const known = this.#gathered.get(key)
    if (known !== undefined) return known
    if (this.#gathered.size >= MAX_GATHERED_SERIES) this.flush()
    const fresh = { traffic, flag, opened: 0, closed: 0, failed: 0, received: 0, sent: 0 }
    this.#gathered.set(key, fresh)
    return fresh
  }

  socketsOpen(reporter: Traffic['reporter'], change: 1 | -1): void {
    this.#open.set(reporter, (this.#open.get(reporter) ?? 0) + change)
  }

  /** Tells the metrics. */
  flush(): void {
    for (const series of this.#gathered.values()) {
      const labels = trafficLabels(series.traffic, series.flag)
      for (const family of FAMILIES) {
        if (series[family] > 0) this.#metrics[family].add(labels, series[family])
      }
    }
    this.#gathered.clear()
    for (const [reporter, count] of this.#open) this.#sockets.set({ reporter }, count)
  }
}

const FAMILIES = ['opened', 'closed', 'failed', 'received', 'sent'] as const satisfies readonly (keyof Series)[]

/** Everything that {@link trafficLabels} looks at, and nothing else. */
function keyOf(traffic: Traffic, flag: ResponseFlag): string {
  const { service, sourceIdentity, destinationIdentity } = traffic
  const from = sourceIdentity === undefined ? '' : formatSpiffeId(sourceIdentity)
  const to = destinationIdentity === undefined ? '' : formatSpiffeId(destinationIdentity)
  const target = service === undefined ? '' : `${service.hostname}\0${service.namespace}\0${service.name}`
  return `${traffic.reporter}\0${flag}\0${traffic.mutualTls}\0${from}\0${to}\0${target}\0${keyOfParty(traffic.sourceParty)}\0${keyOfParty(traffic.destinationParty)}`
}

function keyOfParty(party: Party | undefined): string {
  if (party === undefined) return ''
  return `${party.workload}\0${party.namespace}\0${party.canonicalName}\0${party.canonicalRevision}\0${party.cluster}\0${party.region}\0${party.zone}`
}
