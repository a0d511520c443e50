import test from 'ava'
import fc from 'fast-check'
import type { KubeObject } from '../../src/apiserver/contract.types.ts'
import { planStatefulSet } from '../../src/controllers/stateful-plan.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { Pod } from '../../src/objects/pod.types.ts'
import type { ControllerRevision, StatefulSet } from '../../src/objects/workloads.types.ts'
import { startWorld, template, type World } from './harness.ts'

const stateful = (spec: object = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db' },
  spec: {
    replicas: 3,
    serviceName: 'db-svc',
    selector: { matchLabels: { app: 'db' } },
    template: template('db'),
    ...spec,
  },
})
const change = (image: string): Record<string, unknown> => ({
  spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
})
const names = (world: World): string[] => world.list<Pod>(GVR.pods).map(({ metadata }) => metadata.name ?? '')
const images = (world: World): (string | undefined)[] =>
  world.list<Pod>(GVR.pods).map(({ spec }) => spec.containers[0]?.image)
const set = (world: World): StatefulSet | undefined => world.get<StatefulSet>(GVR.statefulSets, 'db')
const settled = (world: World, replicas: number): Promise<true> =>
  world.until(`${replicas} available`, () => {
    const { metadata, status } = set(world) ?? { metadata: { generation: 0 } }
    return (
      status?.['observedGeneration'] === metadata.generation &&
      status?.['availableReplicas'] === replicas &&
      names(world).length === replicas
    )
  })
/** What is created and deleted, in order. */
function follow(world: World): { readonly told: string[] } & Disposable {
  const told: string[] = []
  const subscription = world.core.store.subscribe('/pods', ({ object, type }) => {
    if (type !== 'MODIFIED') told.push(`${type === 'ADDED' ? '+' : '-'}${object.metadata.name}`)
  })
  return { told, [Symbol.dispose]: () => subscription[Symbol.dispose]() }
}

test('members come one after the other, have their names as host names, and go from the top', async (t) => {
  await using world = await startWorld()
  using pods = follow(world)
  await world.apply(stateful())
  await settled(world, 3)
  t.deepEqual(pods.told, ['+db-0', '+db-1', '+db-2'])
  const [first] = world.list<Pod>(GVR.pods)
  t.is(first?.spec.hostname, 'db-0')
  t.is(first?.spec.subdomain, 'db-svc')
  t.is(first?.metadata.labels?.['statefulset.kubernetes.io/pod-name'], 'db-0')
  t.is(first?.metadata.labels?.['apps.kubernetes.io/pod-index'], '0')
  await world.patch(GVR.statefulSets, 'db', { spec: { replicas: 1 } })
  await settled(world, 1)
  t.deepEqual(pods.told.slice(3), ['-db-2', '-db-1'])
  await world.client.delete(GVR.pods, 'default', 'db-0')
  await world.until('back', () => pods.told.length === 7)
  t.deepEqual(pods.told.slice(5), ['-db-0', '+db-0'])
})

test('one that does not become ready holds back those after it, unless they are started in parallel', async (t) => {
  await using world = await startWorld()
  world.fate = ({ metadata }) => (metadata.name === 'db-1' ? 'runs' : 'ready')
  await world.apply(stateful())
  await world.until('the second runs', () => set(world)?.status?.['replicas'] === 2)
  t.deepEqual(names(world), ['db-0', 'db-1'])
  await world.client.delete(GVR.statefulSets, 'default', 'db')
  await world.until('gone', () => names(world).length === 0)
  await world.apply(stateful({ podManagementPolicy: 'Parallel' }))
  await world.until('all', () => names(world).length === 3)
  t.pass()
})

test('a rolling update goes from the top down to the partition, one at a time; going back reuses the revision', async (t) => {
  await using world = await startWorld()
  await world.apply(stateful({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } }))
  await settled(world, 3)
  const before = set(world)?.status?.currentRevision
  using pods = follow(world)
  await world.patch(GVR.statefulSets, 'db', change('two'))
  await world.until(
    'two updated',
    () => set(world)?.status?.['updatedReplicas'] === 2 && set(world)?.status?.['readyReplicas'] === 3,
  )
  t.deepEqual(pods.told, ['-db-2', '+db-2', '-db-1', '+db-1'])
  t.deepEqual(images(world), ['x', 'two', 'two'])
  t.is(set(world)?.status?.currentRevision, before)
  // One below the partition comes back as it was.
  await world.client.delete(GVR.pods, 'default', 'db-0')
  await world.until('back', () => pods.told.length === 6 && set(world)?.status?.['readyReplicas'] === 3)
  t.deepEqual(images(world), ['x', 'two', 'two'])
  await world.patch(GVR.statefulSets, 'db', { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } })
  await world.until('all updated', () => set(world)?.status?.currentRevision === set(world)?.status?.updateRevision)
  t.deepEqual(images(world), ['two', 'two', 'two'])
  await world.patch(GVR.statefulSets, 'db', change('x'))
  await world.until(
    'back',
    () => set(world)?.status?.currentRevision === before && set(world)?.status?.['readyReplicas'] === 3,
  )
  const revisions = world.list<ControllerRevision>(GVR.controllerRevisions)
  t.deepEqual(
    revisions.map(({ revision }) => revision).toSorted((a, b) => a - b),
    [2, 3],
  )
})

test('OnDelete updates what somebody deletes', async (t) => {
  await using world = await startWorld()
  await world.apply(stateful({ updateStrategy: { type: 'OnDelete' } }))
  await settled(world, 3)
  await world.patch(GVR.statefulSets, 'db', change('two'))
  await world.until('seen', () => set(world)?.status?.['observedGeneration'] === 2)
  await world.client.delete(GVR.pods, 'default', 'db-1')
  await world.until('updated', () => set(world)?.status?.['updatedReplicas'] === 1 && names(world).length === 3)
  t.deepEqual(images(world), ['x', 'two', 'x'])
})

test('each member has claims of its own, which stay when it goes, or go with it when the set says so', async (t) => {
  await using world = await startWorld()
  const claim = {
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  }
  await world.apply(stateful({ replicas: 2, volumeClaimTemplates: [claim] }))
  await settled(world, 2)
  const claims = (): string[] =>
    world.list<KubeObject>(GVR.persistentVolumeClaims).map(({ metadata }) => metadata.name ?? '')
  t.deepEqual(claims(), ['data-db-0', 'data-db-1'])
  const volume = world.get<Pod>(GVR.pods, 'db-1')?.spec.volumes?.find(({ name }) => name === 'data')
  t.is(volume?.persistentVolumeClaim?.claimName, 'data-db-1')
  await world.patch(GVR.statefulSets, 'db', { spec: { replicas: 1 } })
  await settled(world, 1)
  t.deepEqual(claims(), ['data-db-0', 'data-db-1'])
  await world.patch(GVR.statefulSets, 'db', {
    spec: { replicas: 2, persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' } },
  })
  await settled(world, 2)
  await world.patch(GVR.statefulSets, 'db', { spec: { replicas: 1 } })
  await world.until('claim gone', () => claims().length === 1)
  t.deepEqual(claims(), ['data-db-0'])
})

test('whatever state it is in, a set gets where it should, never two members away while it updates', (t) => {
  const member = fc.record({
    ordinal: fc.nat(7),
    revision: fc.constantFrom('old', 'new'),
    ready: fc.boolean(),
    ending: fc.boolean(),
  })
  const state = fc.record({
    replicas: fc.nat(6),
    partition: fc.nat(6),
    parallel: fc.boolean(),
    start: fc.nat(3),
    members: fc.uniqueArray(member, { selector: ({ ordinal }) => ordinal, maxLength: 8 }),
  })
  fc.assert(
    fc.property(state, ({ members, parallel, partition, replicas, start }) => {
      const spec = {
        replicas,
        ordinals: { start },
        selector: {},
        template: { spec: { containers: [] } },
        podManagementPolicy: parallel ? 'Parallel' : 'OrderedReady',
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
      }
      const owner: StatefulSet = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db' }, spec }
      const pod = (ordinal: number, revision: string, ready: boolean, ending: boolean): Pod => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `db-${ordinal}`,
          labels: { 'controller-revision-hash': revision },
          ...(ending ? { deletionTimestamp: 'now' } : {}),
        },
        spec: { containers: [] },
        status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
      })
      let pods = members.map((one) => pod(one.ordinal, one.revision, one.ready, one.ending))
      for (let step = 0; step < 60; step++) {
        const plan = planStatefulSet({ set: owner, pods, currentRevision: 'old', updateRevision: 'new', nowMs: 0 })
        if (plan.remove.filter(({ why }) => why === 'outdated').length > 1) return false
        if (!parallel && plan.create.length + plan.remove.length > 1) return false
        // Then everything happens: what is ending is gone, what is there is ready.
        pods = pods
          .filter(
            (one) => one.metadata.deletionTimestamp === undefined && !plan.remove.some((gone) => gone.pod === one),
          )
          .map((one) => ({ ...one, status: { conditions: [{ type: 'Ready', status: 'True' }] } }))
        for (const { ordinal, revision } of plan.create) pods.push(pod(ordinal, revision, true, false))
      }
      const expected = Array.from({ length: replicas }, (_, i) => `db-${start + i}`)
      const left = pods.toSorted((a, b) => (a.metadata.name ?? '').localeCompare(b.metadata.name ?? ''))
      return (
        left.map(({ metadata }) => metadata.name).join() === expected.join() &&
        left.slice(partition).every(({ metadata }) => metadata.labels?.['controller-revision-hash'] === 'new')
      )
    }),
    { numRuns: 300 },
  )
  t.pass()
})
