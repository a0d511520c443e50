import { systemClock } from '@ambit/core'
import test from 'ava'
import { ApiCore } from '../../src/apiserver/api-core.ts'
import type { Gvr, KubeObject } from '../../src/apiserver/contract.types.ts'
import { at, type JsonObject } from '../../src/apiserver/json.ts'
import { silent } from './harness.ts'

const SERVICES: Gvr = { group: '', version: 'v1', resource: 'services' }
const DUAL = { ipv4: '10.96.0.0/16', ipv6: 'fd00:10:96::/112' }

function setUp(serviceRanges: { ipv4: string; ipv6?: string } = DUAL) {
  const core = new ApiCore({ clock: systemClock, logger: silent, caPem: 'root', serviceRanges })
  const client = core.client('test')
  const create = (name: string, spec: JsonObject): Promise<KubeObject> =>
    client.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { ports: [{ port: 80 }], ...spec },
    })
  const patch = (name: string, spec: JsonObject) => client.patch(SERVICES, 'default', name, { spec })
  return { core, client, create, patch }
}

const nodePorts = (service: KubeObject): unknown[] =>
  (at(service, 'spec', 'ports') as JsonObject[]).map((port) => port['nodePort'])

test('families: one, both, both where there is only one, and none to be had', async (t) => {
  const two = setUp()
  using _two = two.core
  const spec = async (create: typeof two.create, name: string, wanted: JsonObject) =>
    (await create(name, wanted))['spec'] as JsonObject
  const families = ['IPv4', 'IPv6']
  t.like(await spec(two.create, 'a', {}), { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] } as never)
  const both = await spec(two.create, 'b', { ipFamilyPolicy: 'PreferDualStack' })
  t.deepEqual(both['ipFamilies'], families)
  t.regex(String(both['clusterIPs']), /^10\.96\.[\d.]+,fd00:10:96::[0-9a-f]+$/)
  t.like(await spec(two.create, 'c', { ipFamilies: ['IPv6'] }), { ipFamilyPolicy: 'SingleStack' } as never)
  t.deepEqual((await spec(two.create, 'd', { ipFamilies: ['IPv6', 'IPv4'] }))['ipFamilies'], ['IPv6', 'IPv4'])
  t.like(await spec(two.create, 'e', { clusterIP: 'None' }), { ipFamilyPolicy: 'RequireDualStack' } as never)
  t.like(await spec(two.create, 'f', { clusterIP: 'None', selector: { a: 'b' } }), {
    ipFamilyPolicy: 'SingleStack',
  } as never)
  await t.throwsAsync(two.create('g', { ipFamilyPolicy: 'SingleStack', ipFamilies: families }), {
    message: /must be RequireDualStack or PreferDualStack when multiple ipFamilies/,
  })

  const one = setUp({ ipv4: '10.96.0.0/16' })
  using _one = one.core
  t.like(await spec(one.create, 'a', { ipFamilyPolicy: 'PreferDualStack' }), {
    ipFamilyPolicy: 'PreferDualStack',
    ipFamilies: ['IPv4'],
  } as never)
  await t.throwsAsync(one.create('b', { ipFamilyPolicy: 'RequireDualStack' }), {
    message: /not configured for dual-stack/,
  })
  await t.throwsAsync(one.create('c', { ipFamilies: ['IPv6'] }), { message: /not configured on this cluster/ })
})

test('the second family comes and goes with the policy, the first stays', async (t) => {
  const { core, create, patch } = setUp()
  using _core = core
  const before = (await create('a', {}))['spec'] as JsonObject
  const both = (await patch('a', { ipFamilyPolicy: 'RequireDualStack' }))['spec'] as JsonObject
  t.is((both['clusterIPs'] as string[])[0], before['clusterIP'] as string)
  t.is((both['clusterIPs'] as string[]).length, 2)
  const again = (await patch('a', { ipFamilyPolicy: 'SingleStack' }))['spec'] as JsonObject
  t.deepEqual([again['clusterIPs'], again['ipFamilies']], [[before['clusterIP']], ['IPv4']] as never)
  await t.throwsAsync(patch('a', { ipFamilies: ['IPv6'] }), { message: /may not change once set/ })
})

test('node ports: allocated, kept, given back, taken once', async (t) => {
  const { core, client, create, patch } = setUp()
  using _core = core
  const first = await create('a', { type: 'NodePort' })
  const [port] = nodePorts(first)
  t.true(Number(port) >= 30_000 && Number(port) <= 32_767)
  t.deepEqual(nodePorts(await patch('a', { selector: { x: 'y' } })), [port])
  const bare = structuredClone(first)
  delete (bare['spec'] as { ports: JsonObject[] }).ports[0]!['nodePort']
  delete (bare.metadata as { resourceVersion?: string }).resourceVersion
  t.deepEqual(nodePorts(await client.update(SERVICES, bare)), [port])
  await t.throwsAsync(create('b', { type: 'NodePort', ports: [{ port: 1, nodePort: port }] }), {
    message: /provided port is already allocated/,
  })
  await t.throwsAsync(create('b', { type: 'NodePort', ports: [{ port: 1, nodePort: 80 }] }), {
    message: /not in the valid range.*30000-32767/,
  })
  const dns = [
    { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30_053 },
    { name: 'dns-tcp', port: 53, protocol: 'TCP', nodePort: 30_053 },
  ]
  t.deepEqual(nodePorts(await create('dns', { type: 'NodePort', ports: dns })), [30_053, 30_053])
  const inner = await patch('a', { type: 'ClusterIP' })
  t.deepEqual(nodePorts(inner), [undefined])
  t.is(at(inner, 'spec', 'externalTrafficPolicy'), undefined)
  await t.throwsAsync(patch('a', { ports: [{ port: 80, nodePort: 30_001 }] }), {
    message: /may not be used when `type` is 'ClusterIP'/,
  })
})

test('load balancers: node ports only if wanted, a health check port for the local policy', async (t) => {
  const { core, create, patch } = setUp()
  using _core = core
  t.deepEqual(nodePorts(await create('a', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false })), [undefined])
  const local = await create('b', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' })
  const health = at(local, 'spec', 'healthCheckNodePort')
  t.true(Number(health) >= 30_000)
  t.is(at(await patch('b', { selector: { x: 'y' } }), 'spec', 'healthCheckNodePort'), health)
  t.is(at(await patch('b', { externalTrafficPolicy: 'Cluster' }), 'spec', 'healthCheckNodePort'), undefined)
  const plain = await patch('b', { type: 'ClusterIP' })
  t.is(at(plain, 'spec', 'allocateLoadBalancerNodePorts'), undefined)
  await t.throwsAsync(create('c', { loadBalancerClass: 'example.com/x' }), {
    message: /loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'/,
  })
})

test('ExternalName has no addresses, and gets some when it becomes another type', async (t) => {
  const { core, create, patch } = setUp()
  using _core = core
  const named = await create('a', { type: 'ExternalName', externalName: 'example.com' })
  t.is(at(named, 'spec', 'clusterIP'), undefined)
  t.regex(String(at(await patch('a', { type: 'ClusterIP', externalName: null }), 'spec', 'clusterIP')), /^10\.96\./)
  const back = await patch('a', { type: 'ExternalName', externalName: 'example.com' })
  t.deepEqual([at(back, 'spec', 'clusterIP'), at(back, 'spec', 'ipFamilies')], [undefined, undefined])
})

test('session affinity has its time, and only the protocols that are carried are taken', async (t) => {
  const { core, create } = setUp()
  using _core = core
  const sticky = await create('a', { sessionAffinity: 'ClientIP' })
  t.is(at(sticky, 'spec', 'sessionAffinityConfig', 'clientIP', 'timeoutSeconds'), 10_800)
  const refused: readonly [JsonObject, RegExp][] = [
    [{ ports: [{ port: 1, protocol: 'SCTP' }] }, /spec.ports\[0\].protocol.*carries TCP and UDP only/],
    [{ sessionAffinity: 'Cookie' }, /spec.sessionAffinity: Unsupported value/],
    [{ externalIPs: ['127.0.0.1'] }, /spec.externalIPs\[0\].*loopback/],
    [{ externalTrafficPolicy: 'Local' }, /may only be set for externally-accessible services/],
    [{ internalTrafficPolicy: 'Nearby' }, /spec.internalTrafficPolicy: Unsupported value/],
    [{ type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/33'] }, /must be a valid CIDR value/],
    [{ type: 'NodePort', clusterIP: 'None' }, /may not be set to 'None' for NodePort services/],
    [{ clusterIP: '10.97.0.1' }, /not in the valid range/],
  ]
  for (const [spec, message] of refused) await t.throwsAsync(create('x', spec), { message })
})
