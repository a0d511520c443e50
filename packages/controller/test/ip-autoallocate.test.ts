import { cidrContains, ip } from '@ambit/core'
import { type KubeObject, ObjectSet, StatusWriter } from '@ambit/kube'
import { FakeClock, RecordingLogger } from '@ambit/testing'
import test from 'ava'
import fc from 'fast-check'
import { allocate, POOL_V4, POOL_V6 } from '../src/status/address-pool.ts'
import { hostsToAllocate, keepAllocated } from '../src/status/ip-autoallocate.ts'
import { decodeServiceEntry } from '../src/watch/decode-service-entry.ts'
import * as make from './support/objects.ts'

const wants = test.macro((t, spec: Record<string, unknown>, expected: readonly string[], extra: make.Extra = {}) => {
  const entry = make.serviceEntry('a/se', { hosts: ['example.org'], resolution: 'DNS', ...spec }, extra)
  t.deepEqual(hostsToAllocate(decodeServiceEntry(entry)), expected)
})
test('every host gets addresses', wants, { hosts: ['example.org', 'example.net'] }, ['example.org', 'example.net'])
test('but not with addresses of its own', wants, { addresses: ['10.5.0.1'] }, [])
test('nor without resolution', wants, { resolution: 'NONE' }, [])
test('nor wildcards', wants, { hosts: ['*.example.org'] }, [])
test('unless resolved dynamically', wants, { hosts: ['*.example.org'], resolution: 'DYNAMIC_DNS' }, ['*.example.org'])
test('nor when the label forbids', wants, {}, [], { labels: { 'networking.istio.io/enable-autoallocate-ip': 'false' } })

test('addresses are of the pool, stable, and never one in use', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(POOL_V4, POOL_V6), (name, pool) => {
      const first = allocate(pool, name, () => false)
      t.is(
        allocate(pool, name, () => false),
        first,
      )
      t.true(first !== undefined && cidrContains({ ip: pool.base, length: pool.length }, first))
      const second = allocate(pool, name, (address) => address === first)
      t.not(second, first)
    }),
  )
  t.is(
    allocate({ base: ip('10.0.0.0'), length: 30 }, 'x', () => true),
    undefined,
  )
})

test('entries get what they lack, and keep what they have', async (t) => {
  const written: unknown[] = []
  const entries = new ObjectSet<KubeObject>()
  const client = {
    serverSideApply: (async (_kind: unknown, object: KubeObject & { status: unknown }) =>
      void written.push(object.status)) as never,
  }
  using writer = new StatusWriter({ client, clock: new FakeClock(), logger: new RecordingLogger() })
  const spec = { hosts: ['example.org'], resolution: 'DNS' }
  const has = {
    addresses: [
      { value: '240.240.7.7', host: 'example.org' },
      { value: '2001:2::7', host: 'example.org' },
    ],
  }
  entries.put(make.serviceEntry('a/has', spec, { status: has }))
  keepAllocated({ covers: () => true, entries, writer, logger: new RecordingLogger() }, new AbortController().signal)
  await writer.settled()
  t.deepEqual(written, [])
  entries.put(make.serviceEntry('a/lacks', spec))
  await writer.settled()
  const [status] = written as readonly { addresses: readonly { value: string; host: string }[] }[]
  t.deepEqual(
    status?.addresses.map(({ host }) => host),
    ['example.org', 'example.org'],
  )
  t.regex(status?.addresses[0]?.value ?? '', /^240\.240\./)
  t.regex(status?.addresses[1]?.value ?? '', /^2001:2:/)
})
