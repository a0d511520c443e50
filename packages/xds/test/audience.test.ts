import { discoverypb } from '@ambit/api'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import test from 'ava'
import fc from 'fast-check'
import { ResourceTable } from '../src/resource-table.ts'
import { ServerType } from '../src/server-type.ts'

const TYPE = 'type.example/x'
const ON_DEMAND = { resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] }

type Request = MessageInitShape<typeof discoverypb.DeltaDiscoveryRequestSchema>

function request(init: Request = {}) {
  return create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl: TYPE, ...init })
}

function open(table: ResourceTable, audience: string | undefined, init?: Request) {
  const type = new ServerType(table, request(init), audience)
  table.subscribe((_, change) => type.note(change))
  return type
}

function answer(type: ServerType) {
  const { resources, removedResources } = type.next('1')
  return { sent: resources.map(({ name }) => name), removed: removedResources }
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1)
const bytes = (value: number) => Uint8Array.of(value)
const put = (table: ResourceTable, name: string, audience?: readonly string[], value = 1) =>
  table.update(TYPE, { upserts: [{ name, bytes: bytes(value), audience }] })

test('only its audience is told of a resource, first and later', (t) => {
  const table = new ResourceTable()
  put(table, 'for-all')
  put(table, 'for-a', ['a'])
  put(table, 'for-nobody', [])
  const [a, b, none] = [open(table, 'a'), open(table, 'b'), open(table, undefined)]
  t.deepEqual(answer(a).sent, ['for-all', 'for-a'])
  t.deepEqual(answer(b).sent, ['for-all'])
  t.deepEqual(answer(none).sent, ['for-all'])
  put(table, 'for-both', ['a', 'b'])
  t.deepEqual(answer(a).sent, ['for-both'])
  t.deepEqual(answer(b).sent, ['for-both'])
  t.false(none.isDue)
})

test('who leaves the audience is told to forget, who never was in it hears nothing', (t) => {
  const table = new ResourceTable()
  put(table, 'x', ['a', 'b'])
  const [a, b, none] = [open(table, 'a'), open(table, 'b'), open(table, undefined)]
  for (const type of [a, b, none]) answer(type)
  put(table, 'x', ['b'])
  t.deepEqual(answer(a), { sent: [], removed: ['x'] })
  t.deepEqual(answer(b), { sent: ['x'], removed: [] })
  t.false(none.isDue)
  table.update(TYPE, { removed: ['x'] })
  t.false(a.isDue, 'has forgotten already')
  t.deepEqual(answer(b), { sent: [], removed: ['x'] })
  t.false(none.isDue)
})

test('names are no way around: neither asked for, nor by alias, owner or version held', (t) => {
  const table = new ResourceTable()
  table.update(TYPE, {
    upserts: [
      { name: 'owner', bytes: bytes(1) },
      { name: 'x', aliases: ['alias'], belongsTo: ['owner'], bytes: bytes(1), audience: ['a'] },
    ],
  })
  const version = table.lookup(TYPE, 'x')?.version ?? ''
  const asking = open(table, 'b', ON_DEMAND)
  answer(asking)
  asking.change(request({ resourceNamesSubscribe: ['x', 'alias', 'owner'] }))
  t.deepEqual(answer(asking), { sent: ['owner'], removed: ['x', 'alias'] })
  const holding = open(table, 'b', { initialResourceVersions: { x: version } })
  t.deepEqual(answer(holding), { sent: ['owner'], removed: ['x'] })
})

test('an on-demand client gets what it asked for once it may see it', (t) => {
  const table = new ResourceTable()
  put(table, 'x', ['a'])
  const type = open(table, 'b', ON_DEMAND)
  answer(type)
  type.change(request({ resourceNamesSubscribe: ['x'] }))
  t.deepEqual(answer(type), { sent: [], removed: ['x'] })
  put(table, 'x', ['a', 'b'])
  t.deepEqual(answer(type), { sent: ['x'], removed: [] })
})

test('whatever the order of changes and answers, a client ends up with what its audience may see', (t) => {
  const change = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    value: fc.option(fc.nat(2)),
    audience: fc.constantFrom(undefined, [], ['me'], ['other'], ['me', 'other']),
    answer: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), fc.boolean(), (changes, wildcard) => {
      const table = new ResourceTable()
      const type = open(table, 'me', wildcard ? {} : { resourceNamesSubscribe: ['a', 'b', 'c'] })
      const held = new Map<string, number | undefined>()
      const take = (): void => {
        const { resources, removedResources } = type.next('n')
        for (const {
          name,
          bytes: [first],
        } of resources)
          held.set(name, first)
        for (const name of removedResources) held.delete(name)
      }
      for (const { name, value, audience, answer: answers } of changes) {
        if (value === null) table.update(TYPE, { removed: [name] })
        else put(table, name, audience, value)
        if (answers) take()
      }
      while (type.isDue) take()
      const mine = [...table.snapshot(TYPE).values()].filter(({ audience }) => audience?.includes('me') ?? true)
      t.deepEqual(
        [...held].toSorted(byName),
        mine.map(({ name, bytes: [first] }): [string, number | undefined] => [name, first]).toSorted(byName),
      )
    }),
    { numRuns: 500 },
  )
})

test('who knew a resource that is replaced under its name for others only is told to forget', (t) => {
  for (const before of [undefined, ['a']] as const) {
    const table = new ResourceTable()
    put(table, 'x', before)
    const [a, b] = [open(table, 'a'), open(table, 'b')]
    answer(a)
    answer(b)
    table.update(TYPE, { removed: ['x'], upserts: [{ name: 'x', bytes: bytes(2), audience: ['b'] }] })
    t.deepEqual(answer(a), { sent: [], removed: ['x'] })
    t.deepEqual(answer(b), { sent: ['x'], removed: [] })
  }
})
