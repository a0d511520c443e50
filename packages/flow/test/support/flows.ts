import fc from 'fast-check'
import type { Flow, FlowEnd } from '../../src/index.ts'

const AT = '2026-11-21T18:00:00.000Z'

/** An open connection from web to db, but for what is said. */
export function flow(more: Partial<Flow> = {}): Flow {
  return {
    id: 'a-1',
    state: 'open',
    startedAt: AT,
    at: AT,
    reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-1', node: undefined, gateway: undefined },
    side: 'source',
    protocol: 'tcp',
    client: { address: '10.0.0.1:4711', identity: undefined, namespace: 'shop', workload: 'web', pod: 'web-1' },
    server: { address: '10.0.0.2:80', identity: undefined, namespace: 'shop', workload: 'db', pod: 'db-1' },
    service: undefined,
    waypoint: undefined,
    transport: { kind: 'hbone', version: undefined, cipher: undefined, keyExchange: undefined },
    bytesFromClient: 0,
    bytesToClient: 0,
    request: undefined,
    verdict: undefined,
    failure: undefined,
    ...more,
  }
}

const text = fc.string({ maxLength: 12 })
const maybe = fc.option(text, { nil: undefined })
const count = fc.nat()
const time = fc
  .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString())
const end: fc.Arbitrary<FlowEnd> = fc.record({
  address: text,
  identity: maybe,
  namespace: maybe,
  workload: maybe,
  pod: maybe,
})
// What JSON knows: no -0.
const json = fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)))

export const arbitraryFlow: fc.Arbitrary<Flow> = fc.record({
  id: text,
  state: fc.constantFrom('open', 'closed', 'denied', 'failed'),
  startedAt: time,
  at: time,
  reporter: fc.record({
    kind: fc.constantFrom('ztunnel', 'waypoint', 'gateway'),
    pod: text,
    node: maybe,
    gateway: maybe,
  }),
  side: fc.constantFrom('source', 'destination', 'waypoint'),
  protocol: fc.constantFrom('tcp', 'http'),
  client: end,
  server: end,
  service: fc.option(fc.record({ namespace: text, hostname: text, port: fc.nat(65_535) }), { nil: undefined }),
  waypoint: maybe,
  transport: fc.record({
    kind: fc.constantFrom('hbone', 'tls', 'plain'),
    version: maybe,
    cipher: maybe,
    keyExchange: maybe,
  }),
  bytesFromClient: count,
  bytesToClient: count,
  request: fc.option(
    fc.record({
      method: text,
      path: text,
      host: text,
      headers: fc.option(fc.dictionary(text, text, { noNullPrototype: true }), { nil: undefined }),
      claims: fc.option(fc.dictionary(text, json, { noNullPrototype: true }), { nil: undefined }),
      status: fc.nat(999),
    }),
    { nil: undefined },
  ),
  verdict: fc.option(
    fc.record({
      allowed: fc.boolean(),
      reason: text,
      policy: maybe,
      rule: fc.option(count, { nil: undefined }),
      unmatched: fc.option(fc.array(text), { nil: undefined }),
    }),
    { nil: undefined },
  ),
  failure: fc.option(fc.record({ code: text, message: text }), { nil: undefined }),
})
