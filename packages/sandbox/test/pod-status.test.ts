import test from 'ava'
import { finishedPhase, mergeConditions, type PodView, podStatus, restarts } from '../src/kubelet/pod-status.ts'
import type { ContainerStatus, Pod } from '../src/objects/pod.types.ts'

const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers: [] } }
const running: ContainerStatus = {
  name: 'c',
  state: { running: {} },
  lastState: {},
  ready: true,
  started: true,
  restartCount: 0,
  image: '',
  imageID: '',
}
const view: PodView = {
  pod,
  init: [],
  ephemeral: [],
  main: [running],
  initialized: true,
  sandboxReady: true,
  ips: ['10.244.1.2'],
  hostIp: '172.18.0.2',
  startTime: 't',
  nowIso: 'now',
  finished: undefined,
}
const ready = (of: PodView): string | undefined =>
  podStatus(of).conditions?.find(({ type }) => type === 'Ready')?.status

test('a pod runs when its containers have begun, and is ready when they are', (t) => {
  t.is(podStatus(view).phase, 'Running')
  t.is(ready(view), 'True')
  t.is(ready({ ...view, main: [{ ...running, ready: false }] }), 'False')
  t.is(podStatus({ ...view, main: [{ ...running, state: { waiting: {} } }] }).phase, 'Pending')
  t.is(podStatus({ ...view, main: [{ ...running, state: { waiting: {} }, restartCount: 1 }] }).phase, 'Running')
  t.is(podStatus({ ...view, initialized: false }).phase, 'Pending')
  t.is(podStatus({ ...view, finished: 'Failed' }).phase, 'Failed')
})

test('a readiness gate holds readiness back', (t) => {
  const gated = { ...pod, spec: { containers: [], readinessGates: [{ conditionType: 'x/y' }] } }
  t.is(ready({ ...view, pod: gated }), 'False')
  t.is(ready({ ...view, pod: { ...gated, status: { conditions: [{ type: 'x/y', status: 'True' }] } } }), 'True')
})

test('an unchanged condition keeps its time, those of others stay', (t) => {
  const old = [
    { type: 'A', status: 'True', lastTransitionTime: 'then' },
    { type: 'Other', status: 'False' },
  ]
  const merged = mergeConditions(
    old,
    [
      { type: 'A', status: 'True' },
      { type: 'B', status: 'False' },
    ],
    'now',
  )
  t.deepEqual(
    merged.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    [
      ['A', 'then'],
      ['B', 'now'],
      ['Other', undefined],
    ],
  )
})

test('restart policies', (t) => {
  t.true(restarts('Always', 0) && restarts(undefined, 0) && restarts('OnFailure', 1))
  t.false(restarts('Never', 1) || restarts('OnFailure', 0))
  t.is(finishedPhase([0, 0]), 'Succeeded')
  t.is(finishedPhase([0, 2]), 'Failed')
})
