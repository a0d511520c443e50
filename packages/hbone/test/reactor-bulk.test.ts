import { once } from 'node:events'
import type { Socket } from 'node:net'
import { silentLogger, systemClock } from '@ambit/core'
import test from 'ava'
import { Reactor } from '../src/index.ts'
import { BULK_BYTES, MAX_BULK_CONNECTIONS } from '../src/limits.ts'
import { CLIENT, dial, readAll, SERVER, TestCa, until } from './mesh.ts'
import { application, clientProxy, serverProxy } from './proxies.ts'

test('while bulk flows, others take a connection of their own; when it is over, they share again', async (t) => {
  const ca = new TestCa()
  await using reactor = await Reactor.start({ logger: silentLogger, clock: systemClock })
  await using app = await application((socket) => void socket.pipe(socket))
  await using far = await serverProxy({ reactor }, ca.certify(SERVER), () => app.address)
  await using near = await clientProxy({ reactor }, ca.certify(CLIENT), far.address, SERVER)
  const user = async (): Promise<Socket> => {
    const socket = await dial(near.address, true)
    return socket.on('error', () => undefined)
  }
  const squeak = async (): Promise<void> => {
    const mouse = await user()
    mouse.end('squeak')
    t.is((await readAll(mouse)).toString(), 'squeak')
  }
  const block = Buffer.alloc(1 << 20)
  /** Goes on until it moves enough in a second, which takes longer on a busy machine; the pool takes another connection then. */
  const elephant = async (connections: number): Promise<Socket> => {
    const socket = (await user()).resume()
    while (near.connectionCount() < connections) {
      for (let sent = 0; sent < 2 * BULK_BYTES; sent += block.length) {
        if (!socket.write(block)) await once(socket, 'drain')
      }
      await squeak()
    }
    return socket
  }
  await squeak()
  t.is(near.connectionCount(), 1)
  // Each elephant takes the connection that is free, until there are enough of them.
  const herd: Socket[] = []
  while (herd.length < MAX_BULK_CONNECTIONS - 1) herd.push(await elephant(herd.length + 2))
  await squeak()
  t.is(near.connectionCount(), MAX_BULK_CONNECTIONS)
  const copied = near.results.length
  for (const socket of herd) socket.end()
  await until(() => near.results.length === copied + herd.length)
  await squeak()
  t.is(near.connectionCount(), MAX_BULK_CONNECTIONS)
})
