import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { ip } from '@ambit/core'
import test from 'ava'
import { hostSockets } from '../src/index.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
)

for (const [address, skip] of [
  ['127.0.0.1', false],
  ['0.0.0.0', false],
  ['::1', !hasIpv6],
  ['::', !hasIpv6],
] as const) {
  ;(skip ? test.skip : test)(`a UDP socket can be bound to ${address}`, async (t) => {
    const socket = await hostSockets().bindUdp({ ip: ip(address), port: 0 })
    t.is(socket.address().address, address)
    const closed = once(socket, 'close')
    socket.close()
    await closed
  })
}
