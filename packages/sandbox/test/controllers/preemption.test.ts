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
