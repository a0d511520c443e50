import { libc } from './libc/load.ts'
import { check } from './system-call-error.ts'

export interface Pipe {
  /** For `new net.Socket({ fd })`, which owns and closes it. */
  readonly readFd: number
  /** For the child's stdio; the caller closes it once the child has started. */
  readonly writeFd: number
}

const O_CLOEXEC = 0o2000000

/** A pipe, where Node's own children get sockets: those can't be opened again by name, as `/dev/stdout` is. */
export function openPipe(): Pipe {
  const fds = Buffer.alloc(8)
  check(libc().pipe(fds, O_CLOEXEC), 'pipe2', '')
  return { readFd: fds.readInt32LE(0), writeFd: fds.readInt32LE(4) }
}
