import { systemClock } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { ApiCore } from '../../src/apiserver/api-core.ts'
import { fromFieldsV1, toFieldsV1 } from '../../src/apiserver/apply/field-set.ts'
import { fieldSetOf } from '../../src/apiserver/apply/typed-walk.ts'
import { internalContext } from '../../src/apiserver/resources/request-context.ts'
import { BuiltinTypes } from '../../src/apiserver/schema/builtin-types.ts'
import { StatusError } from '../../src/apiserver/status-error.ts'
import { silent } from './harness.ts'

function setUp() {
  const core = new ApiCore({ clock: systemClock, logger: silent, caPem: '' })
  const apply = (resource: string, manager: string, config: Record<string, unknown>, force = false) => {
    const definition = core.registry.findResource('', resource)
    if (definition === undefined) throw new Error(resource)
    const target = { definition, version: 'v1', namespace: 'default', name: 'x' }
    const object = {
      apiVersion: 'v1',
      kind: definition.kind,
      metadata: { name: 'x', ...(config['metadata'] as object) },
      ...config,
    }
    return core.service.apply(
      target,
      { ...object, metadata: { name: 'x', ...(config['metadata'] as object | undefined) } },
      { ...internalContext(manager), force },
    )
  }
  return { core, apply }
}

test('a field that its only manager no longer applies is removed', (t) => {
  const { core, apply } = setUp()
  using _core = core
  apply('configmaps', 'a', { data: { one: '1', two: '2' } })
  const after = apply('configmaps', 'a', { data: { one: '1' } })
  t.deepEqual(after['data'], { one: '1' })
})

test('a field that another manager also applies stays', (t) => {
  const { core, apply } = setUp()
  using _core = core
  apply('configmaps', 'a', { data: { one: '1', two: '2' } })
  apply('configmaps', 'b', { data: { two: '2' } })
  t.deepEqual(apply('configmaps', 'a', { data: { one: '1' } })['data'], { one: '1', two: '2' })
})

test('a conflict names manager and field, and force takes the field over', (t) => {
  const { core, apply } = setUp()
  using _core = core
  apply('configmaps', 'a', { data: { k: '1' } })
  const error = t.throws(() => apply('configmaps', 'b', { data: { k: '2' } }), { instanceOf: StatusError })
  t.is(error?.status, 409)
  t.is(error?.message, 'Apply failed with 1 conflict: conflict with "a" using v1: .data.k')
  t.deepEqual(error?.details?.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "a" using v1', field: '.data.k' },
  ])
  const forced = apply('configmaps', 'b', { data: { k: '2' } }, true)
  t.deepEqual(forced['data'], { k: '2' })
  t.deepEqual(
    forced.metadata.managedFields?.map((entry) => entry.manager),
    ['b'],
  )
})

test('applying the same again writes nothing', (t) => {
  const { core, apply } = setUp()
  using _core = core
  const config = { spec: { selector: { a: 'b' }, ports: [{ port: 80 }] } }
  const first = apply('services', 'a', config)
  t.is(apply('services', 'a', config).metadata.resourceVersion, first.metadata.resourceVersion)
})

test('service ports are a map by port and protocol', (t) => {
  const { core, apply } = setUp()
  using _core = core
  apply('services', 'a', { spec: { ports: [{ name: 'a', port: 80 }] } })
  const both = apply('services', 'b', { spec: { ports: [{ name: 'b', port: 81, protocol: 'TCP' }] } })
  t.deepEqual(
    (both['spec'] as { ports: { name: string }[] }).ports.map((port) => port.name),
    ['a', 'b'],
  )
})

test('an update owns what it changed and takes it from others', async (t) => {
  const { core, apply } = setUp()
  using _core = core
  apply('configmaps', 'a', { data: { one: '1', two: '2' } })
  const gvr = { group: '', version: 'v1', resource: 'configmaps' }
  const changed = await core.client('editor').patch(gvr, 'default', 'x', { data: { one: 'changed' } })
  t.deepEqual(
    changed.metadata.managedFields?.map((entry) => [entry.manager, entry.operation, entry.fieldsV1]),
    [
      ['a', 'Apply', { 'f:data': { 'f:two': {} } }],
      ['editor', 'Update', { 'f:data': { 'f:one': {} } }],
    ],
  )
})

test('field sets read what they write', (t) => {
  const type = new BuiltinTypes().get('ConfigMap')
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (data) => {
      const set = fieldSetOf(type, { data })
      t.deepEqual(toFieldsV1(fromFieldsV1(toFieldsV1(set)) ?? set), toFieldsV1(set))
    }),
  )
  t.is(fromFieldsV1({ nonsense: {} }), undefined)
})
