import { discoverypb } from '@ambit/api'
import { silentLogger } from '@ambit/core'
import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { ClientType } from '../src/client-type.ts'
import { XdsLimitError } from '../src/errors.ts'
import { MAX_DEMANDED_NAMES, MAX_TYPES_PER_STREAM } from '../src/limits.ts'
import { ResourceTable } from '../src/resource-table.ts'
import { ServerStream, type ServerStreamComponents } from '../src/server-stream.ts'
import { atOnce, responseOf } from './response-of.ts'

const noTimers: ServerStreamComponents['clock'] = {
  now: () => 0,
  monotonic: () => 0,
  after: () => ({ [Symbol.dispose]: () => undefined }),
  sleep: () => Promise.resolve(),
}

test('a stream may ask for so many types and no more', (t) => {
  using stream = new ServerStream(
    {
      source: new ResourceTable(),
      clock: noTimers,
      logger: silentLogger,
      send: () => undefined,
      onStuck: () => undefined,
      onNack: () => undefined,
    },
    { ackTimeoutMs: 1000 },
  )
  const ask = (index: number): void =>
    stream.onRequest(create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl: `type.example/${index}` }))
  for (let index = 0; index < MAX_TYPES_PER_STREAM; index++) ask(index)
  t.throws(() => ask(MAX_TYPES_PER_STREAM), { instanceOf: XdsLimitError })
  ask(0)
  t.is(stream.statuses().length, MAX_TYPES_PER_STREAM)
})

test('a client demands so many names and no more, those known are still answered', async (t) => {
  const type = new ClientType({ typeUrl: 'type.example/x', mode: 'on-demand', apply: () => [] })
  for (let index = 0; index < MAX_DEMANDED_NAMES; index++) type.demand(String(index))
  await t.throwsAsync(type.demand('more').answered, { instanceOf: XdsLimitError })
  t.is(type.demand('7').request, undefined)
})

test('names that do not exist make room for others, the one first known not to exist first', async (t) => {
  const typeUrl = 'type.example/x'
  const type = new ClientType({ typeUrl, mode: 'on-demand', apply: () => [] })
  for (let index = 0; index < MAX_DEMANDED_NAMES; index++) type.demand(String(index))
  const tell = (init: { removedResources?: string[]; resources?: { name: string; aliases?: string[] }[] }): void => {
    const resources = (init.resources ?? []).map((each) => ({ ...each, version: '1', resource: { typeUrl } }))
    atOnce(type.apply(responseOf({ typeUrl, ...init, resources })))
  }
  tell({ removedResources: ['8', '7', '9'], resources: [{ name: 'uid', aliases: ['5'] }] })
  tell({ resources: [{ name: '8' }] })
  const first = type.demand('more')
  t.deepEqual(first.request?.resourceNamesSubscribe, ['more'])
  t.deepEqual(first.request?.resourceNamesUnsubscribe, ['7'])
  t.deepEqual(type.demand('7').request?.resourceNamesUnsubscribe, ['9'], 'asked for anew')
  await t.throwsAsync(type.demand('and more').answered, { instanceOf: XdsLimitError })
  tell({ removedResources: ['uid'] })
  t.deepEqual(type.demand('and more').request?.resourceNamesUnsubscribe, ['5'], 'known by an alias until it went')
  const node = create(discoverypb.NodeSchema, {})
  t.is(Object.keys(type.initialRequest(node).initialResourceVersions).length, MAX_DEMANDED_NAMES)
})
