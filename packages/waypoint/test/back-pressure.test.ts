import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { Readable } from 'node:stream'
import test from 'ava'
import { Protocol, World } from './support/world.ts'

const MEBIBYTE = 1024 * 1024
const SIZE = 150 * MEBIBYTE

function source(): Readable {
  const chunk = Buffer.alloc(64 * 1024, 'x')
  let left = SIZE
  return new Readable({
    read() {
      if (left <= 0) this.push(null)
      else this.push(chunk)
      left -= chunk.length
    },
  })
}

/** Memory outside the heap and in it that grows with bodies that wait. */
function watchMemory(): { peak: () => number } {
  const start = process.memoryUsage.rss()
  let peak = start
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 10)
  return {
    peak: () => {
      clearInterval(timer)
      return peak - start
    },
  }
}

test.serial('an endpoint that does not read stops its client, after little', async (t) => {
  await using world = await World.start()
  const arrived = Promise.withResolvers<IncomingMessage>()
  await world.serve(
    createServer((request) => {
      request.on('error', () => undefined)
      arrived.resolve(request)
    }),
  )
  const sent = await world.client().start({ method: 'POST' })
  const request = await (sent.flushHeaders(), arrived.promise)
  request.pause()
  let written = 0
  const chunk = Buffer.alloc(64 * 1024)
  // Until nobody takes more for a while: the windows of both tunnels and the buffers between them are full.
  while (written < 100 * MEBIBYTE) {
    written += chunk.length
    if (sent.write(chunk)) continue
    const moved = await Promise.race([
      once(sent, 'drain').then(() => true),
      new Promise<false>((resolve) => setTimeout(resolve, 1000, false)),
    ])
    if (!moved) break
  }
  t.true(written < 40 * MEBIBYTE, `${Math.round(written / MEBIBYTE)} MiB were taken`)
  sent.destroy()
})

for (const [name, protocol] of [
  ['HTTP/1.1', Protocol.HTTP],
  ['HTTP/2', Protocol.HTTP2],
] as const) {
  test.serial(`150 MB sent and echoed need little memory: ${name}`, async (t) => {
    await using world = await World.start()
    await world.serve(
      protocol === Protocol.HTTP
        ? createServer((request, response) => request.pipe(response))
        : createHttp2((request, response) => request.stream.pipe(response.stream)),
      { protocol },
    )
    const sent = await world.client().start({ method: 'POST' })
    const memory = watchMemory()
    source().pipe(sent)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    let received = 0
    for await (const chunk of response) received += (chunk as Buffer).length
    const peak = memory.peak()
    t.is(received, SIZE)
    // Client, application and both their tunnels live in this process too.
    t.log(`peak ${Math.round(peak / MEBIBYTE)} MiB over the start`)
    t.true(peak < 120 * MEBIBYTE, `${Math.round(peak / MEBIBYTE)} MiB`)
  })
}
