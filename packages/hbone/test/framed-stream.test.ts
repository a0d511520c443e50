import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Http2Connection, SlabPool } from '@ambit/http2'
import test from 'ava'
import { FramedStream } from '../src/framed-stream.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

test('bytes of a tunnel that nobody reads yet do not keep all that came with them', async (t) => {
  const connection = new Http2Connection<FramedStream>(
    {
      slabs: new SlabPool(),
      flush: () => undefined,
      handler: {
        onHeaders: () => undefined,
        onData: () => undefined,
        onEnd: () => undefined,
        onReset: () => undefined,
        onWritable: () => undefined,
        onSettings: () => undefined,
        onPong: () => undefined,
        onGoaway: () => undefined,
        onFailure: () => undefined,
      },
    },
    { role: 'client', settings: {}, windowBytes: 1024 * 1024, now: () => performance.now() },
  )
  const stream = new FramedStream({ connection, touched: () => undefined, whenFree: (proceed) => proceed() })
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 1000; i++) stream.received(Buffer.allocUnsafeSlow(16 * 1024).subarray(0, 1))
  collect()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  const held = (process.memoryUsage().arrayBuffers - before) / 1024 / 1024
  t.is(stream.readableLength, 1000)
  t.true(held < 2, `${held.toFixed(1)} MiB`)
  stream.destroy()
})
