import test from 'ava'
import fc from 'fast-check'
import { ConflistError, chainedName, hasPlugin, insertPlugin, primaryConfig, removePlugin } from '../src/conflist.ts'

const PLUGIN = { type: 'istio-cni', name: 'istio-cni', ambient_enabled: true }

test('our plugin is appended, the others and unknown fields stay', (t) => {
  const before = {
    cniVersion: '1.0.0',
    name: 'net',
    extra: { a: [1] },
    plugins: [{ type: 'bridge', x: 1 }, { type: 'portmap' }],
  }
  const after = JSON.parse(insertPlugin(JSON.stringify(before), PLUGIN))
  t.deepEqual(after, { ...before, plugins: [...before.plugins, PLUGIN] })
})

test('a single plugin becomes a list', (t) => {
  const after = JSON.parse(insertPlugin('{"cniVersion":"0.3.1","name":"net","type":"bridge","ipam":{}}', PLUGIN))
  t.deepEqual(after, {
    cniVersion: '0.3.1',
    name: 'net',
    plugins: [{ cniVersion: '0.3.1', name: 'net', type: 'bridge', ipam: {} }, PLUGIN],
  })
  t.is(chainedName('10-net.conf'), '10-net.conflist')
  t.is(chainedName('10-net.conflist'), '10-net.conflist')
})

test('an older entry of ours is replaced and moved to the end', (t) => {
  const before = { plugins: [{ type: 'istio-cni', old: 1 }, { type: 'bridge' }, { type: 'istio-cni' }] }
  const after = JSON.parse(insertPlugin(JSON.stringify(before), PLUGIN))
  t.deepEqual(after.plugins, [{ type: 'bridge' }, PLUGIN])
})

for (const [what, text] of Object.entries({
  'no JSON': '{',
  'no object': '[]',
  'neither plugins nor type': '{"name":"x"}',
  'a plugin that is no object': '{"plugins":[1]}',
  'an empty chain': '{"plugins":[]}',
  'only ourselves': '{"plugins":[{"type":"istio-cni"}]}',
})) {
  test(`a configuration with ${what} is left alone`, (t) => {
    t.throws(() => insertPlugin(text, PLUGIN), { instanceOf: ConflistError })
    t.false(hasPlugin(text, PLUGIN))
  })
}

test('the first file by name is the one the runtime takes', (t) => {
  t.is(primaryConfig(['20-b.conflist', '10-a.conf', '00-note.txt', '.10-a.conf.tmp']), '10-a.conf')
  t.is(primaryConfig(['02-istio-cni.conflist', '10-a.conf'], '02-istio-cni.conflist'), '10-a.conf')
  t.is(primaryConfig(['99-loopback.json']), undefined)
})

const foreignPlugin = fc.record({ type: fc.constantFrom('bridge', 'portmap', 'calico'), data: fc.jsonValue() })
const list = fc.record({
  cniVersion: fc.constantFrom('0.3.1', '1.0.0'),
  name: fc.string(),
  plugins: fc.array(foreignPlugin, { minLength: 1, maxLength: 4 }),
})

test('inserting twice is inserting once, and removing gives the original back', (t) => {
  fc.assert(
    fc.property(list, (config) => {
      const text = JSON.stringify(config)
      const once = insertPlugin(text, PLUGIN)
      t.true(hasPlugin(once, PLUGIN))
      t.is(insertPlugin(once, PLUGIN), once)
      t.deepEqual(JSON.parse(removePlugin(once)), JSON.parse(text))
      t.is(removePlugin(text), text)
    }),
  )
})

test('whatever the file holds, editing yields valid JSON or a named error', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      for (const edit of [() => insertPlugin(text, PLUGIN), () => removePlugin(text)]) {
        try {
          JSON.parse(edit())
        } catch (error) {
          t.true(error instanceof ConflistError)
        }
      }
    }),
  )
})
