import test from 'ava'
import * as fc from 'fast-check'
import { textTable } from '../src/text-table.ts'

test('columns are as wide as their widest cell plus the padding, the last one is not padded', (t) => {
  const rows = [
    ['NAME', 'A', 'LAST'],
    ['x', 'long cell', 'y'],
  ]
  t.deepEqual(textTable(rows, 1), ['NAME A         LAST', 'x    long cell y'])
  t.deepEqual(textTable(rows, 5), ['NAME     A             LAST', 'x        long cell     y'])
})

test('empty cells keep their column', (t) => {
  t.deepEqual(
    textTable(
      [
        ['A', 'B', 'C'],
        ['', '', 'x'],
      ],
      1,
    ),
    ['A B C', '    x'],
  )
})

test('control characters from the network do not reach the terminal', (t) => {
  t.deepEqual(textTable([['\u001b[31mred\u0007', 'x']], 1), ['\\x1b[31mred\\x07 x'])
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }), { maxLength: 4 }),
      (rows) => {
        for (const line of textTable(rows, 1)) t.notRegex(line, /\p{Cc}/u)
      },
    ),
  )
})
