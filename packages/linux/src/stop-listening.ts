import { SHUT_RDWR } from './libc/constants.ts'
import { libc } from './libc/load.ts'

/** Whoever connects from now on is refused, and what waits to be accepted is reset, also where others have descriptors of the socket. */
export function stopListening(fd: number): void {
  libc().shutdown(fd, SHUT_RDWR)
}
