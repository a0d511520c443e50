import { closeSync, constants, openSync } from 'node:fs'
import { TIOCSWINSZ } from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { check, SystemCallError } from './system-call-error.ts'

export interface Pty {
  /** For `new tty.ReadStream(master)`, which owns and closes it. Its last read ends with EIO, which is normal. */
  readonly master: number
  readonly slavePath: string
  /** For the child's stdio; the caller closes it once the child has started. */
  readonly slaveFd: number
  resize(columns: number, rows: number): void
}

const O_CLOEXEC = 0o2000000
const MAX_NAME = 64

/** A new pseudo terminal. */
export function openPty(): Pty {
  const c = libc()
  const flags = constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC
  const master = check(c.posixOpenpt(flags), 'posix_openpt', '')
  try {
    check(c.grantpt(master), 'grantpt', '')
    check(c.unlockpt(master), 'unlockpt', '')
    const name = Buffer.alloc(MAX_NAME)
    const errno = c.ptsname(master, name, BigInt(MAX_NAME))
    if (errno !== 0) throw new SystemCallError('ptsname_r', errno, '')
    const slavePath = name.toString('utf8', 0, name.indexOf(0))
    const slaveFd = openSync(slavePath, constants.O_RDWR | constants.O_NOCTTY)
    return { master, slavePath, slaveFd, resize: (columns, rows) => resize(master, columns, rows) }
  } catch (error) {
    closeSync(master)
    throw error
  }
}

function resize(master: number, columns: number, rows: number): void {
  // struct winsize: rows, columns, and two pixel counts nobody sets.
  const size = Buffer.alloc(8)
  size.writeUInt16LE(rows, 0)
  size.writeUInt16LE(columns, 2)
  check(libc().ioctl(master, TIOCSWINSZ, size), 'ioctl', 'TIOCSWINSZ')
}
