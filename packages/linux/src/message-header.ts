import { SCM_RIGHTS, SOL_SOCKET } from './libc/constants.ts'

/** sizeof(struct msghdr), (struct iovec), (struct cmsghdr) on 64-bit Linux. */
const MSGHDR = 56
const IOVEC = 16
const CMSGHDR = 16
const CONTROL_LENGTH_OFFSET = 40
const FLAGS_OFFSET = 48

const align = (length: number): number => (length + 7) & ~7

/** Room the control part needs for that many descriptors. */
export function controlSpace(fds: number): number {
  return CMSGHDR + align(4 * fds)
}

/** struct msghdr with one buffer of data and one of control messages. All buffers must stay referenced during the call. */
export interface MessageHeader {
  readonly bytes: Buffer
  readonly data: Uint8Array
  readonly iovec: Buffer
  readonly control: Buffer
}

export function messageHeader(
  data: Uint8Array,
  control: Buffer,
  addressOf: (bytes: Uint8Array) => bigint,
): MessageHeader {
  const iovec = Buffer.alloc(IOVEC)
  // An empty buffer has no address; the length of zero keeps the kernel from looking.
  iovec.writeBigUInt64LE(data.length === 0 ? 0n : addressOf(data), 0)
  iovec.writeBigUInt64LE(BigInt(data.length), 8)
  const bytes = Buffer.alloc(MSGHDR)
  bytes.writeBigUInt64LE(addressOf(iovec), 16)
  bytes.writeBigUInt64LE(1n, 24)
  bytes.writeBigUInt64LE(control.length === 0 ? 0n : addressOf(control), 32)
  bytes.writeBigUInt64LE(BigInt(control.length), CONTROL_LENGTH_OFFSET)
  return { bytes, data, iovec, control }
}

/** A control part that passes descriptors. */
export function encodeRights(fds: readonly number[]): Buffer {
  if (fds.length === 0) return Buffer.alloc(0)
  const control = Buffer.alloc(controlSpace(fds.length))
  control.writeBigUInt64LE(BigInt(CMSGHDR + 4 * fds.length), 0)
  control.writeInt32LE(SOL_SOCKET, 8)
  control.writeInt32LE(SCM_RIGHTS, 12)
  fds.forEach((fd, index) => control.writeInt32LE(fd, CMSGHDR + 4 * index))
  return control
}

/** Descriptors in the control part the kernel filled in. */
export function decodeRights(control: Buffer, length: number): number[] {
  const fds: number[] = []
  let offset = 0
  while (offset + CMSGHDR <= length) {
    const size = Number(control.readBigUInt64LE(offset))
    if (size < CMSGHDR || offset + size > length) break
    const isRights = control.readInt32LE(offset + 8) === SOL_SOCKET && control.readInt32LE(offset + 12) === SCM_RIGHTS
    const end = isRights ? offset + size : 0
    for (let at = offset + CMSGHDR; at + 4 <= end; at += 4) fds.push(control.readInt32LE(at))
    offset += align(size)
  }
  return fds
}

export function receivedControlLength(header: MessageHeader): number {
  return Math.min(header.control.length, Number(header.bytes.readBigUInt64LE(CONTROL_LENGTH_OFFSET)))
}

export function receivedFlags(header: MessageHeader): number {
  return header.bytes.readInt32LE(FLAGS_OFFSET)
}
