import test from 'ava'
import fc from 'fast-check'
import { encode, octetString, oid, sequence } from '../src/der-builder.ts'
import { readBitString, readChildren, readDer, readOid, TAG } from '../src/der-reader.ts'

test('what is written is read back, at every length', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70_000, size: 'max' }), (bytes) => {
      const outer = readDer(encode(sequence(octetString(bytes))), TAG.sequence)
      const [inner, ...more] = (outer && readChildren(outer, 1)) ?? []
      return inner !== undefined && more.length === 0 && Buffer.from(inner.content).equals(Buffer.from(bytes))
    }),
    { numRuns: 50 },
  )
  t.pass()
})

test('object identifiers are read back', (t) => {
  fc.assert(
    fc.property(fc.nat(1), fc.nat(39), fc.array(fc.nat(2 ** 31 - 1), { maxLength: 8 }), (root, second, rest) => {
      const dotted = [root, second, ...rest].join('.')
      return readOid(readDer(encode(oid(dotted)), TAG.oid)) === dotted
    }),
  )
  t.is(readOid(readDer(encode(oid('2.5.29.17')), TAG.oid)), '2.5.29.17')
})

for (const [name, hex] of [
  ['an indefinite length', '30800000'],
  ['a length that is not in its shortest form', '308101ff'],
  ['a length with leading zeros', '3082000100'],
  ['a length past the end', '300501'],
  ['bytes after the end', '300000'],
  ['a tag of several bytes', '3f810100'],
  ['a length of five octets', '30850000000001ff'],
  ['nothing', ''],
] as const) {
  test(`${name} is not DER`, (t) => {
    t.is(readDer(Buffer.from(hex, 'hex'), TAG.sequence), undefined)
  })
}

test('more children than the limit are refused', (t) => {
  const outer = readDer(Buffer.from('3006050005000500', 'hex'), TAG.sequence)
  t.is(outer && readChildren(outer, 2), undefined)
  t.is(outer && readChildren(outer, 3)?.length, 3)
})

test('arbitrary bytes never throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const value = readDer(bytes, bytes[0] ?? 0)
      readOid(value)
      readBitString(value)
      if (value !== undefined) readChildren(value, 10)
    }),
  )
  t.pass()
})
