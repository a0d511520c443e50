import test from 'ava'
import type { EndpointSlice, Service } from '../src/objects/cluster.types.ts'
import { servingPorts } from '../src/proxy/frontends.ts'
import { healthAnswer } from '../src/proxy/health-checks.ts'
import { servicesRuleset } from '../src/proxy/ruleset.ts'

function service(name: string, clusterIP: string, spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'demo' },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80 }], ...spec },
  }
}

type Conditions = { ready: boolean; serving?: boolean; terminating?: boolean }
const READY: Conditions = { ready: true }

function slice(name: string, endpoints: readonly [string, Conditions, string?][]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'demo', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map(([ip, conditions, nodeName]) => ({ addresses: [ip], conditions, nodeName })),
  }
}

const target = (ip: string, node?: string) => ({ ip, port: 8080, node })
const PAIR = slice('a', [
  ['10.244.1.2', READY, 'n1'],
  ['10.244.2.2', READY, 'n2'],
])

test('only ready endpoints are targets', (t) => {
  const [one] = servingPorts(
    [service('a', '10.96.0.5')],
    [
      slice('a', [
        ['10.244.1.2', READY],
        ['10.244.1.3', { ready: false }],
      ]),
    ],
  )
  t.deepEqual(one?.targets, [target('10.244.1.2')])
})

test('endpoints that still serve while they end stand in when none is ready', (t) => {
  const ending = { ready: false, serving: true, terminating: true }
  const [one] = servingPorts([service('a', '10.96.0.5')], [slice('a', [['10.244.1.2', ending]])])
  t.deepEqual(one?.targets, [target('10.244.1.2')])
})

test('headless services are not translated, nor those that are names only', (t) => {
  t.deepEqual(servingPorts([service('a', 'None'), service('b', '10.96.0.5', { type: 'ExternalName' })], []), [])
})

test('several targets are chosen at random, one is written plainly, none is refused', (t) => {
  const services = [service('one', '10.96.0.1'), service('two', '10.96.0.2'), service('none', '10.96.0.3')]
  const slices = [
    slice('one', [['10.244.1.1', READY]]),
    slice('two', [
      ['10.244.1.1', READY],
      ['10.244.1.2', READY],
    ]),
  ]
  const { text } = servicesRuleset(servingPorts(services, slices), { node: 'n1' })
  t.regex(text, /dnat ip to 10\.244\.1\.1:8080;/)
  t.regex(text, /dnat ip to numgen random mod 2 map \{ 0 : 10\.244\.1\.1 \. 8080, 1 : 10\.244\.1\.2 \. 8080 \};/)
  t.regex(text, /set idle4 .*10\.96\.0\.3 \. tcp \. 80/)
  t.regex(text, /set loops4 .*10\.244\.1\.1 \. 10\.244\.1\.1, 10\.244\.1\.2 \. 10\.244\.1\.2/)
})

test('a local policy keeps to endpoints of the node, and drops where there are none', (t) => {
  const spec = { internalTrafficPolicy: 'Local' }
  const rules = (node: string) =>
    servicesRuleset(servingPorts([service('a', '10.96.0.5', spec)], [PAIR]), { node }).text
  t.regex(rules('n1'), /chain near-\w+ \{ meta l4proto tcp dnat ip to 10\.244\.1\.2:8080; \}/)
  t.regex(rules('n1'), /10\.96\.0\.5 \. tcp \. 80 : goto near-/)
  t.regex(rules('n3'), /10\.96\.0\.5 \. tcp \. 80 : drop/)
})

test('clients from outside are masqueraded, unless the policy is local', (t) => {
  const spec = { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30_080 }], externalIPs: ['192.0.2.7'] }
  const rules = (policy: string, node: string) =>
    servicesRuleset(servingPorts([service('a', '10.96.0.5', { ...spec, externalTrafficPolicy: policy })], [PAIR]), {
      node,
    }).text
  const cluster = rules('Cluster', 'n3')
  t.regex(cluster, /chain ext-(\w+) \{ meta mark set meta mark \| 0x4000; goto svc-\1; \}/)
  t.regex(cluster, /map nodeports4 .*tcp \. 30080 : goto ext-/)
  t.regex(cluster, /192\.0\.2\.7 \. tcp \. 80 : goto ext-/)
  t.regex(rules('Local', 'n1'), /chain ext-\w+ \{ ip saddr 10\.244\.0\.0\/16 .*; goto near-\w+; \}/)
  t.regex(rules('Local', 'n3'), /chain ext-\w+ \{ .*; drop; \}/)
})

test('an address that only names a proxy is left alone', (t) => {
  const balanced = (ipMode: string): Service => ({
    ...service('a', '10.96.0.5', { type: 'LoadBalancer' }),
    status: { loadBalancer: { ingress: [{ ip: '198.51.100.1', ipMode }] } },
  })
  t.deepEqual(servingPorts([balanced('Proxy')], [])[0]?.externalIps, [])
  t.deepEqual(servingPorts([balanced('VIP')], [])[0]?.externalIps, ['198.51.100.1'])
})

test('clients with affinity are remembered across changes of other services', (t) => {
  const sticky = service('a', '10.96.0.5', {
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
  })
  const first = servicesRuleset(servingPorts([sticky], [PAIR]), { node: 'n1' })
  const sets = [...first.names].filter((name) => name.startsWith('set '))
  t.is(sets.length, 2)
  t.regex(first.text, /update @aff-\w+ \{ ip saddr \}/)
  const next = servicesRuleset(servingPorts([sticky, service('b', '10.96.0.6')], [PAIR]), {
    node: 'n1',
    previous: first.names,
  })
  t.notRegex(next.text, /delete (table|set)/)
  const last = servicesRuleset(servingPorts([service('b', '10.96.0.6')], []), { node: 'n1', previous: next.names })
  for (const name of sets) t.true(last.text.includes(`delete set inet ambit-services ${name.slice(4)}`))
})

test('a node is healthy for a service while it has an endpoint of it', (t) => {
  const answer = (node: string) => healthAnswer(service('a', '10.96.0.5'), [PAIR], node)
  t.is(answer('n1').status, 200)
  t.deepEqual(JSON.parse(answer('n1').body), {
    service: { namespace: 'demo', name: 'a' },
    localEndpoints: 1,
    serviceProxyHealthy: true,
  })
  t.is(answer('n3').status, 503)
})
