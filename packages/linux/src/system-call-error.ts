import { getSystemErrorMap } from 'node:util'
import { AmbitError } from '@ambit/core'
import { libc } from './libc/load.ts'

/** The kernel refused a call. `code` is the name of the error number, as in Node's own system errors. */
export class SystemCallError extends AmbitError {
  override readonly code: string
  readonly errno: number
  readonly syscall: string

  constructor(syscall: string, errno: number, detail: string) {
    const [name, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error']
    super(`${syscall} ${detail}: ${name}, ${text}${hintFor(syscall, name)}`)
    this.code = name
    this.errno = errno
    this.syscall = syscall
  }
}

function hintFor(syscall: string, code: string): string {
  if (code !== 'EPERM') return ''
  return syscall === 'setns' || syscall === 'unshare'
    ? ' (CAP_SYS_ADMIN is needed in the user namespace that owns the network namespace)'
    : ' (CAP_NET_ADMIN is needed)'
}

/** Passes a successful result on; throws with the current errno otherwise. */
export function check(result: number, syscall: string, detail: string): number {
  if (result < 0) throw new SystemCallError(syscall, libc().errno(), detail)
  return result
}
