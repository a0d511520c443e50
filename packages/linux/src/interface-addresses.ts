import { networkInterfaces } from 'node:os'
import { type Ip, parseIp } from '@ambit/core'
import type { Netns } from './netns.ts'

export interface InterfaceAddress {
  readonly name: string
  readonly ip: Ip
  readonly prefix: number
}

/** Addresses of every interface of the namespace that is up, loopback included. */
export function interfaceAddresses(netns: Netns): readonly InterfaceAddress[] {
  // getifaddrs(3) runs in the calling thread, so the namespace entered is the one described.
  const interfaces = netns.run(() => networkInterfaces())
  return Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ address, cidr }) => {
      const ip = parseIp(address)
      return ip === undefined ? [] : [{ name, ip, prefix: Number(cidr?.split('/')[1] ?? 0) }]
    }),
  )
}
