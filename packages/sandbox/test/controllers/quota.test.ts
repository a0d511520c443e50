import test from 'ava'
import type { KubeObject } from '../../src/apiserver/contract.types.ts'
import type { ReplicaSet } from '../../src/objects/cluster.types.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { HorizontalPodAutoscaler, ResourceQuota } from '../../src/objects/workloads.types.ts'
import { startWorld, template } from './harness.ts'

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: template('web', {
      containers: [
        { name: 'c', image: 'x', resources: { requests: { cpu: '250m', memory: '64Mi' }, limits: { cpu: '1' } } },
      ],
    }),
  },
}

test('a quota says how much of it is used, and follows what comes and goes', async (t) => {
  await using world = await startWorld()
  const hard = {
    pods: '10',
    cpu: '2',
    'requests.memory': '1Gi',
    'limits.cpu': '4',
    'count/deployments.apps': '3',
    services: '5',
  }
  await world.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec: { hard } })
  await world.apply(deployment)
  const used = (): ResourceQuota['status'] => world.get<ResourceQuota>(GVR.resourceQuotas, 'q')?.status
  await world.until('two pods', () => used()?.used?.['pods'] === '2')
  t.deepEqual(used()?.hard, hard)
  t.like(used()?.used, {
    cpu: '500m',
    'requests.memory': '128Mi',
    'limits.cpu': '2',
    'count/deployments.apps': '1',
    services: '1',
  })
  await world.patch(GVR.deployments, 'web', { spec: { replicas: 0 } })
  await world.until('none', () => used()?.used?.['pods'] === '0')
})

test('what a quota has no room for is refused, and comes when there is room', async (t) => {
  await using world = await startWorld()
  const quota = (name: string, hard: object): object => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name },
    spec: { hard },
  })
  await world.apply(quota('few', { pods: '1', 'limits.cpu': '8' }))
  await world.apply(deployment)
  const failure = await world.until('refused', () =>
    world.list<ReplicaSet>(GVR.replicaSets)[0]?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure'),
  )
  t.regex(
    failure.message ?? '',
    /^pods "web-\w+-\w+" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1$/,
  )
  t.is(world.list(GVR.pods).length, 1)
  await world.patch(GVR.resourceQuotas, 'few', { spec: { hard: { pods: '2' } } })
  await world.until('the second', () => world.list(GVR.pods).length === 2)
  await world.until('no failure', () => world.list<ReplicaSet>(GVR.replicaSets)[0]?.status?.conditions?.length === 0)
  const silent = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  }
  await t.throwsAsync(world.apply(silent), { message: /failed quota: few: must specify limits.cpu for: c$/ })
})

test('what stays refused is tried again with growing pauses: each failure is not news', async (t) => {
  await using world = await startWorld()
  const hard = { pods: '1', 'limits.cpu': '8' }
  await world.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few' }, spec: { hard } })
  await world.apply(deployment)
  const failures = (): number =>
    world.list<KubeObject>(GVR.events).filter((event) => event['reason'] === 'FailedCreate').length
  const set = (): ReplicaSet | undefined => world.list<ReplicaSet>(GVR.replicaSets)[0]
  const before = await world.until('refused, and one ready', () => {
    const { conditions = [], availableReplicas } = set()?.status ?? {}
    return availableReplicas === 1 && conditions.some(({ type }) => type === 'ReplicaFailure') ? set() : undefined
  })
  const seen = failures()
  await world.until('three more tries', () => failures() >= seen + 3)
  // Each write of its status would be a reason to look at it again at once.
  t.is(set()?.metadata.resourceVersion, before.metadata.resourceVersion)
})

test('an autoscaler says that it scales nothing, for want of metrics', async (t) => {
  await using world = await startWorld()
  await world.apply({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 5 },
  })
  const status = (): HorizontalPodAutoscaler['status'] =>
    world.get<HorizontalPodAutoscaler>(GVR.autoscalers, 'web')?.status
  await world.until('no target', () => status()?.conditions?.some(({ reason }) => reason === 'FailedGetScale'))
  await world.apply(deployment)
  const active = await world.until('a target', () => status()?.conditions?.find(({ type }) => type === 'ScalingActive'))
  t.is(active.status, 'False')
  t.regex(active.message ?? '', /the sandbox serves no metrics/)
  await world.until('its size', () => status()?.['currentReplicas'] === 2)
})
