import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import test from 'ava'
import { answerOf, Protocol, textOf, World } from './support/world.ts'

test('a waypoint that is told to end finishes what is under way and serves who still comes', async (t) => {
  // Idle connections are closed after this long: on a busy machine a shorter time would be over before the next request.
  await using world = await World.start({ config: { minDrainMs: 3_000, drainDeadlineMs: 30_000 } })
  const release = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  await world.serve(
    createServer((request, response) => {
      if (request.url !== '/slow') {
        response.end('quick')
        return
      }
      arrived.resolve()
      void release.promise.then(() => response.end('slow'))
    }),
  )
  const client = world.client()
  const kept = await client.connect()
  let said = ''
  kept.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ask = async (): Promise<string> => {
    said = ''
    kept.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n')
    await world.applied(() => {
      if (kept.destroyed) throw new Error('the kept connection was closed')
      return Promise.resolve(said.endsWith('quick'))
    })
    return said
  }
  t.notRegex(await ask(), /connection: close/i)
  const slow = await client.start({ path: '/slow' })
  slow.end()
  await arrived.promise
  const drained = world.app.drain()
  const ready = await fetch(`http://127.0.0.1:${world.app.bound.readiness.port}/healthz/ready`)
  t.is(ready.status, 500)
  // One on the connection it has, and one on a new tunnel: both are served, and told that it was the last.
  t.regex(await ask(), /^HTTP\/1\.1 200[\s\S]*connection: close/)
  t.is((await world.client('late').request()).body, 'quick')
  release.resolve()
  t.is((await answerOf(slow)).body, 'slow')
  await drained
  await t.throwsAsync(client.connect())
})

test('requests of HTTP/2 under way are finished too', async (t) => {
  await using world = await World.start({ config: { minDrainMs: 50, drainDeadlineMs: 20_000 } })
  const release = Promise.withResolvers<void>()
  await world.serve(
    createHttp2((_request, response) => {
      response.write('a')
      void release.promise.then(() => response.end('b'))
    }),
    { protocol: Protocol.HTTP2 },
  )
  const session = await world.client().http2()
  const call = session.request({ ':path': '/' })
  await once(call, 'response')
  const goaway = once(session, 'goaway')
  const drained = world.app.drain()
  await goaway
  release.resolve()
  t.is(await textOf(call), 'ab')
  await drained
})

test('what does not end is cut at the deadline', async (t) => {
  await using world = await World.start({ config: { minDrainMs: 10, drainDeadlineMs: 100 } })
  const arrived = Promise.withResolvers<void>()
  await world.serve(createServer(() => arrived.resolve()))
  const sent = await world.client().start()
  sent.end()
  await arrived.promise
  const closed = new Promise<void>((resolve) => void sent.once('close', resolve))
  await world.app.drain()
  await closed
  t.pass()
})
