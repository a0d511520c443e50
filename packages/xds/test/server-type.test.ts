import { discoverypb } from '@ambit/api'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import test from 'ava'
import fc from 'fast-check'
import { XdsLimitError } from '../src/errors.ts'
import { MAX_PUSH_BYTES, MAX_SUBSCRIBED_NAMES } from '../src/limits.ts'
import { ResourceTable } from '../src/resource-table.ts'
import { ServerType } from '../src/server-type.ts'

const TYPE = 'type.example/x'

function request(init: MessageInitShape<typeof discoverypb.DeltaDiscoveryRequestSchema> = {}) {
  return create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl: TYPE, ...init })
}

function open(table: ResourceTable, init?: MessageInitShape<typeof discoverypb.DeltaDiscoveryRequestSchema>) {
  const type = new ServerType(table, request(init))
  table.subscribe((_, change) => type.note(change))
  return type
}

function names(type: ServerType) {
  const { resources, removedResources } = type.next('1')
  return { sent: resources.map(({ name }) => name), removed: removedResources }
}

const bytes = (value: number, length = 1) => new Uint8Array(length).fill(value)

test('the first answer is due even with nothing to say', (t) => {
  const type = open(new ResourceTable())
  t.true(type.isDue)
  t.deepEqual(names(type), { sent: [], removed: [] })
  t.false(type.isDue)
})

test('the first answer leaves out what the client holds and names what is gone', (t) => {
  const table = new ResourceTable()
  table.update(TYPE, {
    upserts: [
      { name: 'a', bytes: bytes(1) },
      { name: 'b', bytes: bytes(2) },
    ],
  })
  const version = table.lookup(TYPE, 'a')?.version ?? ''
  const type = open(table, { initialResourceVersions: { a: version, b: 'old', c: 'x' } })
  t.deepEqual(names(type), { sent: ['b'], removed: ['c'] })
  t.false(type.isDue)
})

test('changes noted while an answer is awaited are sent together, in their last state', (t) => {
  const table = new ResourceTable()
  const type = open(table)
  names(type)
  table.update(TYPE, { upserts: [{ name: 'a', bytes: bytes(1) }] })
  table.update(TYPE, {
    upserts: [
      { name: 'a', bytes: bytes(2) },
      { name: 'b', bytes: bytes(1) },
    ],
  })
  table.update(TYPE, { removed: ['b'] })
  const response = type.next('2')
  t.deepEqual(
    response.resources.map(({ name, bytes: [first] }) => [name, first]),
    [['a', 2]],
  )
  t.deepEqual(response.removedResources, ['b'])
  t.false(type.isDue)
})

test('an on-demand client gets nothing before it asks', (t) => {
  const table = new ResourceTable()
  table.update(TYPE, { upserts: [{ name: 'a', bytes: bytes(1) }] })
  const type = open(table, { resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] })
  t.false(type.wildcard)
  t.deepEqual(names(type), { sent: [], removed: [] })
  type.change(request({ resourceNamesSubscribe: ['a', 'zzz'] }))
  t.deepEqual(names(type), { sent: ['a'], removed: ['zzz'] })
  // Asked for again, answered again: whoever asks waits for it.
  type.change(request({ resourceNamesSubscribe: ['a'] }))
  t.deepEqual(names(type), { sent: ['a'], removed: [] })
})

test('a reconnecting on-demand client keeps its names', (t) => {
  const table = new ResourceTable()
  table.update(TYPE, {
    upserts: [
      { name: 'a', bytes: bytes(1) },
      { name: 'b', bytes: bytes(1), aliases: ['n/b'] },
    ],
  })
  const version = table.lookup(TYPE, 'a')?.version ?? ''
  const type = open(table, {
    resourceNamesSubscribe: ['*'],
    resourceNamesUnsubscribe: ['*'],
    initialResourceVersions: { a: version, 'n/b': '', gone: 'v' },
  })
  t.deepEqual(names(type), { sent: ['b'], removed: ['gone'] })
  table.update(TYPE, { upserts: [{ name: 'a', bytes: bytes(2) }] })
  t.deepEqual(names(type), { sent: ['a'], removed: [] })
})

test('what belongs to a resource asked for comes along, now and later', (t) => {
  const table = new ResourceTable()
  const pod = (name: string, value = 1) => ({ name, bytes: bytes(value), belongsTo: ['service'] })
  table.update(TYPE, {
    upserts: [{ name: 'service', bytes: bytes(1), aliases: ['n/vip'] }, pod('pod'), { name: 'other', bytes: bytes(1) }],
  })
  const type = open(table, { resourceNamesSubscribe: ['n/vip'] })
  t.deepEqual(names(type), { sent: ['service', 'pod'], removed: [] })
  table.update(TYPE, { upserts: [pod('pod-2'), { name: 'other', bytes: bytes(2) }] })
  t.deepEqual(names(type), { sent: ['pod-2'], removed: [] })
  table.update(TYPE, { upserts: [pod('pod', 2)], removed: ['pod-2'] })
  t.deepEqual(names(type), { sent: ['pod'], removed: ['pod-2'] })
})

test('a large push is continued in the next one', (t) => {
  const table = new ResourceTable()
  const type = open(table)
  names(type)
  const half = Math.ceil(MAX_PUSH_BYTES / 2)
  table.update(TYPE, { upserts: ['a', 'b', 'c'].map((name) => ({ name, bytes: bytes(1, half) })) })
  t.deepEqual(names(type).sent, ['a', 'b'])
  t.true(type.isDue)
  t.deepEqual(names(type).sent, ['c'])
})

test('subscriptions are limited', (t) => {
  const type = open(new ResourceTable(), { resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] })
  const many = Array.from({ length: MAX_SUBSCRIBED_NAMES + 1 }, (_, index) => String(index))
  t.throws(() => type.change(request({ resourceNamesSubscribe: many })), { instanceOf: XdsLimitError })
})

test('whatever the order of changes and answers, a client ends up with what the server has', (t) => {
  const change = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    value: fc.option(fc.nat(3)),
    answer: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const table = new ResourceTable()
      const type = open(table)
      const client = new Map<string, number | undefined>()
      const take = (): void => {
        const { resources, removedResources } = type.next('n')
        for (const {
          name,
          bytes: [first],
        } of resources)
          client.set(name, first)
        for (const name of removedResources) client.delete(name)
      }
      for (const { name, value, answer } of changes) {
        if (value === null) table.update(TYPE, { removed: [name] })
        else table.update(TYPE, { upserts: [{ name, bytes: bytes(value) }] })
        if (answer) take()
      }
      while (type.isDue) take()
      const server = [...table.snapshot(TYPE).values()].map(({ name, bytes: [first] }) => `${name}=${first}`)
      const held = [...client].map(([name, first]) => `${name}=${first}`)
      return server.toSorted().join() === held.toSorted().join()
    }),
  )
  t.pass()
})

test('a name unsubscribed before its answer is owed none: names that come and go leave nothing behind', (t) => {
  const table = new ResourceTable()
  table.update(TYPE, { upserts: [{ name: 'a', bytes: bytes(1) }] })
  const type = open(table, { resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] })
  names(type)
  type.change(request({ resourceNamesSubscribe: ['a', 'b'] }))
  type.change(request({ resourceNamesUnsubscribe: ['a', 'b'] }))
  t.false(type.isDue)
})

test('what was unsubscribed is not updated any more, and sent whole when it is wanted again', (t) => {
  const table = new ResourceTable()
  table.update(TYPE, { upserts: [{ name: 'a', bytes: bytes(1) }] })
  const type = open(table, { resourceNamesSubscribe: ['a'] })
  t.deepEqual(names(type), { sent: ['a'], removed: [] })
  type.change(request({ resourceNamesUnsubscribe: ['a'] }))
  table.update(TYPE, { upserts: [{ name: 'a', bytes: bytes(2) }] })
  t.false(type.isDue)
  type.change(request({ resourceNamesSubscribe: ['a'] }))
  t.deepEqual(names(type), { sent: ['a'], removed: [] })
})

test('a client that names what it refused is told that it is gone', (t) => {
  const type = open(new ResourceTable(), { initialResourceVersions: { refused: '' } })
  t.deepEqual(names(type), { sent: [], removed: ['refused'] })
})
