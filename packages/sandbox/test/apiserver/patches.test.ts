import test from 'ava'
import fc from 'fast-check'
import { applyJsonPatch } from '../../src/apiserver/patch/json-patch.ts'
import { applyMergePatch } from '../../src/apiserver/patch/merge-patch.ts'
import { applyStrategicMerge } from '../../src/apiserver/patch/strategic-merge.ts'
import { BuiltinTypes } from '../../src/apiserver/schema/builtin-types.ts'
import { StatusError } from '../../src/apiserver/status-error.ts'

const types = new BuiltinTypes()
const deployment = types.get('apps.Deployment')
const pod = types.get('Pod')

const jsonPatch = test.macro({
  exec: (t, document: unknown, patch: unknown, expected: unknown) =>
    t.deepEqual(applyJsonPatch(document, patch), expected),
  title: (name) => `JSON patch: ${name}`,
})
test('adds to an object', jsonPatch, { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 })
test('inserts into a list', jsonPatch, { l: [1, 3] }, [{ op: 'add', path: '/l/1', value: 2 }], { l: [1, 2, 3] })
test('appends to a list', jsonPatch, { l: [1] }, [{ op: 'add', path: '/l/-', value: 2 }], { l: [1, 2] })
test('removes', jsonPatch, { a: 1, 'b/c': 2 }, [{ op: 'remove', path: '/b~1c' }], { a: 1 })
test('moves', jsonPatch, { a: 1 }, [{ op: 'move', from: '/a', path: '/b' }], { b: 1 })
test('tests', jsonPatch, { a: [1] }, [{ op: 'test', path: '/a', value: [1] }], { a: [1] })

test('a JSON patch whose path is missing is refused', (t) => {
  t.throws(() => applyJsonPatch({}, [{ op: 'remove', path: '/a' }]), { instanceOf: StatusError })
  t.throws(() => applyJsonPatch({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }]), { instanceOf: StatusError })
})

test('no JSON patch crashes or changes its input', (t) => {
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
    path: fc.constantFrom('', '/', '/a', '/a/0', '/a/-', '/b/c', '/__proto__/x', 'a'),
    from: fc.constantFrom('', '/a', '/b', '/a/0'),
    value: fc.jsonValue(),
  })
  fc.assert(
    fc.property(fc.array(operation), (patch) => {
      const document = { a: [1], b: { c: 1 } }
      try {
        applyJsonPatch(document, patch)
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
      }
      t.deepEqual(document, { a: [1], b: { c: 1 } })
      t.is(({} as Record<string, unknown>)['x'], undefined)
    }),
    { numRuns: 300 },
  )
  t.pass()
})

test('a merge patch removes by null and replaces lists', (t) => {
  t.deepEqual(applyMergePatch({ a: { b: 1, c: 2 }, l: [1, 2] }, { a: { b: null }, l: [3] }), { a: { c: 2 }, l: [3] })
})

const strategic = test.macro({
  exec: (t, target: unknown, patch: unknown, expected: unknown) =>
    t.deepEqual(applyStrategicMerge(pod, target, patch), expected as never),
  title: (name) => `strategic merge: ${name}`,
})
const containers = (...items: unknown[]): unknown => ({ spec: { containers: items } })
test(
  'containers merge by name',
  strategic,
  containers({ name: 'a', image: '1' }, { name: 'b', image: '1' }),
  containers({ name: 'b', image: '2' }),
  containers({ name: 'a', image: '1' }, { name: 'b', image: '2' }),
)
test(
  '$patch delete removes an item',
  strategic,
  containers({ name: 'a' }, { name: 'b' }),
  containers({ name: 'a', $patch: 'delete' }),
  containers({ name: 'b' }),
)
test(
  '$patch replace replaces a list',
  strategic,
  containers({ name: 'a' }),
  containers({ $patch: 'replace' }, { name: 'c' }),
  containers({ name: 'c' }),
)
test(
  '$setElementOrder orders',
  strategic,
  containers({ name: 'a' }, { name: 'b' }),
  { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a', image: 'x' }] } },
  containers({ name: 'b' }, { name: 'a', image: 'x' }),
)
test(
  '$deleteFromPrimitiveList deletes',
  strategic,
  { metadata: { finalizers: ['a', 'b'] } },
  { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
  { metadata: { finalizers: ['b'] } },
)
test(
  'primitive lists merge where the type says so',
  strategic,
  { metadata: { finalizers: ['a'] } },
  { metadata: { finalizers: ['b', 'a'] } },
  { metadata: { finalizers: ['a', 'b'] } },
)
test(
  'tolerations, without a key, are replaced',
  strategic,
  { spec: { tolerations: [{ key: 'a' }] } },
  { spec: { tolerations: [{ key: 'b' }] } },
  { spec: { tolerations: [{ key: 'b' }] } },
)
test(
  'null removes',
  strategic,
  { metadata: { labels: { a: '1', b: '2' } } },
  { metadata: { labels: { a: null } } },
  { metadata: { labels: { b: '2' } } },
)

test('$retainKeys drops what a strategy no longer has', (t) => {
  const target = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } }
  const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }
  t.deepEqual(applyStrategicMerge(deployment, target, patch), { spec: { strategy: { type: 'Recreate' } } })
})
