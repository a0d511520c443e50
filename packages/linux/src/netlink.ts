import { closeSync } from 'node:fs'
import { MSG_DONTWAIT, SOCK_CLOEXEC } from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { NETLINK_RECEIVE_BYTES } from './limits.ts'
import { messageHeader } from './message-header.ts'
import type { Netns } from './netns.ts'
import { check } from './system-call-error.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const NETLINK_ROUTE = 0
/** struct nlmsghdr. */
const HEADER = 16
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const NLM_F_REQUEST = 0x001
const NLM_F_DUMP = 0x300

export interface NetlinkMessage {
  readonly type: number
  readonly body: Buffer
}

const align = (length: number): number => (length + 3) & ~3

/** A socket that asks the kernel about one network namespace. */
export class RouteSocket implements Disposable {
  readonly fd: number

  constructor(netns: Netns) {
    this.fd = netns.run(() =>
      check(libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), 'socket', 'of NETLINK_ROUTE'),
    )
  }

  /** Everything of one kind. Synchronous: the kernel answers from memory. */
  dump(type: number, body: Uint8Array): readonly NetlinkMessage[] {
    this.#send(type, body)
    const messages: NetlinkMessage[] = []
    for (;;) {
      const { found, done } = parseNetlink(this.#receive())
      messages.push(...found)
      if (done) return messages
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }

  #send(type: number, body: Uint8Array): void {
    const request = Buffer.alloc(HEADER + body.length)
    request.writeUInt32LE(request.length, 0)
    request.writeUInt16LE(type, 4)
    request.writeUInt16LE(NLM_F_REQUEST | NLM_F_DUMP, 6)
    request.set(body, HEADER)
    const header = messageHeader(request, Buffer.alloc(0), libc().addressOf)
    check(libc().sendmsg(this.fd, header.bytes, 0), 'sendmsg', 'of a netlink request')
  }

  #receive(): Buffer {
    const data = Buffer.alloc(NETLINK_RECEIVE_BYTES)
    const header = messageHeader(data, Buffer.alloc(0), libc().addressOf)
    const length = check(libc().recvmsg(this.fd, header.bytes, MSG_DONTWAIT), 'recvmsg', 'of a netlink answer')
    return data.subarray(0, length)
  }
}

/** Splits what one receive brought; an error or the end of the dump ends it. */
export function parseNetlink(data: Buffer): { readonly found: readonly NetlinkMessage[]; readonly done: boolean } {
  const found: NetlinkMessage[] = []
  let offset = 0
  while (offset + HEADER <= data.length) {
    const length = data.readUInt32LE(offset)
    const type = data.readUInt16LE(offset + 4)
    if (length < HEADER || offset + length > data.length) break
    if (type === NLMSG_DONE || type === NLMSG_ERROR) return { found, done: true }
    found.push({ type, body: data.subarray(offset + HEADER, offset + length) })
    offset += align(length)
  }
  // Nothing at all would be asked for again for ever.
  return { found, done: found.length === 0 }
}

/** Attributes behind the fixed part of a message, by number. */
export function parseAttributes(body: Buffer, offset: number): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>()
  let at = offset
  while (at + 4 <= body.length) {
    const length = body.readUInt16LE(at)
    if (length < 4 || at + length > body.length) break
    attributes.set(body.readUInt16LE(at + 2), body.subarray(at + 4, at + length))
    at += align(length)
  }
  return attributes
}
