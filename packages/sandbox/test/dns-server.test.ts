import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import test from 'ava'
import { DnsServer } from '../src/dns/server.ts'
import type { ZoneSource } from '../src/dns/zone.ts'
import { LIMITS } from '../src/limits.ts'
import { silent } from './apiserver/harness.ts'

const source: ZoneSource = {
  domain: 'cluster.local',
  serial: 1,
  service: () => undefined,
  services: () => [],
  slices: () => [],
  allSlices: () => [],
  hasNamespace: () => false,
}

test('DNS connections above the limit are closed', async (t) => {
  await using server = new DnsServer({ source, logger: silent })
  const { tcp } = await server.listen('127.0.0.1', 0)
  const dial = async (): Promise<Socket> => {
    const socket = connect(tcp, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }
  const open: Socket[] = []
  for (let i = 0; i < LIMITS.dnsTcpConnections; i++) open.push(await dial())
  const refused = await dial()
  await once(refused, 'close')
  t.is(refused.bytesRead, 0)
  for (const socket of open) socket.destroy()
})
