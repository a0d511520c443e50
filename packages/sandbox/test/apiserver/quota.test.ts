import { systemClock } from '@ambit/core'
import test from 'ava'
import { ApiCore } from '../../src/apiserver/api-core.ts'
import type { Gvr, KubeObject } from '../../src/apiserver/contract.types.ts'
import { at } from '../../src/apiserver/json.ts'
import { silent } from './harness.ts'

const core = (resource: string): Gvr => ({ group: '', version: 'v1', resource })

function setUp() {
  const api = new ApiCore({ clock: systemClock, logger: silent, caPem: '' })
  const client = api.client('test')
  const create = (
    resource: string,
    kind: string,
    name: string,
    more: Record<string, unknown> = {},
  ): Promise<KubeObject> =>
    client.create(core(resource), { apiVersion: 'v1', kind, metadata: { name, namespace: 'default' }, ...more })
  const pod = (name: string, resources: Record<string, unknown> = {}, more: Record<string, unknown> = {}) =>
    create('pods', 'Pod', name, { spec: { containers: [{ name: 'c', image: 'x', resources }], ...more } })
  return { api, client, create, pod }
}

test('a quota counts objects as they are created, and leaves no room for one more', async (t) => {
  const { api, client, create } = setUp()
  using _api = api
  // Each namespace has one for its root certificates.
  await create('resourcequotas', 'ResourceQuota', 'q', { spec: { hard: { configmaps: '3', 'count/secrets': 1 } } })
  await create('configmaps', 'ConfigMap', 'a')
  await create('configmaps', 'ConfigMap', 'b')
  await t.throwsAsync(create('configmaps', 'ConfigMap', 'c'), {
    message:
      'configmaps "c" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=3, limited: configmaps=3',
  })
  await create('secrets', 'Secret', 'a')
  await t.throwsAsync(create('secrets', 'Secret', 'b'), { message: /exceeded quota/ })
  await client.delete(core('configmaps'), 'default', 'a')
  await create('configmaps', 'ConfigMap', 'c')
})

test('a quota of cpu and memory wants every pod to say what it needs, and adds it up', async (t) => {
  const { api, create, pod } = setUp()
  using _api = api
  await create('resourcequotas', 'ResourceQuota', 'q', {
    spec: { hard: { 'requests.cpu': '1', 'limits.memory': '1Gi' } },
  })
  await t.throwsAsync(pod('silent'), {
    message: 'pods "silent" is forbidden: failed quota: q: must specify requests.cpu for: c; limits.memory for: c',
  })
  const wants = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { memory } })
  await pod('one', wants('600m', '512Mi'))
  await t.throwsAsync(pod('two', wants('600m', '128Mi')), {
    message: /requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1$/,
  })
  await pod('three', wants('400m', '512Mi'))
})

test('a limit range fills in what containers leave out and refuses what they want too much', async (t) => {
  const { api, create, pod } = setUp()
  using _api = api
  const limits = [
    { type: 'Container', max: { memory: '1Gi' }, default: { memory: '256Mi' }, defaultRequest: { cpu: '100m' } },
  ]
  await create('limitranges', 'LimitRange', 'l', { spec: { limits } })
  const made = await pod('one')
  const [container] = at(made, 'spec', 'containers') as Record<string, unknown>[]
  t.deepEqual(container?.['resources'], { limits: { memory: '256Mi' }, requests: { memory: '256Mi', cpu: '100m' } })
  t.is(at(made, 'status', 'qosClass'), 'Burstable')
  await t.throwsAsync(pod('two', { limits: { memory: '2Gi' } }), {
    message: 'pods "two" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
  })
})

test('a runtime class must be there', async (t) => {
  const { api, client, pod } = setUp()
  using _api = api
  await t.throwsAsync(pod('one', {}, { runtimeClassName: 'gvisor' }), { message: /RuntimeClass "gvisor" not found/ })
  await client.create(
    { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' },
    { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'gvisor' }, handler: 'runsc' },
  )
  t.is(at(await pod('one', {}, { runtimeClassName: 'gvisor' }), 'spec', 'runtimeClassName'), 'gvisor')
})
