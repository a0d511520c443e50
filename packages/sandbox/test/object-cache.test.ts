import { systemClock } from '@ambit/core'
import test from 'ava'
import { ApiCore } from '../src/apiserver/api-core.ts'
import type { KubeObject, ObjectClient } from '../src/apiserver/contract.types.ts'
import { GVR } from '../src/objects/gvr.ts'
import { ObjectCache } from '../src/objects/object-cache.ts'
import { silent } from './apiserver/harness.ts'

const map = (name: string, owner?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name,
    namespace: 'default',
    ...(owner === undefined
      ? {}
      : { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: owner, uid: owner, controller: true }] }),
  },
  data: {},
})

async function open(): Promise<
  { client: ObjectClient; cache: ObjectCache<KubeObject>; told: string[]; turn(): Promise<void> } & Disposable
> {
  const core = new ApiCore({ clock: systemClock, logger: silent, caPem: 'none' })
  const client = core.client('test')
  const cache = new ObjectCache<KubeObject>({ client, logger: silent, clock: systemClock }, GVR.configMaps)
  await cache.synced
  const told: string[] = []
  cache.subscribe(({ type, object }) => told.push(`${type} ${object.metadata.name}`))
  return {
    client,
    cache,
    told,
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    [Symbol.dispose]() {
      cache[Symbol.dispose]()
      core[Symbol.dispose]()
    },
  }
}

test('what was written is there at once, and told of once', async (t) => {
  using world = await open()
  const { cache, client, told } = world
  const created = await client.create(GVR.configMaps, map('a'))
  cache.note(created)
  t.is(cache.get('default', 'a')?.metadata.uid, created.metadata.uid)
  const changed = await client.patch(GVR.configMaps, 'default', 'a', { data: { k: 'v' } })
  cache.note(changed)
  // A version that is older than what is known takes nothing back.
  cache.note(created)
  t.deepEqual(cache.get('default', 'a')?.['data'], { k: 'v' })
  await world.turn()
  t.deepEqual(told, ['ADDED a', 'MODIFIED a'])
  await client.delete(GVR.configMaps, 'default', 'a')
  await world.turn()
  cache.note(changed)
  t.is(cache.get('default', 'a'), undefined)
})

test('what was removed is gone at once, whatever the watch still brings of it, and another of its name is another', async (t) => {
  using world = await open()
  const { cache, client, told } = world
  cache.note(await client.create(GVR.configMaps, map('a')))
  await world.turn()
  const last = await client.patch(GVR.configMaps, 'default', 'a', { data: { late: 'yes' } })
  await client.delete(GVR.configMaps, 'default', 'a')
  cache.noteGone(last)
  t.is(cache.get('default', 'a'), undefined)
  const second = await client.create(GVR.configMaps, map('a'))
  cache.note(second)
  await world.turn()
  t.is(cache.get('default', 'a')?.metadata.uid, second.metadata.uid)
  // The change may have been told of before it was removed.
  t.deepEqual(
    told.filter((word) => word !== 'MODIFIED a'),
    ['ADDED a', 'DELETED a', 'ADDED a'],
  )
})

test('objects are found by namespace, by owner, and by having none', async (t) => {
  using world = await open()
  const { cache, client } = world
  const names = (objects: readonly KubeObject[]): string[] =>
    objects
      .map(({ metadata }) => metadata.name ?? '')
      .filter((name) => name !== 'kube-root-ca.crt')
      .toSorted((a, b) => a.localeCompare(b))
  cache.note(await client.create(GVR.configMaps, map('free')))
  cache.note(await client.create(GVR.configMaps, map('owned', 'one')))
  t.deepEqual(names(cache.controlledBy('one')), ['owned'])
  t.deepEqual(names(cache.orphans('default')), ['free'])
  t.deepEqual(names(cache.inNamespace('default')), ['free', 'owned'])
  cache.note(await client.patch(GVR.configMaps, 'default', 'owned', { metadata: { ownerReferences: null } }))
  t.deepEqual(names(cache.controlledBy('one')), [])
  t.deepEqual(names(cache.orphans('default')), ['free', 'owned'])
  t.deepEqual(names(cache.inNamespace('kube-system')), [])
})
