import test from 'ava'
import { FlowRecorder } from '../src/flows/flow-recorder.ts'
import { readFlows } from '../src/flows/read-flows.ts'
import { diffOf } from './diff-of.ts'
import { AT, requestFlow } from './flow-samples.ts'
import { policy, SHOP } from './objects.ts'

const EDGE = `
${SHOP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  gatewayClassName: istio
  listeners: [{ name: http, port: 80, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web, namespace: shop }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ name: web, port: 80 }] }]
`
const SHOPS = { before: EDGE, after: EDGE }
const NO_ADMIN = policy('shop', 'no-admin', {
  targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }],
  action: 'DENY',
  rules: [{ to: [{ operation: { paths: ['/admin*'] } }] }],
})

test('what the policies of a gateway refuse, whoever comes', (t) => {
  const { regions } = diffOf([], [NO_ADMIN], SHOPS)
  t.is(regions.length, 1, JSON.stringify(regions))
  t.like(regions[0], {
    change: 'denied',
    destinations: ['service shop/edge-istio:80'],
    conditions: [{ field: 'path', is: ['/admin*'], isNot: [] }],
    after: { point: 'gateway', policy: 'shop/no-admin', rule: 0 },
  })
})

test('requests that a gateway told are judged at it, and what it lets on where it goes', (t) => {
  const recorder = new FlowRecorder({
    startedAt: AT,
    namespaces: [],
    reads: { headers: [], claims: [], paths: [] },
    waypointPods: [],
  })
  const gateway = { kind: 'gateway' as const, pod: 'shop/edge-istio-1', gateway: 'shop/edge' }
  const outside = { address: '203.0.113.5:5000' }
  const edge = {
    address: '10.1.0.8:5000',
    identity: 'spiffe://cluster.local/ns/shop/sa/edge-istio',
    namespace: 'shop',
    workload: 'edge-istio',
    pod: 'edge-istio-1',
  }
  for (const path of ['/admin/users', '/shop'])
    recorder.add(
      requestFlow({ path, host: 'shop.example' }, { reporter: gateway, client: outside, waypoint: undefined }),
    )
  recorder.add(requestFlow({ path: '/shop', host: 'shop.example' }, { client: edge }))
  const text = recorder.lines({ at: AT, complete: true, reason: 'stopped' }).map((line) => JSON.stringify(line))
  const read = readFlows(text.join('\n'))
  if (!read.ok) return t.fail(read.reason)
  const { flows } = diffOf([], [NO_ADMIN], { ...SHOPS, flows: read.flows })
  t.deepEqual(flows?.unjudged, [])
  t.deepEqual(
    flows?.changed.map(({ client, destination, request, count }) => [client, destination, request, count]),
    [['outside', 'service shop/edge-istio:80', 'GET /admin/users', 1]],
  )
  t.is(flows?.unchanged, 2)
})
