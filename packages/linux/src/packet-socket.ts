import { AF_PACKET, ETH_P_ALL, SOCK_CLOEXEC, SOCK_DGRAM } from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { check } from './system-call-error.ts'

/**
 * A socket that sees a copy of every packet of this network namespace, in both directions, without link-layer header
 * (packet(7)). Each read of the descriptor is one packet, cut to the buffer. The caller closes it.
 */
export function openPacketSocket(): number {
  const networkOrder = ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8)
  return check(libc().socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, networkOrder), 'socket', 'for all packets')
}
