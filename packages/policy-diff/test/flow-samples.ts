import type { Flow, FlowRequest } from '@ambit/flow'

export const AT = '2026-11-21T18:00:00.000Z'
export const WEB = 'spiffe://cluster.local/ns/shop/sa/web'
export const CLIENT = 'spiffe://cluster.local/ns/shop/sa/client'

let ids = 0

/** A request as the waypoint of the shop tells it. */
export function requestFlow(request: Partial<FlowRequest> = {}, more: Partial<Flow> = {}): Flow {
  return {
    id: `w-${++ids}`,
    state: 'closed',
    startedAt: AT,
    at: AT,
    reporter: { kind: 'waypoint', pod: 'shop/waypoint-1', gateway: 'shop/waypoint' },
    side: 'waypoint',
    protocol: 'http',
    client: { address: '10.1.0.5:4000', identity: CLIENT, namespace: 'shop', workload: 'client', pod: 'client-1' },
    server: { address: '10.1.0.6:8080', namespace: 'shop', workload: 'web-v1', pod: 'web-1' },
    service: { namespace: 'shop', hostname: 'web.shop.svc.cluster.local', port: 80 },
    waypoint: 'shop/waypoint',
    transport: { kind: 'hbone' },
    bytesFromClient: 0,
    bytesToClient: 0,
    request: { method: 'GET', path: '/api/1', host: 'web.shop', status: 200, ...request },
    verdict: { allowed: true, reason: 'no-allow-policies' },
    ...more,
  }
}

/** A connection as the ztunnel of the back room tells it. */
export function connectionFlow(more: Partial<Flow> = {}): Flow {
  const { request: _, waypoint: __, ...flow } = requestFlow()
  return {
    ...flow,
    id: `z-${++ids}`,
    reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-1' },
    side: 'destination',
    protocol: 'tcp',
    server: { address: '10.1.0.7:8080', namespace: 'back', workload: 'db-v1', pod: 'db-1' },
    service: { namespace: 'back', hostname: 'db.back.svc.cluster.local', port: 80 },
    ...more,
  }
}
