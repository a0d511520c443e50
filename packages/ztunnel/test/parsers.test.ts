// Whatever the other side sends or an operator types: an answer, never an exception that no one expects.
import { AmbitError } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { parseDuration } from '../src/duration.ts'
import { parseLocalXds } from '../src/local-xds.ts'
import { decodeZdsRequest } from '../src/zds-messages.ts'

const BYTES = fc.uint8Array({ maxLength: 1024 })
const FDS = fc.array(fc.nat(1000), { maxLength: 3 })

test('any packet of the node agent is a request or a fault', (t) => {
  fc.assert(
    fc.property(BYTES, FDS, (bytes, fds) => {
      const decoded = decodeZdsRequest(bytes, fds)
      if (!decoded.ok) t.true(decoded.reason.length > 0)
      else if (decoded.request.kind === 'add') t.is(fds.length, 1)
    }),
  )
})

test('a descriptor comes with an add, and only there', (t) => {
  // DelWorkload{uid (2): "x"} as payload 2.
  const del = Uint8Array.from([0x12, 0x03, 0x12, 0x01, 0x78])
  t.true(decodeZdsRequest(del, []).ok)
  t.false(decodeZdsRequest(del, [3]).ok)
})

test('any text is a duration or none', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseDuration(text)
      t.true(ms === undefined || (ms >= 0 && !Number.isNaN(ms)))
    }),
  )
})

test('an alias without its anchor is a named error', (t) => {
  t.throws(() => parseLocalXds('*$'), { code: 'local-xds-invalid' })
})

test('any text is a local configuration or a named error', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        t.truthy(parseLocalXds(text))
      } catch (error) {
        t.true(error instanceof AmbitError, String(error))
      }
    }),
  )
})
