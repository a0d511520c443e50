import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { KEEPALIVE } from './limits.ts'
import { check } from './system-call-error.ts'

const value = Buffer.alloc(4)

export function setIntOption(fd: number, level: number, option: number, to: number): void {
  value.writeInt32LE(to)
  check(libc().setsockopt(fd, level, option, value, 4), 'setsockopt', `level ${level} option ${option} to ${to}`)
}

/** As {@link setIntOption}, but a refusal is the answer false. */
export function trySetIntOption(fd: number, level: number, option: number, to: number): boolean {
  value.writeInt32LE(to)
  return libc().setsockopt(fd, level, option, value, 4) === 0
}

/** Sockets accepted from a listener inherit both, so this is done once per listener. */
export function setNoDelay(fd: number): void {
  setIntOption(fd, IPPROTO_TCP, TCP_NODELAY, 1)
}

export function setKeepAlive(fd: number): void {
  setIntOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
  setIntOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE.idleSeconds)
  setIntOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE.intervalSeconds)
  setIntOption(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE.probes)
}
