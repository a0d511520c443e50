import { SO_ATTACH_REUSEPORT_CBPF, SOL_SOCKET } from './libc/constants.ts'
import { libc } from './libc/load.ts'

/** Which of the sockets at one port gets what is new, in the order they came: who hands over is the first of them. */
const SECOND = 1
/** BPF_RET | BPF_K: the answer is a constant. */
const RETURN_CONSTANT = 0x06

/**
 * From now on the kernel gives new connections (or datagrams) to the socket that came to this one's port after it, as
 * long as there is one. Left to itself it deals them out to both until the older is closed, and then resets those that
 * wait in its queue. False where the port is not shared, so that nobody can follow.
 */
export function preferNewer(fd: number): boolean {
  const instruction = Buffer.alloc(8)
  instruction.writeUInt16LE(RETURN_CONSTANT, 0)
  instruction.writeUInt32LE(SECOND, 4)
  const program = Buffer.alloc(16)
  program.writeUInt16LE(1, 0)
  program.writeBigUInt64LE(libc().addressOf(instruction), 8)
  return libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program, program.length) === 0
}
