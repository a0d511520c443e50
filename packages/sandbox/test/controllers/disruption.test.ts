import test from 'ava'
import fc from 'fast-check'
import { internalContext } from '../../src/apiserver/resources/request-context.ts'
import { StatusError } from '../../src/apiserver/status-error.ts'
import { evict } from '../../src/apiserver/subresources/eviction.ts'
import { countBudget } from '../../src/controllers/disruption-budget.ts'
import { toleratedMs } from '../../src/controllers/taint-eviction.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { Pod } from '../../src/objects/pod.types.ts'
import type { PodDisruptionBudget } from '../../src/objects/workloads.types.ts'
import { startWorld, template, type World } from './harness.ts'

const deployment = (replicas: number): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template('web') },
})
const budget = (spec: object): object => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'guard' },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
})
const guard = (world: World): PodDisruptionBudget['status'] =>
  world.get<PodDisruptionBudget>(GVR.disruptionBudgets, 'guard')?.status
const allows = (world: World, count: number): Promise<true> =>
  world.until(
    `${count} may go`,
    () => guard(world)?.disruptionsAllowed === count && guard(world)?.observedGeneration === 1,
  )
const pods = (world: World): Pod[] => world.list<Pod>(GVR.pods)

async function evictPod(world: World, name: string): Promise<StatusError | undefined> {
  const definition = world.core.registry.find('', 'v1', 'pods')
  if (definition === undefined) throw new Error('pods are not served')
  const target = { definition, version: 'v1', namespace: 'default', name }
  try {
    await evict(world.core, target, {}, internalContext('test'), Date.now())
    return undefined
  } catch (error) {
    if (error instanceof StatusError) return error
    throw error
  }
}

test('evictions go as far as the budget, then are refused until a pod is back', async (t) => {
  await using world = await startWorld()
  await world.apply(deployment(3))
  await world.apply(budget({ minAvailable: 2 }))
  await allows(world, 1)
  t.like(guard(world), { currentHealthy: 3, desiredHealthy: 2, expectedPods: 3 })
  const before = new Set(pods(world).map(({ metadata }) => metadata.uid))
  world.fate = ({ metadata }) => (before.has(metadata.uid) ? 'ready' : 'runs')
  const [first, second] = pods(world).map(({ metadata }) => metadata.name ?? '')
  t.is(await evictPod(world, first ?? ''), undefined)
  // At once: the eviction itself has counted.
  const refused = await evictPod(world, second ?? '')
  t.is(refused?.status, 429)
  t.is(refused?.message, "Cannot evict pod as it would violate the pod's disruption budget.")
  t.is(refused?.details?.causes?.[0]?.message, 'The disruption budget guard needs 2 healthy pods and has 3 currently')
  await world.until('seen', () => guard(world)?.currentHealthy === 2)
  world.fate = () => 'ready'
  world.settle()
  await allows(world, 1)
  t.is(await evictPod(world, second ?? ''), undefined)
})

test('what does not work may go while enough does; two budgets for one pod are refused', async (t) => {
  await using world = await startWorld()
  await world.apply(deployment(2))
  await world.apply(budget({ maxUnavailable: '50%' }))
  await allows(world, 1)
  const [first] = pods(world)
  const status = { conditions: [{ type: 'Ready', status: 'False' }] }
  world.fate = ({ metadata }) => (metadata.uid === first?.metadata.uid ? 'runs' : 'ready')
  await world.client.patch(GVR.pods, 'default', first?.metadata.name ?? '', { status }, { subresource: 'status' })
  await world.until('none to give', () => guard(world)?.disruptionsAllowed === 0)
  t.is(await evictPod(world, first?.metadata.name ?? ''), undefined)
  await world.apply({ ...(budget({ maxUnavailable: 1 }) as { metadata: object }), metadata: { name: 'second' } })
  const [other] = pods(world).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  t.is((await evictPod(world, other?.metadata.name ?? ''))?.status, 500)
})

test('a taint NoExecute drives out who does not bear it, and after their time those who bear it for a while', async (t) => {
  await using world = await startWorld({ nodes: 1 })
  const bare = (name: string, tolerations: object[]): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'x' }], tolerations },
  })
  await world.apply(bare('none', []))
  await world.apply(bare('while', [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 }]))
  await world.apply(bare('ever', [{ key: 'k', operator: 'Exists' }]))
  await world.until('all run', () => pods(world).every(({ status }) => status?.phase === 'Running'))
  const started = Date.now()
  await world.client.patch(GVR.nodes, undefined, 'ambit-1', { spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } })
  await world.until('the first is gone', () => pods(world).length === 2)
  await world.until('the second is gone', () => pods(world).length === 1)
  t.true(Date.now() - started >= 1000)
  t.is(pods(world)[0]?.metadata.name, 'ever')
})

test('the shortest time of the tolerations that fit counts', (t) => {
  const taint = { key: 'k', effect: 'NoExecute' }
  t.is(toleratedMs([], taint), 0)
  t.is(toleratedMs([{ key: 'k', operator: 'Exists' }], taint), Number.POSITIVE_INFINITY)
  const some = [{ operator: 'Exists' }, { key: 'k', operator: 'Exists', tolerationSeconds: 5 }]
  t.is(toleratedMs(some, taint), 5000)
})

test('a budget never allows so many that fewer than it demands are left', (t) => {
  const share = fc.oneof(
    fc.nat(12),
    fc.nat(100).map((percent) => `${percent}%`),
  )
  const arbitrary = fc.record({
    ready: fc.array(fc.boolean(), { maxLength: 12 }),
    share,
    max: fc.boolean(),
    expected: fc.nat(12),
  })
  fc.assert(
    fc.property(arbitrary, ({ expected, max, ready, share }) => {
      const spec = max ? { maxUnavailable: share } : { minAvailable: share }
      const of: PodDisruptionBudget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: {}, spec }
      const pods = ready.map(
        (is, i): Pod => ({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: `p${i}` },
          spec: { containers: [] },
          status: { conditions: [{ type: 'Ready', status: is ? 'True' : 'False' }] },
        }),
      )
      const counts = countBudget(of, pods, expected, 0)
      const left = counts.currentHealthy - counts.disruptionsAllowed
      return counts.disruptionsAllowed >= 0 && (counts.disruptionsAllowed === 0 || left >= counts.desiredHealthy)
    }),
  )
  t.pass()
})
