import test from 'ava'
import type { Deployment, ReplicaSet, ReplicationController } from '../../src/objects/cluster.types.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { Pod } from '../../src/objects/pod.types.ts'
import { startWorld, template, type World } from './harness.ts'

const deployment = (spec: object = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', annotations: { 'kubernetes.io/change-cause': 'first' } },
  spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: template('web'), ...spec },
})
const change = (image: string): Record<string, unknown> => ({
  spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
})
const web = (world: World): Deployment | undefined => world.get(GVR.deployments, 'web')
const sets = (world: World): ReplicaSet[] => world.list(GVR.replicaSets)
const settled = (world: World, replicas = 3): Promise<true> =>
  world.until(`${replicas} updated and available, none besides`, () => {
    const { spec, status, metadata } = web(world) ?? { spec: undefined, status: undefined, metadata: { generation: 0 } }
    return (
      status?.observedGeneration === metadata.generation &&
      spec?.replicas === replicas &&
      status?.updatedReplicas === replicas &&
      status.replicas === replicas &&
      status.availableReplicas === replicas &&
      status.conditions?.some(({ reason }) => reason === 'NewReplicaSetAvailable') === true &&
      world.list<Pod>(GVR.pods).length === replicas
    )
  })

test('a rollout keeps within its bounds, numbers its revisions, and going back takes the old set up again', async (t) => {
  await using world = await startWorld()
  await world.apply(deployment())
  await settled(world)
  const [first] = sets(world)
  t.is(first?.metadata.annotations?.['deployment.kubernetes.io/revision'], '1')
  t.is(first?.metadata.annotations?.['kubernetes.io/change-cause'], 'first')
  let most = 0
  let fewest = 9
  using _watch = world.core.store.subscribe('/pods', () => {
    const pods = world.list<Pod>(GVR.pods)
    const living = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    most = Math.max(most, living.length)
    fewest = Math.min(
      fewest,
      living.filter(({ status }) =>
        status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
      ).length,
    )
  })
  await world.patch(GVR.deployments, 'web', change('two'))
  await settled(world)
  t.is(most, 4)
  t.is(fewest, 3)
  t.is(sets(world).length, 2)
  t.is(web(world)?.metadata.annotations?.['deployment.kubernetes.io/revision'], '2')
  await world.patch(GVR.deployments, 'web', change('x'))
  await settled(world)
  t.is(sets(world).length, 2)
  t.is(web(world)?.metadata.annotations?.['deployment.kubernetes.io/revision'], '3')
  t.is(world.get<ReplicaSet>(GVR.replicaSets, first?.metadata.name ?? '')?.spec.replicas, 3)
  const { annotations } = world.get<ReplicaSet>(GVR.replicaSets, first?.metadata.name ?? '')?.metadata ?? {}
  t.is(annotations?.['deployment.kubernetes.io/revision-history'], '1')
})

test('only so many old revisions are kept', async (t) => {
  await using world = await startWorld()
  await world.apply(deployment({ revisionHistoryLimit: 1 }))
  await settled(world)
  for (const image of ['two', 'three', 'four']) {
    await world.patch(GVR.deployments, 'web', change(image))
    await settled(world)
  }
  await world.until('one old set', () => sets(world).length === 2)
  t.pass()
})

test('a paused Deployment is scaled but not rolled out; resumed, it is', async (t) => {
  await using world = await startWorld()
  await world.apply(deployment())
  await settled(world)
  await world.patch(GVR.deployments, 'web', { spec: { paused: true } })
  await world.patch(GVR.deployments, 'web', change('two'))
  await world.patch(GVR.deployments, 'web', { spec: { replicas: 5 } })
  await world.until('five pods', () => world.list<Pod>(GVR.pods).length === 5)
  t.is(sets(world).length, 1)
  await world.until('says so', () =>
    web(world)?.status?.conditions?.some(({ reason }) => reason === 'DeploymentPaused'),
  )
  await world.patch(GVR.deployments, 'web', { spec: { paused: null } })
  await settled(world, 5)
  t.is(sets(world).length, 2)
})

test('Recreate starts nothing before the last old pod is gone', async (t) => {
  await using world = await startWorld()
  await world.apply(deployment({ strategy: { type: 'Recreate' } }))
  await settled(world)
  let both = false
  using _watch = world.core.store.subscribe('/pods', () => {
    const images = new Set(world.list<Pod>(GVR.pods).map(({ spec }) => spec.containers[0]?.image))
    both ||= images.size > 1
  })
  await world.patch(GVR.deployments, 'web', change('two'))
  await settled(world)
  t.false(both)
})

test('a rollout that stands still passes its deadline, and says which set it is', async (t) => {
  await using world = await startWorld()
  world.fate = ({ spec }) => (spec.containers[0]?.image === 'bad' ? 'runs' : 'ready')
  await world.apply(deployment({ progressDeadlineSeconds: 1 }))
  await settled(world)
  await world.patch(GVR.deployments, 'web', change('bad'))
  const condition = await world.until('timed out', () =>
    web(world)?.status?.conditions?.find(({ reason }) => reason === 'ProgressDeadlineExceeded'),
  )
  t.is(condition.status, 'False')
  t.regex(condition.message ?? '', /^ReplicaSet "web-\w+" has timed out progressing\.$/)
  t.is(web(world)?.status?.availableReplicas, 3)
})

test('orphans are adopted: sets by a Deployment, pods by a set; a pod that is relabelled is let go and replaced', async (t) => {
  await using world = await startWorld()
  await world.apply(deployment())
  await settled(world)
  await world.client.delete(GVR.deployments, 'default', 'web', { propagationPolicy: 'Orphan' })
  await world.until(
    'orphaned',
    () => sets(world)[0]?.metadata.ownerReferences?.length !== 1 && web(world) === undefined,
  )
  const before = world.list<Pod>(GVR.pods).map(({ metadata }) => metadata.uid)
  await world.apply(deployment())
  await settled(world)
  t.is(sets(world).length, 1)
  t.deepEqual(
    world.list<Pod>(GVR.pods).map(({ metadata }) => metadata.uid),
    before,
  )
  const [pod] = world.list<Pod>(GVR.pods)
  await world.patch(GVR.pods, pod?.metadata.name ?? '', { metadata: { labels: { app: 'other' } } })
  await world.until('replaced', () => world.list<Pod>(GVR.pods).length === 4)
  t.deepEqual(world.get<Pod>(GVR.pods, pod?.metadata.name ?? '')?.metadata.ownerReferences ?? [], [])
})

test('foreground deletion ends with the Deployment, after its sets and pods', async (t) => {
  await using world = await startWorld()
  await world.apply(deployment())
  await settled(world)
  const order: string[] = []
  using _watch = world.core.store.subscribe('*', ({ type, object }) => {
    if (type === 'DELETED' && object.kind !== 'EndpointSlice') order.push(object.kind)
  })
  await world.client.delete(GVR.deployments, 'default', 'web', { propagationPolicy: 'Foreground' })
  await world.until('gone', () => web(world) === undefined)
  t.deepEqual(order, ['Pod', 'Pod', 'Pod', 'ReplicaSet', 'Deployment'])
})

test('a ReplicationController keeps its pods too, by a map of labels that its template gives', async (t) => {
  await using world = await startWorld()
  const controller = {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: 'old' },
    spec: { replicas: 2, template: template('old') },
  }
  const { spec } = await world.apply(controller)
  t.deepEqual((spec as { selector: unknown }).selector, { app: 'old' })
  const available = (): number | undefined =>
    world.get<ReplicationController>(GVR.replicationControllers, 'old')?.status?.availableReplicas
  await world.until('two are available', () => available() === 2)
  const [lost] = world.list<Pod>(GVR.pods)
  await world.client.delete(GVR.pods, 'default', lost?.metadata.name ?? '')
  await world.until('another one is', () => {
    const pods = world.list<Pod>(GVR.pods)
    return available() === 2 && pods.length === 2 && !pods.some(({ metadata }) => metadata.uid === lost?.metadata.uid)
  })
  await world.patch(GVR.replicationControllers, 'old', { spec: { replicas: 0 } })
  await world.until('none is left', () => world.list(GVR.pods).length === 0)
})
