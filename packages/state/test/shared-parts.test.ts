import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '@ambit/core'
import test from 'ava'
import { WorkloadStore } from '../src/index.ts'
import { Interned, keyOfTexts } from '../src/interned.ts'
import { MAX_INTERNED } from '../src/limits.ts'
import { bytesOf, cart, KEY, pod, serviceResource, workload, workloadResource } from './helpers.ts'

const address = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
const like = (i: number) =>
  pod(`cart-6f7d9c5b8d-${i.toString(36).padStart(5, '0')}`, address(i), {
    serviceAccount: 'cart',
    node: `node-${i % 100}`,
    workloadName: 'cart',
    canonicalName: 'cart',
    canonicalRevision: 'v1',
    locality: { region: 'r', zone: 'z' },
    waypoint: { destination: { case: 'address', value: { network: '', address: bytesOf('10.96.0.9') } } },
    authorizationPolicies: ['shop/a', 'shop/b'],
  })

test('what pods of one kind have in common is held once', (t) => {
  const [a, b] = [workload(like(1)), workload(like(101))]
  t.not(a.uid, b.uid)
  t.is(a.identity, b.identity)
  t.is(a.services, b.services)
  t.is(a.services.get(KEY), b.services.get(KEY))
  t.is(a.authorizationPolicies, b.authorizationPolicies)
  t.is(a.locality, b.locality)
  t.is(a.waypoint, b.waypoint)
})

test('what differs in anything is not', (t) => {
  const a = workload(like(1))
  const other = workload(
    pod('other', address(2), {
      namespace: 'other',
      authorizationPolicies: ['shop/as', 'hop/b'],
      services: { [KEY]: { ports: [{ servicePort: 80, targetPort: 8081 }] } },
      locality: { region: 'rz', zone: '' },
      waypoint: { destination: { case: 'hostname', value: { namespace: '', hostname: '10.96.0.9' } } },
    }),
  )
  t.is(other.identity.namespace, 'other')
  t.deepEqual(other.authorizationPolicies, ['shop/as', 'hop/b'])
  t.is(other.services.get(KEY)?.get(80), 8081)
  t.is(a.services.get(KEY)?.get(80), 8080)
  t.deepEqual(other.locality, { region: 'rz', zone: '', subzone: '' })
  t.is(other.waypoint?.destination.kind, 'hostname')
})

test('texts that differ in where they end have different keys', (t) => {
  const lists = [[], [''], ['', ''], ['ab'], ['a', 'b'], ['a1:b'], ['1:ab'], ['a', '1:b']]
  t.is(new Set(lists.map(keyOfTexts)).size, lists.length)
})

test('what is shared is bounded', (t) => {
  const interned = new Interned<object>()
  const first = interned.get('0', () => ({}))
  for (let i = 1; i < MAX_INTERNED; i++) interned.get(String(i), () => ({}))
  t.is(
    interned.get('0', () => ({})),
    first,
  )
  interned.get('one more', () => ({}))
  t.not(
    interned.get('0', () => ({})),
    first,
  )
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is left when nothing more can be collected. */
async function used(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
  }
  return least
}

const PODS = 20_000

/** Bytes of one workload with its place in every index. Measured: 620. Below the lower bound the test measures nothing. */
const LEAST = 300
const MOST = 1_000

test.serial('a workload takes a small, fixed amount of memory', async (t) => {
  const store = new WorkloadStore({ clock: systemClock }, { nodeName: 'node-1' })
  store.apply({ upserts: [serviceResource(cart())], removed: [] })
  const put = (from: number, to: number): void => {
    for (let i = from; i < to; i++) store.apply({ upserts: [workloadResource(like(i))], removed: [] })
  }
  // So that what is made once is not of the workloads.
  put(0, 100)
  const before = await used()
  put(100, 100 + PODS)
  const each = ((await used()) - before) / PODS
  t.log(`${Math.round(each)} bytes for each workload`)
  t.true(each > LEAST && each < MOST, `${each} bytes`)
  t.is(store.workload(workload(like(100)).uid)?.name, like(100).name)
})
