import type { Flow } from '@ambit/flow'
import fc from 'fast-check'

const AT = '2026-11-21T18:00:00.000Z'
export const AT_MS: number = Date.parse(AT)
const HBONE: Flow['transport'] = {
  kind: 'hbone',
  version: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  keyExchange: 'X25519MLKEM768',
}
const SERVICE: Flow['service'] = { namespace: 'shop', hostname: 'db.shop.svc.cluster.local', port: 5432 }

function end(name: string, address: string, namespace = 'shop'): Flow['client'] {
  const identity = `spiffe://cluster.local/ns/${namespace}/sa/${name}`
  return { address, identity, namespace, workload: name, pod: `${name}-1` }
}

/** As the client's proxy tells it. */
export function flow(more: Partial<Flow> = {}): Flow {
  return {
    id: 's-1',
    state: 'open',
    startedAt: AT,
    at: AT,
    reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-1' },
    side: 'source',
    protocol: 'tcp',
    client: end('web', '10.0.0.1:4711'),
    server: end('db', '10.0.0.2:5432'),
    service: SERVICE,
    transport: HBONE,
    bytesFromClient: 0,
    bytesToClient: 0,
    ...more,
  }
}

/** One connection as both its proxies tell it. */
export function connection(more: Partial<Flow> = {}, id = '1'): readonly [Flow, Flow] {
  return [
    flow({ id: `s-${id}`, ...more }),
    flow({
      id: `d-${id}`,
      side: 'destination',
      reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-2' },
      ...more,
    }),
  ]
}

/** One that policy refused at the server, at once or later. */
export function denial(code: 'policy-denied' | 'policy-changed'): readonly [Flow, Flow] {
  const [source, destination] = connection()
  const seen =
    code === 'policy-denied'
      ? { code: 'http-status', message: 'http status: 401 Unauthorized' }
      : { code: 'copy', message: 'io error: reset' }
  const failure = { code, message: 'denied' }
  return [
    { ...source, state: 'failed', failure: seen },
    { ...destination, state: 'denied', failure, verdict: { allowed: false, reason: 'x', policy: 'shop/p' } },
  ]
}

/** One request through a waypoint: as told by the client's proxy, the waypoint, and the endpoint's proxy. */
export function request(id: string, more: Partial<Flow> = {}): readonly [Flow, Flow, Flow] {
  const waypoint = 'shop/waypoint'
  return [
    flow({ id: `${id}-s`, waypoint, server: { address: '10.96.0.1:5432' } }),
    flow({
      id,
      state: 'closed',
      side: 'waypoint',
      protocol: 'http',
      waypoint,
      reporter: { kind: 'waypoint', pod: 'shop/waypoint-1', gateway: waypoint },
      request: { method: 'GET', path: '/', host: 'db', status: 200 },
      ...more,
    }),
    flow({
      id: `${id}-d`,
      side: 'destination',
      client: end('waypoint', '10.0.0.9:1'),
      reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-2' },
    }),
  ]
}

/** One request through a gateway: as told by it and the endpoint's proxy. */
export function gatewayRequest(id: string, more: Partial<Flow> = {}): readonly Flow[] {
  const told = flow({
    id,
    state: 'closed',
    side: 'waypoint',
    protocol: 'http',
    client: { address: '203.0.113.7:5000' },
    reporter: { kind: 'gateway', pod: 'edge/gateway-1', gateway: 'edge/gateway' },
    transport: { kind: 'plain' },
    request: { method: 'GET', path: '/', host: 'db', status: 200 },
    ...more,
  })
  if (told.state === 'denied') return [told]
  const onward = flow({
    id: `${id}-d`,
    side: 'destination',
    client: end('gateway', '10.0.0.8:1', 'edge'),
    reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-2' },
  })
  return [told, onward]
}

const name = fc.constantFrom('web', 'db', 'cart', 'waypoint')
const anyEnd = fc.oneof(
  name.map((each) => end(each, '10.0.0.1:80')),
  fc.constantFrom<Flow['client']>({ address: '10.9.9.9:1' }, { address: '10.9.9.8:1' }, { address: 'a.example:443' }),
)
const anyFlow = fc
  .record({
    state: fc.constantFrom<Flow['state']>('open', 'closed', 'denied', 'failed'),
    secondsLater: fc.integer({ min: 1, max: 59 }),
    side: fc.constantFrom<Flow['side']>('source', 'destination', 'waypoint'),
    protocol: fc.constantFrom<Flow['protocol']>('tcp', 'http'),
    client: anyEnd,
    server: anyEnd,
    service: fc.option(fc.constant(SERVICE), { nil: undefined }),
    waypoint: fc.option(fc.constant('shop/waypoint'), { nil: undefined }),
    transport: fc.constantFrom<Flow['transport']>(HBONE, { kind: 'plain' }, { kind: 'tls', version: 'TLSv1.2' }),
    bytesFromClient: fc.nat(1000),
    bytesToClient: fc.nat(1000),
    failure: fc.option(fc.constant({ code: 'http-status', message: 'http status: 401 Unauthorized' }), {
      nil: undefined,
    }),
    reporter: fc.constantFrom<Flow['reporter']>(
      { kind: 'ztunnel', pod: 'istio-system/ztunnel-1' },
      { kind: 'waypoint', pod: 'shop/waypoint-1', gateway: 'shop/waypoint' },
      { kind: 'gateway', pod: 'edge/gateway-1', gateway: 'edge/gateway' },
    ),
  })
  .map(({ secondsLater, ...more }) => flow({ ...more, at: new Date(AT_MS + secondsLater * 1000).toISOString() }))

/** Each with an id of its own. */
export const arbitraryFlows: fc.Arbitrary<readonly Flow[]> = fc
  .array(anyFlow, { maxLength: 30 })
  .map((flows) => flows.map((each, i) => ({ ...each, id: `f-${i}` })))
