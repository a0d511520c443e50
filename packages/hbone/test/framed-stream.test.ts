import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Http2Connection, type Http2Stream, SlabPool } from '@ambit/http2'
import test from 'ava'
import { FramedStream } from '../src/framed-stream.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function newStream(): { stream: FramedStream; http2: Http2Stream<FramedStream> } {
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
  const http2 = connection.request([':method', 'CONNECT', ':authority', 'x:80'], false, stream)
  if (http2 === undefined) throw new Error('no stream')
  stream.attach(http2)
  return { stream, http2 }
}

async function heldBy(run: () => void): Promise<number> {
  const used = async (): Promise<number> => {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = await used()
  run()
  return ((await used()) - before) / 1024 / 1024
}

test.serial('bytes of a tunnel that nobody reads yet do not keep all that came with them', async (t) => {
  const { stream } = newStream()
  const held = await heldBy(() => {
    for (let i = 0; i < 1000; i++) stream.received(Buffer.allocUnsafeSlow(16 * 1024).subarray(0, 1))
  })
  t.true(held < 2, `${held.toFixed(1)} MiB`)
  stream.destroy()
})

for (const length of [1, 4])
  test.serial(`pieces of ${length} bytes that nobody reads yet cost what they have`, async (t) => {
    const { stream } = newStream()
    const count = (1024 * 1024) / length
    const held = await heldBy(() => {
      // As a record with one frame of DATA brings it.
      for (let i = 0; i < count; i++) stream.received(Buffer.allocUnsafeSlow(9 + length).subarray(9))
    })
    t.true(held < 4, `${held.toFixed(1)} MiB for 1 MiB`)
    stream.destroy()
  })

/** Pieces of all sizes, each byte another than those next to it. */
function* pieces(): Iterable<Buffer> {
  let at = 0
  for (const length of [1, 2, 3, 1000, 1, 1025, 1, 1, 70_000, 5, 1024, 1024, 1024, 20_000, 900, 900, 900, 7])
    yield Buffer.from(Array.from({ length }, () => at++ % 251))
}

const READERS: Readonly<Record<string, (stream: FramedStream) => Promise<Buffer>>> = {
  'by listening': async (stream) => {
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => {
      parts.push(part)
      if (parts.length % 3 !== 0) return
      stream.pause()
      setImmediate(() => stream.resume())
    })
    await once(stream, 'end')
    return Buffer.concat(parts)
  },
  'by asking for it all': async (stream) => {
    const parts: Buffer[] = []
    for await (const part of stream) parts.push(part as Buffer)
    return Buffer.concat(parts)
  },
  'by asking for a number of bytes': async (stream) => {
    const parts: Buffer[] = []
    stream.on('readable', () => {
      for (;;) {
        const part = (stream.read(1500) ?? stream.read()) as Buffer | null
        if (part === null) return
        parts.push(part)
      }
    })
    await once(stream, 'end')
    return Buffer.concat(parts)
  },
}

for (const [how, read] of Object.entries(READERS))
  for (const isLate of [true, false])
    test.serial(
      `what waited comes whole and in order, and is given back: ${how}, ${isLate ? 'late' : 'at once'}`,
      async (t) => {
        const { stream, http2 } = newStream()
        const sent = [...pieces(), ...pieces()]
        const early = isLate ? undefined : read(stream)
        for (const [index, piece] of sent.entries()) {
          http2.unconsumed += piece.length
          stream.received(piece)
          if (index % 5 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        if (!isLate) while (http2.unconsumed > 0) await new Promise((resolve) => setImmediate(resolve))
        const late = early ?? read(stream)
        if (isLate) while (http2.unconsumed > 0) await new Promise((resolve) => setImmediate(resolve))
        stream.receivedEnd()
        t.deepEqual(await late, Buffer.concat(sent))
        stream.destroy()
      },
    )

test.serial('an end behind pieces that wait comes behind them', async (t) => {
  const { stream } = newStream()
  for (const piece of pieces()) stream.received(piece)
  stream.receivedEnd()
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  t.deepEqual(Buffer.concat(parts), Buffer.concat([...pieces()]))
})
