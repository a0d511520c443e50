import test from 'ava'
import { BULK_BYTES, BULK_MS } from '../src/limits.ts'
import { BulkMeter } from '../src/reactor/bulk-meter.ts'

test('bulk is much in a short time, whenever that is', (t) => {
  const meter = new BulkMeter(5_000)
  t.false(meter.isDue(BULK_BYTES - 1))
  t.true(meter.isDue(BULK_BYTES))
  // An hour for the first: a connection that lives long is no bulk.
  meter.look(BULK_BYTES, 3_600_000)
  t.false(meter.isBulk)
  t.false(meter.isDue(2 * BULK_BYTES - 1))
  meter.look(2 * BULK_BYTES, 3_600_000 + BULK_MS + 1)
  t.false(meter.isBulk)
  meter.look(3 * BULK_BYTES, 3_600_000 + 2 * BULK_MS)
  t.true(meter.isBulk)
  t.false(meter.isDue(9 * BULK_BYTES))
  meter.look(9 * BULK_BYTES, 9_999_999)
  t.true(meter.isBulk)
})
