import { type Ip, ipFromBytes } from '@ambit/core'
import { libc } from './libc/load.ts'
import { parseAttributes, RouteSocket } from './netlink.ts'
import type { Netns } from './netns.ts'

export interface InterfaceAddress {
  readonly name: string
  readonly ip: Ip
  readonly prefix: number
}

const RTM_NEWADDR = 20
const RTM_GETADDR = 22
/** struct ifaddrmsg. */
const IFADDRMSG = 8
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const SIOCGIFNAME = 0x8910n
/** struct ifreq. */
const IFREQ = 40
const IFNAMSIZ = 16

/**
 * Addresses of every interface of the namespace, loopback included. Unlike `os.networkInterfaces` it also sees those
 * of an interface that was just brought up, which the kernel calls running only a little later.
 */
export function interfaceAddresses(netns: Netns): readonly InterfaceAddress[] {
  using socket = new RouteSocket(netns)
  const names = new Map<number, string>()
  return socket.dump(RTM_GETADDR, new Uint8Array(IFADDRMSG)).flatMap(({ type, body }) => {
    if (type !== RTM_NEWADDR || body.length < IFADDRMSG) return []
    const attributes = parseAttributes(body, IFADDRMSG)
    // On a point-to-point link IFA_ADDRESS is the other end; IPv6 usually has no IFA_LOCAL.
    const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
    const ip = bytes === undefined ? undefined : ipFromBytes(bytes)
    if (ip === undefined) return []
    const index = body.readUInt32LE(4)
    const name = names.get(index) ?? interfaceName(socket.fd, index)
    names.set(index, name)
    return [{ name, ip, prefix: body.readUInt8(1) }]
  })
}

function interfaceName(fd: number, index: number): string {
  const request = Buffer.alloc(IFREQ)
  request.writeInt32LE(index, IFNAMSIZ)
  // It may have gone since the dump.
  if (libc().ioctl(fd, SIOCGIFNAME, request) < 0) return ''
  const end = request.indexOf(0)
  return request.toString('latin1', 0, end < 0 || end > IFNAMSIZ ? IFNAMSIZ : end)
}
