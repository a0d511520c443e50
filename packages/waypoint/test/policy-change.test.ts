import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import test from 'ava'
import { Protocol, World } from './support/world.ts'

const NOT_HERE = { authorizationPolicies: ['default/stop'] }

test('a connection whose endpoint is still being dialled is cut when policy changes', async (t) => {
  await using world = await World.start()
  await world.serve(
    createTcp((socket) => socket.on('error', () => undefined)),
    { protocol: Protocol.TCP },
  )
  const dialled = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const dial = world.sockets.dial.bind(world.sockets)
  world.sockets.dial = async (options) => {
    dialled.resolve()
    await held.promise
    return await dial(options)
  }
  const stream = await world.client().connect()
  stream.resume()
  await dialled.promise
  world.policy('stop', { rules: [] })
  world.destination('web', [{ number: 80, protocol: Protocol.TCP }], NOT_HERE)
  await once(stream, 'close')
  held.resolve()
  t.pass()
})

async function webSocket(world: World): Promise<Duplex> {
  const app = createServer((_request, response) => response.end('ok'))
  app.on('upgrade', (_request, socket) => {
    socket.on('error', () => undefined)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello')
  })
  await world.serve(app)
  const sent = await world.client().start({ path: '/ws', headers: { connection: 'Upgrade', upgrade: 'websocket' } })
  sent.end()
  const [, stream] = (await once(sent, 'upgrade')) as [unknown, Duplex]
  stream.resume()
  stream.on('error', () => undefined)
  return stream
}

test('a WebSocket that policy lets in no more is cut, by what its request was', async (t) => {
  await using world = await World.start()
  const stream = await webSocket(world)
  // One that is not about it leaves it alone.
  world.policy('stop', { action: 1, rules: [{ to: [{ paths: ['/other'] }] }] })
  world.destination('web', [{ number: 80, protocol: Protocol.HTTP }], NOT_HERE)
  await world.applied(async () => (await world.client().request({ path: '/other' })).status === 403)
  t.false(stream.destroyed)
  world.policy('stop', { action: 1, rules: [{ to: [{ paths: ['/ws'] }] }] })
  await once(stream, 'close')
  t.pass()
})

test('requests of open connections are judged by what holds when they come', async (t) => {
  await using world = await World.start()
  await world.serve(createServer((_request, response) => response.end('ok')))
  const client = world.client()
  const stream = await client.connect()
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  stream.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n')
  await world.applied(() => Promise.resolve(text.includes('ok')))
  const session = await client.http2()
  const status = async (): Promise<number> => {
    const request = session.request({ ':path': '/' })
    request.resume()
    const [headers] = (await once(request, 'response')) as [{ ':status': number }]
    return headers[':status']
  }
  t.is(await status(), 200)
  world.policy('stop', { rules: [] })
  world.destination('web', [{ number: 80, protocol: Protocol.HTTP }], NOT_HERE)
  await world.applied(async () => (await status()) === 403)
  stream.write('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n')
  await once(stream, 'end')
  t.regex(text, /200 OK[\s\S]*403 Forbidden/)
  session.destroy()
})
