import { createServer } from 'node:http'
import { createServer as createTcp } from 'node:net'
import test from 'ava'
import { World } from './support/world.ts'

test('one client does not take the places of all', async (t) => {
  await using world = await World.start({ overrides: { maxTunnels: 8 } })
  await world.serve(createServer((_request, response) => response.end('ok')))
  const client = world.client()
  const open = [await client.connect(), await client.connect()]
  await t.throwsAsync(client.connect(), { message: /503/ })
  await world.log.find(/tunnel refused.*2 of one client are open already/)
  for (const stream of open) stream.destroy()
  await world.applied(() => Promise.resolve(world.app.openTunnels === 0))
  t.is((await client.request()).status, 200)
})

test('nothing a client says forges a field or a line of the access log', async (t) => {
  await using world = await World.start({ settings: { accessLog: { encoding: 0, format: '' } } })
  await world.serve(createServer((_request, response) => response.end('ok')))
  await world
    .client()
    .raw(
      Buffer.from(
        'GET /a"b HTTP/1.1\r\nHost: web\r\nConnection: close\r\nUser-Agent: x" 200 "\x85\x9b31mforged\t\\\r\n\r\n',
        'latin1',
      ),
    )
  const line = await world.access.find(/GET/)
  t.true(line.includes('/a\\x22b'), line)
  t.true(line.includes('"x\\x22 200 \\x22\\x85\\x9b31mforged\\x09\\x5c"'), line)
})

test('an endpoint does not choose labels', async (t) => {
  await using world = await World.start()
  let status = 530
  await world.serve(
    createTcp((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => {
        socket.write(`HTTP/1.1 ${status} X\r\nGrpc-Status: ${status}\r\nContent-Length: 0\r\n\r\n`)
        status++
      })
    }),
  )
  const client = world.client()
  for (let i = 0; i < 20; i++) t.is((await client.request()).status, 530 + i)
  const series = (await world.stats()).match(/^istio_requests_total\{.*$/gm) ?? []
  t.is(series.length, 1)
  t.regex(series[0] ?? '', /response_code="5xx",grpc_response_status="2".* 20$/)
})
