import test from 'ava'
import type { EndpointSlice, Service } from '../src/objects/cluster.types.ts'
import { frontendsOf, servicesRuleset } from '../src/proxy/ruleset.ts'

function service(name: string, clusterIP: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'demo' },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80 }] },
  }
}

function slice(
  name: string,
  endpoints: readonly [string, { ready: boolean; serving?: boolean; terminating?: boolean }][],
): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'demo', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map(([ip, conditions]) => ({ addresses: [ip], conditions })),
  }
}

test('only ready endpoints are targets', (t) => {
  const [frontend] = frontendsOf(
    [service('a', '10.96.0.5')],
    [
      slice('a', [
        ['10.244.1.2', { ready: true }],
        ['10.244.1.3', { ready: false }],
      ]),
    ],
  )
  t.deepEqual(frontend?.targets, [{ ip: '10.244.1.2', port: 8080 }])
})

test('endpoints that still serve while they end stand in when none is ready', (t) => {
  const ending = { ready: false, serving: true, terminating: true }
  const [frontend] = frontendsOf([service('a', '10.96.0.5')], [slice('a', [['10.244.1.2', ending]])])
  t.deepEqual(frontend?.targets, [{ ip: '10.244.1.2', port: 8080 }])
})

test('headless services are not translated', (t) => {
  t.deepEqual(frontendsOf([service('a', 'None')], []), [])
})

test('several targets are chosen at random, one is written plainly, none is refused', (t) => {
  const services = [service('one', '10.96.0.1'), service('two', '10.96.0.2'), service('none', '10.96.0.3')]
  const ready = { ready: true }
  const slices = [
    slice('one', [['10.244.1.1', ready]]),
    slice('two', [
      ['10.244.1.1', ready],
      ['10.244.1.2', ready],
    ]),
  ]
  const text = servicesRuleset(frontendsOf(services, slices))
  t.regex(text, /dnat ip to 10\.244\.1\.1:8080;/)
  t.regex(text, /dnat ip to numgen random mod 2 map \{ 0 : 10\.244\.1\.1 \. 8080, 1 : 10\.244\.1\.2 \. 8080 \};/)
  t.regex(text, /set idle4 .*10\.96\.0\.3 \. tcp \. 80/)
  t.regex(text, /set loops4 .*10\.244\.1\.1 \. 10\.244\.1\.1, 10\.244\.1\.2 \. 10\.244\.1\.2/)
})
