// What users write into objects of the cluster: an answer for any text.
import test from 'ava'
import fc from 'fast-check'
import { decodeMeshConfig } from '../src/mesh/mesh-config.ts'
import { parseBool } from '../src/watch/json.ts'

test('any mesh configuration is read or refused with a reason', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      t.notThrows(() => decodeMeshConfig(text, 'istio-system'))
    }),
  )
})

test('booleans are those of Go, all else is none', (t) => {
  for (const yes of ['1', 't', 'T', 'TRUE', 'true', 'True']) t.true(parseBool(yes))
  for (const no of ['0', 'f', 'F', 'FALSE', 'false', 'False']) t.false(parseBool(no))
  fc.assert(
    fc.property(fc.string(), (text) => {
      t.true([true, false, undefined].includes(parseBool(text)))
    }),
  )
  t.is(parseBool('yes'), undefined)
})
