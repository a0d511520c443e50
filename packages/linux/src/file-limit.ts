import { RLIMIT_NOFILE } from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { check } from './system-call-error.ts'

/** Raises the number of descriptors this process may open to the most it is allowed; returns that number. */
export function raiseFileLimit(): number {
  // struct rlimit: soft, hard.
  const previous = Buffer.alloc(16)
  const wanted = Buffer.alloc(16)
  check(libc().prlimit(0, RLIMIT_NOFILE, undefined, previous), 'prlimit', 'of RLIMIT_NOFILE')
  const hard = previous.readBigUInt64LE(8)
  wanted.writeBigUInt64LE(hard, 0)
  wanted.writeBigUInt64LE(hard, 8)
  check(libc().prlimit(0, RLIMIT_NOFILE, wanted, undefined), 'prlimit', `of RLIMIT_NOFILE to ${hard}`)
  return Number(hard)
}
