import test from 'ava'
import fc from 'fast-check'
import { keepOwnPiece, keepPiece, SMALL_PIECE_BYTES, type WaitingPiece } from '../src/waiting-piece.ts'

const lengths = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: SMALL_PIECE_BYTES + 2 }), fc.nat(5000)),
  { maxLength: 300 },
)

test('pieces that wait stay in order, and cost what they have, whatever a peer cuts them to', (t) => {
  fc.assert(
    fc.property(lengths, fc.array(fc.boolean(), { minLength: 300, maxLength: 300 }), (sizes, owns) => {
      const waiting: WaitingPiece[] = []
      const all = Buffer.from(Array.from({ length: sizes.reduce((sum, size) => sum + size, 0) }, (_, i) => i % 251))
      let at = 0
      for (const [index, size] of sizes.entries()) {
        if (owns[index] === true) keepOwnPiece(waiting, Buffer.from(all.subarray(at, at + size)))
        else keepPiece(waiting, all, at, at + size)
        at += size
      }
      t.deepEqual(Buffer.concat(waiting.map((piece) => piece.bytes.subarray(piece.at, piece.end))), all)
      const held = waiting.reduce((sum, { bytes }) => sum + bytes.length, 0)
      t.true(held <= 3 * all.length + SMALL_PIECE_BYTES, `${held} for ${all.length}`)
      t.true(waiting.length <= 2 + (2 * all.length) / SMALL_PIECE_BYTES, `${waiting.length} for ${all.length}`)
    }),
  )
})

test('what was begun to be sent goes on to gather', (t) => {
  const waiting: WaitingPiece[] = []
  for (let i = 0; i < 10; i++) keepPiece(waiting, Buffer.from([i]), 0, 1)
  const [, second] = waiting
  t.is(waiting.length, 2)
  if (second === undefined) return
  second.at += 4
  keepPiece(waiting, Buffer.from([10]), 0, 1)
  t.deepEqual([...second.bytes.subarray(second.at, second.end)], [5, 6, 7, 8, 9, 10])
})
