import { closeSync } from 'node:fs'
import { EFD_CLOEXEC, EFD_NONBLOCK } from '../libc/constants.ts'
import { libc } from '../libc/load.ts'
import { LISTEN_BACKLOG } from '../limits.ts'
import { check, SystemCallError } from '../system-call-error.ts'
import { nodeFfi } from './native.ts'

const F_DUPFD_CLOEXEC = 1030

type Duplicate = (fd: number) => number
let duplicateDescriptor: Duplicate | undefined

function open(): Duplicate {
  const ffi = nodeFfi()
  const { functions } = ffi.dlopen(null, {
    fcntl: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    __errno_location: { arguments: [], return: 'pointer' },
  })
  const errno = functions.__errno_location()
  return (fd) => {
    const made = functions.fcntl(fd, F_DUPFD_CLOEXEC, 0)
    if (made < 0) throw new SystemCallError('fcntl', ffi.getInt32(errno, 0), `to duplicate descriptor ${fd}`)
    return made
  }
}

/** From here on the kernel completes connections to it, whoever accepts them later. */
export function listenOn(fd: number): void {
  check(libc().listen(fd, LISTEN_BACKLOG), 'listen', `on descriptor ${fd}`)
}

/** What wakes an event loop; whoever writes to it should own it, for the loop may end at any time. */
export function wakeDescriptor(): number {
  return check(libc().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd', '')
}

/** Descriptors for another owner of the same socket. */
export const duplicate = {
  of(fd: number): number {
    duplicateDescriptor ??= open()
    return duplicateDescriptor(fd)
  },
  close(fd: number): void {
    closeSync(fd)
  },
}
