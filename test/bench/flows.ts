// What it costs a proxy that somebody could follow its flows: CPU time of what is told about one connection, or one request, from its
// beginning to its end, without the bytes. Best of several rounds: other work on the machine only ever makes them longer.
import { ip, systemClock } from '../../packages/core/src/index.ts'
import { type FlowJournal, readFlowQuery } from '../../packages/flow/src/index.ts'
import { createLogger, PrometheusMetrics } from '../../packages/telemetry/src/index.ts'
import type { TunnelFacts } from '../../packages/waypoint/src/request.types.ts'
import { AccessLog } from '../../packages/waypoint/src/telemetry/access-log.ts'
import { RequestRecord } from '../../packages/waypoint/src/telemetry/request-record.ts'
import { TrafficEvents } from '../../packages/waypoint/src/telemetry/traffic-events.ts'
import { Bytes } from '../../packages/ztunnel/src/data-path/bytes.ts'
import { ConnectionEvents } from '../../packages/ztunnel/src/events.ts'
import { deniedAtStart } from '../../packages/ztunnel/src/failures.ts'
import type { Traffic } from '../../packages/ztunnel/src/traffic.types.ts'

const ROUNDS = 15
const TIMES = 50_000
const NS_PER_MICROSECOND = 1000

const identity = (serviceAccount: string): NonNullable<Traffic['sourceIdentity']> => ({
  trustDomain: 'cluster.local',
  namespace: 'default',
  serviceAccount,
})
const TRAFFIC: Traffic = {
  reporter: 'source',
  source: { ip: ip('10.0.0.1'), port: 40_112 },
  destination: { ip: ip('10.0.0.2'), port: 15_008 },
  hboneTarget: '10.0.0.2:8080',
  mutualTls: true,
  sourceParty: { workload: 'web', namespace: 'default', name: 'web-1' },
  sourceIdentity: identity('web'),
  destinationParty: { workload: 'db', namespace: 'default', name: 'db-1' },
  destinationIdentity: identity('db'),
  service: { hostname: 'db.default.svc.cluster.local', namespace: 'default', name: 'db' },
  servicePort: 80,
}
const DENIAL = deniedAtStart({ allowed: false, reason: 'x', policy: 'default/p', rule: 0, dryRun: [], missing: [] })

/** Nanoseconds of CPU time each. */
function measure(work: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const started = process.cpuUsage()
    for (let i = 0; i < TIMES; i++) work()
    const { user, system } = process.cpuUsage(started)
    best = Math.min(best, ((user + system) * NS_PER_MICROSECOND) / TIMES)
  }
  return Math.round(best)
}

function newEvents(): ConnectionEvents {
  const logger = createLogger({ write: () => undefined, level: 'off' })
  return new ConnectionEvents(
    { logger, metrics: new PrometheusMetrics(), clock: systemClock },
    { reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-1', node: 'node-1' } },
  )
}

/** Somebody follows and reads nothing: lines are made, the oldest thrown away. */
async function follow(journal: FlowJournal): Promise<AsyncDisposable> {
  const asked = readFlowQuery(new URLSearchParams('watch=true'), Date.now())
  if (!asked.ok) throw new Error(asked.reason)
  const stop = new AbortController()
  const lines = journal.lines(asked.query, stop.signal)
  const first = lines.next()
  await new Promise((resolve) => setImmediate(resolve))
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await first
      await lines.return()
    },
  }
}

function connection(events: ConnectionEvents, failure?: typeof DENIAL): void {
  const open = events.opened(TRAFFIC, new Bytes())
  open.peerIs(identity('db'))
  open.close(failure)
}

const TUNNEL: TunnelFacts = {
  kind: 'tunnel',
  peer: identity('web'),
  transport: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', keyExchange: 'X25519MLKEM768' },
  remote: { ip: ip('10.0.0.1'), port: 40_112 },
  local: { ip: ip('10.0.0.9'), port: 15_008 },
  authority: '10.96.0.1:80',
  asked: { kind: 'address', ip: ip('10.96.0.1'), port: 80 },
  destinationIp: ip('10.96.0.1'),
  destinationPort: 80,
  targetAddress: { ip: ip('10.96.0.1'), port: 80 },
}

function newTrafficEvents(): TrafficEvents {
  const logger = createLogger({ write: () => undefined, level: 'off' })
  return new TrafficEvents(
    {
      metrics: new PrometheusMetrics(),
      logger,
      accessLog: new AccessLog({ write: () => undefined, settings: () => undefined }),
      sourceOf: () => ({ reporter: 'waypoint', peer: TUNNEL.peer, source: undefined }),
      fieldsRead: () => ({ headers: [], claims: [] }),
      clock: systemClock,
    },
    { reporter: { kind: 'waypoint', pod: 'shop/waypoint-1', gateway: 'shop/waypoint' } },
  )
}

function request(events: TrafficEvents): void {
  const record = new RequestRecord({ wallMs: systemClock.now(), monotonicMs: systemClock.monotonic() })
  record.method = 'GET'
  record.path = '/a/b?c'
  record.authority = 'web'
  record.requestId = 'a'
  record.isOwnRequestId = true
  events.requestStarted(TUNNEL, record)
  record.status = 200
  events.requestDone(TUNNEL, record)
}

const events = newEvents()
const traffic = newTrafficEvents()
const rows: [string, number][] = [
  ['ztunnel: a connection, nobody follows', measure(() => connection(events))],
  ['ztunnel: a denied one, nobody follows', measure(() => connection(events, DENIAL))],
  ['waypoint: a request, nobody follows', measure(() => request(traffic))],
]
{
  await using _ = await follow(events.flows)
  rows.push(['ztunnel: a connection, one follows', measure(() => connection(events))])
}
{
  await using _ = await follow(traffic.flows)
  rows.push(['waypoint: a request, one follows', measure(() => request(traffic))])
}
for (const [what, ns] of rows) console.log(`${what.padEnd(40)} ${String(ns).padStart(6)} ns`)
