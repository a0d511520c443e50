import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { ip, silentLogger } from '@ambit/core'
import { hostSockets } from '@ambit/linux'
import { FakeClock } from '@ambit/testing'
import test from 'ava'
import { GatewayPorts } from '../src/gateway/gateway-ports.ts'
import { LISTEN_RETRY_MAX_MS, LISTEN_RETRY_MS } from '../src/limits.ts'

test('a port that is taken is tried again, ever more rarely, and had as soon as it is free', async (t) => {
  const holder = createServer()
  holder.listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const address = holder.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening')
  const { port } = address
  const clock = new FakeClock()
  const accepted: number[] = []
  using ports = new GatewayPorts(
    {
      sockets: hostSockets(),
      onConnection: (socket, at) => {
        accepted.push(at)
        socket.destroy()
      },
      clock,
      logger: silentLogger,
    },
    { address: ip('127.0.0.1') },
  )
  await ports.reconcile(new Set([port]))
  t.deepEqual(ports.listening, [])
  const delays: (number | undefined)[] = []
  for (let round = 0; round < 7; round++) {
    delays.push(clock.nextMs)
    await clock.advance(clock.nextMs ?? 0)
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  t.deepEqual(
    delays,
    [1, 2, 4, 8, 16, 30, 30].map((times) => Math.min(times * LISTEN_RETRY_MS, LISTEN_RETRY_MAX_MS)),
  )
  holder.close()
  await once(holder, 'close')
  await clock.advance(LISTEN_RETRY_MAX_MS)
  while (ports.listening.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const client = connect(port, '127.0.0.1')
  await once(client, 'close')
  t.deepEqual(accepted, [port])
  await ports.reconcile(new Set())
  t.deepEqual(ports.listening, [])
  const late = connect(port, '127.0.0.1')
  t.like(await once(late, 'error').then(([error]: unknown[]) => error), { code: 'ECONNREFUSED' })
})

test('a port that is not wanted any more while it is waited for is not opened', async (t) => {
  const holder = createServer()
  holder.listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const address = holder.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening')
  const clock = new FakeClock()
  using ports = new GatewayPorts(
    { sockets: hostSockets(), onConnection: (socket) => socket.destroy(), clock, logger: silentLogger },
    { address: ip('127.0.0.1') },
  )
  await ports.reconcile(new Set([address.port]))
  await ports.reconcile(new Set())
  holder.close()
  await once(holder, 'close')
  await clock.advance(LISTEN_RETRY_MAX_MS)
  t.is(clock.pending, 0)
  t.deepEqual(ports.listening, [])
})
