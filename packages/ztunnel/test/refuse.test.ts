import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { FakeClock } from '@ambit/testing'
import test, { type ExecutionContext } from 'ava'
import { REFUSAL_HOLD_MS } from '../src/limits.ts'
import { refuse } from '../src/refuse.ts'

/** Both ends of a connection: the client's, and the one that was accepted. */
async function pair(t: ExecutionContext): Promise<[client: Socket, accepted: Socket]> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => undefined)
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown]
  t.teardown(() => {
    client.destroy()
    accepted.destroy()
    server.close()
  })
  return [client, accepted]
}

async function failureOf(client: Socket): Promise<unknown> {
  const [error] = (await once(client, 'error', { signal: AbortSignal.timeout(3000) })) as [NodeJS.ErrnoException]
  return error.code
}

test('a refused client that says nothing is reset after a moment, and not before', async (t) => {
  const [client, accepted] = await pair(t)
  const clock = new FakeClock()
  const refused = refuse(accepted, clock)
  t.is(clock.nextMs, REFUSAL_HOLD_MS)
  t.false(accepted.destroyed, 'a reset now could overtake the return of connect()')
  const failure = failureOf(client)
  await clock.advance(REFUSAL_HOLD_MS)
  await refused
  t.is(await failure, 'ECONNRESET')
})

test('a refused client that says something is reset then', async (t) => {
  const [client, accepted] = await pair(t)
  const clock = new FakeClock()
  const refused = refuse(accepted, clock)
  const failure = failureOf(client)
  client.write('GET / HTTP/1.1\r\n\r\n')
  await refused
  t.is(await failure, 'ECONNRESET')
  t.is(clock.pending, 0)
})

test('what a refused client said before counts', async (t) => {
  const [client, accepted] = await pair(t)
  const failure = failureOf(client)
  client.write('early')
  await once(accepted, 'readable')
  await refuse(accepted, new FakeClock())
  t.is(await failure, 'ECONNRESET')
})

test('a refused client that ends its side, or goes away, is not waited for', async (t) => {
  const [client, accepted] = await pair(t)
  const refused = refuse(accepted, new FakeClock())
  client.end()
  await refused
  t.true(accepted.destroyed)

  const [gone, left] = await pair(t)
  const ended = refuse(left, new FakeClock())
  left.on('error', () => undefined)
  gone.resetAndDestroy()
  await ended
  t.true(left.destroyed)
})
