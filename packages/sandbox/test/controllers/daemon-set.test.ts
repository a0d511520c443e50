import test from 'ava'
import type { DaemonSet } from '../../src/objects/cluster.types.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { Pod } from '../../src/objects/pod.types.ts'
import type { ControllerRevision } from '../../src/objects/workloads.types.ts'
import { startWorld, template, type World } from './harness.ts'

const daemons = (spec: object = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent' },
  spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent'), ...spec },
})
const change = (image: string): Record<string, unknown> => ({
  spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
})
const byText = (a = '', b = ''): number => a.localeCompare(b)
const pods = (world: World): Pod[] => world.list<Pod>(GVR.pods)
const imageOf = ({ spec }: Pod): string | undefined => spec.containers[0]?.image
const settled = (world: World, nodes: number): Promise<true> =>
  world.until(`${nodes} updated and available`, () => {
    const { metadata, status } = world.get<DaemonSet>(GVR.daemonSets, 'agent') ?? { metadata: { generation: 0 } }
    return (
      status?.['observedGeneration'] === metadata.generation &&
      status?.['numberAvailable'] === nodes &&
      status['updatedNumberScheduled'] === nodes &&
      status['desiredNumberScheduled'] === nodes &&
      pods(world).length === nodes
    )
  })
const revisions = (world: World): ControllerRevision[] =>
  world.list<ControllerRevision>(GVR.controllerRevisions).toSorted((a, b) => a.revision - b.revision)

test('an update replaces one node at a time, each template is kept as a revision, an old one comes back with a new number', async (t) => {
  await using world = await startWorld({ nodes: 3 })
  await world.apply(daemons())
  await settled(world, 3)
  let fewest = 3
  using _watch = world.core.store.subscribe('/pods', () => {
    fewest = Math.min(fewest, pods(world).filter(({ metadata }) => metadata.deletionTimestamp === undefined).length)
  })
  await world.patch(GVR.daemonSets, 'agent', change('two'))
  await settled(world, 3)
  t.is(fewest, 2)
  t.deepEqual(pods(world).map(imageOf), ['two', 'two', 'two'])
  t.deepEqual(
    revisions(world).map(({ revision }) => revision),
    [1, 2],
  )
  await world.patch(GVR.daemonSets, 'agent', change('x'))
  await settled(world, 3)
  t.deepEqual(
    revisions(world).map(({ revision }) => revision),
    [2, 3],
  )
  t.is(revisions(world)[1]?.data.spec.template.spec.containers[0]?.image, 'x')
})

test('a cordoned node keeps and gets its daemon; a taint NoSchedule keeps new ones away, NoExecute drives them out', async (t) => {
  await using world = await startWorld({ nodes: 2 })
  await world.client.patch(GVR.nodes, undefined, 'ambit-1', { spec: { unschedulable: true } })
  await world.apply(daemons())
  await settled(world, 2)
  const taint = (effect: string): Promise<unknown> =>
    world.client.patch(GVR.nodes, undefined, 'ambit-2', { spec: { taints: [{ key: 'k', effect }] } })
  await taint('NoSchedule')
  await world.until(
    'misscheduled',
    () => world.get<DaemonSet>(GVR.daemonSets, 'agent')?.status?.['numberMisscheduled'] === 1,
  )
  t.is(pods(world).length, 2)
  await taint('NoExecute')
  await world.until('gone', () => pods(world).length === 1)
  t.is(pods(world)[0]?.spec.nodeName, 'ambit-1')
})

test('OnDelete waits for somebody to delete', async (t) => {
  await using world = await startWorld({ nodes: 2 })
  await world.apply(daemons({ updateStrategy: { type: 'OnDelete' } }))
  await settled(world, 2)
  await world.patch(GVR.daemonSets, 'agent', change('two'))
  await world.until('seen', () => revisions(world).length === 2)
  const [first] = pods(world)
  await world.client.delete(GVR.pods, 'default', first?.metadata.name ?? '')
  await world.until('replaced', () => pods(world).length === 2 && pods(world).some((pod) => imageOf(pod) === 'two'))
  t.deepEqual(pods(world).map(imageOf).toSorted(byText), ['two', 'x'])
})
