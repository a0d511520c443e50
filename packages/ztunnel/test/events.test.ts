import { ip, systemClock } from '@ambit/core'
import { createLogger, PrometheusMetrics } from '@ambit/telemetry'
import test from 'ava'
import fc from 'fast-check'
import { Bytes } from '../src/data-path/bytes.ts'
import { ConnectionEvents, type OpenConnection } from '../src/events.ts'
import { ConnectionFailure } from '../src/failures.ts'
import { MAX_GATHERED_SERIES } from '../src/limits.ts'
import type { Traffic } from '../src/traffic.types.ts'

const identity = (serviceAccount: string) => ({ trustDomain: 'cluster.local', namespace: 'default', serviceAccount })

function traffic(workload: string): Traffic {
  return {
    reporter: 'source',
    source: { ip: ip('10.0.0.1'), port: 1 },
    destination: { ip: ip('10.0.0.2'), port: 2 },
    mutualTls: true,
    sourceParty: { workload, namespace: 'default' },
    sourceIdentity: identity(workload),
    destinationParty: undefined,
    destinationIdentity: identity('server'),
    service: undefined,
  }
}

function start() {
  const metrics = new PrometheusMetrics()
  const logger = createLogger({ write: () => undefined, level: 'off' })
  const events = new ConnectionEvents(
    { logger, metrics, clock: systemClock },
    { reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-1' } },
  )
  const scrape = async (): Promise<(family: string, labels?: RegExp) => number> => {
    events.flush()
    const text = await metrics.expose()
    return (family, labels = /./) =>
      text
        .split('\n')
        .filter((line) => line.startsWith(`${family}{`) && labels.test(line))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }
  return { events, scrape }
}

type Step = {
  readonly kind: 'open' | 'close' | 'fail' | 'bytes' | 'scrape'
  readonly pick: number
  readonly workload: string
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('open', 'close', 'fail', 'bytes', 'scrape'),
  pick: fc.nat(1000),
  workload: fc.constantFrom('a', 'b'),
})

test('whatever happens between scrapes, each shows exactly what happened so far', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { events, scrape } = start()
      const open: { connection: OpenConnection; bytes: Bytes }[] = []
      const want = { opened: 0, closed: 0, failed: 0, received: 0, sent: 0 }
      for (const { kind, pick, workload } of [...steps, { kind: 'scrape', pick: 0, workload: 'a' } as const]) {
        const at = pick % Math.max(1, open.length)
        if (kind === 'open') {
          const bytes = new Bytes()
          open.push({ connection: events.opened(traffic(workload), bytes), bytes })
          want.opened++
        } else if (kind === 'scrape') {
          const value = await scrape()
          t.is(value('istio_tcp_connections_opened_total'), want.opened)
          t.is(value('istio_tcp_connections_closed_total'), want.closed)
          t.is(value('istio_tcp_connections_failed_total', /response_flags="DENY"/), want.failed)
          t.is(value('istio_tcp_received_bytes_total'), want.received)
          t.is(value('istio_tcp_sent_bytes_total'), want.sent)
          t.is(value('istio_tcp_sockets_open'), open.length)
        } else if (kind === 'bytes') {
          const one = open[at]
          if (one === undefined) continue
          one.bytes.aToB += pick
          one.bytes.bToA += 2 * pick
          want.received += pick
          want.sent += 2 * pick
        } else {
          const [one] = open.splice(at, 1)
          one?.connection.close(kind === 'fail' ? new ConnectionFailure('policy-denied', 'no') : undefined)
          if (one === undefined) continue
          want.closed++
          if (kind === 'fail') want.failed++
        }
      }
    }),
    { numRuns: 60 },
  )
  t.pass()
})

test('another identity of the peer than the expected one is what the end of the connection is counted under', async (t) => {
  const { events, scrape } = start()
  const connection = events.opened(traffic('a'), new Bytes())
  connection.peerIs(identity('other'))
  connection.close()
  const value = await scrape()
  t.is(value('istio_tcp_connections_opened_total', /destination_principal="[^"]*\/server"/), 1)
  t.is(value('istio_tcp_connections_closed_total', /destination_principal="[^"]*\/other"/), 1)
})

test('more label sets than are gathered lose nothing', async (t) => {
  const { events, scrape } = start()
  const count = MAX_GATHERED_SERIES + 10
  for (let i = 0; i < count; i++) events.opened(traffic(`w${i}`), new Bytes()).close()
  const value = await scrape()
  t.is(value('istio_tcp_connections_opened_total'), count)
  t.is(value('istio_tcp_connections_closed_total'), count)
  t.is(value('istio_tcp_sockets_open'), 0)
})
