import test from 'ava'
import fc from 'fast-check'
import { slicesOf } from '../../src/controllers/endpoint-slices-of.ts'
import type { EndpointSlice, Service } from '../../src/objects/cluster.types.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { Pod } from '../../src/objects/pod.types.ts'
import type { Endpoints } from '../../src/objects/workloads.types.ts'
import { startWorld, template, type World } from './harness.ts'

const service = (name: string, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
})
const deployment = (replicas: number): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template('web') },
})
const slices = (world: World, name: string): EndpointSlice[] =>
  world
    .list<EndpointSlice>(GVR.endpointSlices)
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name)
const ready = (world: World, name: string): number =>
  slices(world, name).flatMap(({ endpoints }) => (endpoints ?? []).filter(({ conditions }) => conditions?.ready)).length
const endpoints = (world: World, name: string): Endpoints | undefined => world.get<Endpoints>(GVR.endpoints, name)

test('a service has its pods as slices and as Endpoints, each with the node and its zone; without it they go', async (t) => {
  await using world = await startWorld()
  await world.apply(service('web'))
  await world.apply(deployment(2))
  await world.until('both ready', () => ready(world, 'web') === 2)
  const [slice] = slices(world, 'web')
  t.deepEqual(slice?.endpoints?.map(({ zone }) => zone).sort(), ['zone-1', 'zone-2'])
  await world.until('told to old clients', () => endpoints(world, 'web')?.subsets?.[0]?.addresses?.length === 2)
  t.deepEqual(endpoints(world, 'web')?.subsets?.[0]?.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }])
  world.fate = () => 'runs'
  world.settle()
  await world.until('unready', () => endpoints(world, 'web')?.subsets?.[0]?.notReadyAddresses?.length === 2)
  t.is(ready(world, 'web'), 0)
  await world.client.delete(GVR.services, 'default', 'web')
  await world.until('gone', () => slices(world, 'web').length === 0 && endpoints(world, 'web') === undefined)
})

test('who publishes unready pods has them ready', async (t) => {
  await using world = await startWorld()
  world.fate = () => 'runs'
  await world.apply(service('early', { publishNotReadyAddresses: true, clusterIP: 'None' }))
  await world.apply(deployment(1))
  await world.until('published', () => ready(world, 'early') === 1)
  await world.until('to old clients too', () => endpoints(world, 'early')?.subsets?.[0]?.addresses?.length === 1)
  t.is(slices(world, 'early')[0]?.metadata.labels?.['service.kubernetes.io/headless'], '')
})

test('what somebody writes for a service without a selector is left alone, and Endpoints are copied to slices', async (t) => {
  await using world = await startWorld()
  await world.apply(service('outside', { selector: undefined }))
  const own = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'mine', labels: { 'kubernetes.io/service-name': 'outside' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.1'] }],
    ports: [{ name: 'http', port: 80 }],
  }
  await world.apply(own)
  await world.apply({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'outside' },
    subsets: [
      {
        addresses: [{ ip: '192.0.2.2' }],
        notReadyAddresses: [{ ip: '192.0.2.3' }],
        ports: [{ name: 'http', port: 80 }],
      },
    ],
  })
  const copy = await world.until('copied', () =>
    slices(world, 'outside').find(({ metadata }) => metadata.name !== 'mine'),
  )
  t.deepEqual(
    copy.endpoints?.map(({ addresses, conditions }) => [addresses[0], conditions?.ready]),
    [
      ['192.0.2.2', true],
      ['192.0.2.3', false],
    ],
  )
  await world.patch(GVR.services, 'outside', { metadata: { labels: { touched: 'yes' } } })
  await world.client.delete(GVR.endpoints, 'default', 'outside')
  await world.until('copy gone', () => slices(world, 'outside').length === 1)
  t.deepEqual(slices(world, 'outside')[0]?.endpoints, [{ addresses: ['192.0.2.1'] }])
})

test('a slice that is taken away or changed is put right', async (t) => {
  await using world = await startWorld()
  await world.apply(service('web'))
  await world.apply(deployment(1))
  await world.until('ready', () => ready(world, 'web') === 1)
  const { name = '' } = slices(world, 'web')[0]?.metadata ?? {}
  await world.client.delete(GVR.endpointSlices, 'default', name)
  await world.until('back', () => ready(world, 'web') === 1)
  await world.patch(GVR.endpointSlices, slices(world, 'web')[0]?.metadata.name ?? '', { endpoints: [] })
  await world.until('right', () => ready(world, 'web') === 1)
  t.pass()
})

test('however pods come and go, slices hold each once, and a change of one touches few of them', (t) => {
  const of: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'd' },
    spec: { selector: { app: 'a' }, ports: [{ port: 80 }] },
  }
  const pod = (n: number): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${n}`, namespace: 'd', uid: `u${n}`, labels: { app: 'a' } },
    spec: { containers: [] },
    status: { podIPs: [{ ip: `10.0.${n >> 8}.${n & 255}` }] },
  })
  const numbers = fc.uniqueArray(fc.nat(600), { maxLength: 400 })
  fc.assert(
    fc.property(numbers, numbers, fc.integer({ min: 601, max: 700 }), (first, second, one) => {
      const before = slicesOf(of, second.map(pod), slicesOf(of, first.map(pod)))
      const uids = before.flatMap(({ endpoints = [] }) => endpoints.map(({ targetRef }) => targetRef?.uid))
      const names = new Set(before.map(({ metadata }) => metadata.name))
      const after = slicesOf(of, [...second, one].map(pod), before)
      const touched = after.filter((slice) => {
        const old = before.find(({ metadata }) => metadata.name === slice.metadata.name)
        return JSON.stringify(old?.endpoints) !== JSON.stringify(slice.endpoints)
      })
      return (
        uids.length === second.length &&
        new Set(uids).size === second.length &&
        names.size === before.length &&
        before.every(({ endpoints = [] }) => endpoints.length <= 100) &&
        touched.length === 1
      )
    }),
    { numRuns: 40 },
  )
  t.pass()
})
