import test from 'ava'
import { GVR } from '../../src/objects/gvr.ts'
import type { Pod } from '../../src/objects/pod.types.ts'
import { startWorld, template } from './harness.ts'

test('a pod of higher priority gets its room, though who lost it comes back at once', async (t) => {
  await using world = await startWorld({ nodes: 1 })
  const half = (extra: object = {}): object => ({
    containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '4' } } }],
    ...extra,
  })
  await world.client.create(GVR.priorityClasses, {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'urgent' },
    value: 1000,
  })
  await world.apply({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: template('web', half()) },
  })
  const pods = (): Pod[] => world.list<Pod>(GVR.pods)
  await world.until('both run', () => pods().filter(({ status }) => status?.phase === 'Running').length === 2)
  await world.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'vip' },
    spec: half({ priorityClassName: 'urgent' }),
  })
  const vip = await world.until('it runs', () => {
    const pod = world.get<Pod>(GVR.pods, 'vip')
    return pod?.status?.phase === 'Running' ? pod : undefined
  })
  t.is(vip.spec.nodeName, 'ambit-1')
  await world.until('one waits', () => pods().filter(({ spec }) => !spec.nodeName).length === 1)
  t.is(pods().length, 3)
})

test('a pod has the priority of its class, of the default class, or none; an unknown class is refused', async (t) => {
  await using world = await startWorld()
  const bare = (name: string, spec: object = {}): Promise<unknown> =>
    world.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
    })
  const priority = (name: string): number | undefined => world.get<Pod>(GVR.pods, name)?.spec.priority
  await bare('plain')
  t.is(priority('plain'), 0)
  await bare('system', { priorityClassName: 'system-node-critical' })
  t.is(priority('system'), 2_000_001_000)
  await t.throwsAsync(bare('lost', { priorityClassName: 'nowhere' }), {
    message: /no PriorityClass with name nowhere was found/,
  })
  await t.throwsAsync(bare('bold', { priority: 7 }), { message: /must not be provided in pod spec/ })
  await world.client.create(GVR.priorityClasses, {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'usual' },
    value: 5,
    globalDefault: true,
    preemptionPolicy: 'Never',
  })
  await bare('later')
  t.is(priority('later'), 5)
  t.is(world.get<Pod>(GVR.pods, 'later')?.spec.preemptionPolicy, 'Never')
})

test('a pod waits for its claim, and says so', async (t) => {
  await using world = await startWorld({ nodes: 1 })
  await world.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'keeper' },
    spec: {
      containers: [{ name: 'c', image: 'x' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
    },
  })
  const keeper = (): Pod | undefined => world.get<Pod>(GVR.pods, 'keeper')
  const why = await world.until('told', () =>
    keeper()?.status?.conditions?.find(({ reason }) => reason === 'Unschedulable'),
  )
  t.is(
    why.message,
    '0/1 nodes are available: persistentvolumeclaim "data" not found. ' +
      'preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  )
  await world.apply({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  })
  await world.until('it runs', () => keeper()?.status?.phase === 'Running')
})
