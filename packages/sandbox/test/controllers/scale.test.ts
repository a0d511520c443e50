import test from 'ava'
import type { Deployment } from '../../src/objects/cluster.types.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { Pod } from '../../src/objects/pod.types.ts'
import { startWorld, template } from './harness.ts'

const PODS = 200
const NODES = 5

test('many pods cost few writes each: theirs, and now and then one of what sums them up', async (t) => {
  await using world = await startWorld({ nodes: NODES })
  const writes = new Map<string, number>()
  using _count = world.core.store.subscribe('*', ({ key }) => writes.set(key, (writes.get(key) ?? 0) + 1))
  const ports = [{ port: 80 }]
  const selector = { app: 'many' }
  await world.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'many' }, spec: { selector, ports } })
  await world.apply({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'many' },
    spec: { replicas: PODS, selector: { matchLabels: selector }, template: template('many') },
  })
  await world.until('all available', () => {
    const { status } = world.get<Deployment>(GVR.deployments, 'many') ?? {}
    return status?.availableReplicas === PODS
  })
  // Created, bound, and the one status of the scripted node.
  t.is(writes.get('/pods'), PODS * 3)
  const others = [...writes].filter(([key]) => key !== '/pods' && key !== '/events')
  const sum = others.reduce((total, [, count]) => total + count, 0)
  t.true(sum < PODS, others.map(([key, count]) => `${key} ${count}`).join(', '))
  const perNode = Map.groupBy(world.list<Pod>(GVR.pods), ({ spec }) => spec.nodeName)
  t.deepEqual(
    [...perNode.values()].map((pods) => pods.length),
    Array.from({ length: NODES }, () => PODS / NODES),
  )
})
