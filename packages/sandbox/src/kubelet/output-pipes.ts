import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { openPipe } from '@ambit/linux'

export interface OutputPipes {
  readonly stdout: Socket
  readonly stderr: Socket
  /** Starts a child with them; ours of its ends are closed then. */
  hand<T>(start: (fds: readonly [stdout: number, stderr: number]) => T): T
  /** Everything has been read. */
  readonly drained: Promise<void>
}

/** Standard output and error of a program that may open `/dev/stdout`: Node's own would be sockets, which can't be. */
export function openOutputPipes(): OutputPipes {
  const [out, err] = [openPipe(), openPipe()]
  const [stdout, stderr] = [reader(out.readFd), reader(err.readFd)]
  return {
    stdout,
    stderr,
    hand: (start) => {
      try {
        return start([out.writeFd, err.writeFd])
      } finally {
        closeSync(out.writeFd)
        closeSync(err.writeFd)
      }
    },
    drained: Promise.all([closed(stdout), closed(stderr)]).then(() => undefined),
  }
}

function reader(fd: number): Socket {
  const socket = new Socket({ fd, readable: true, writable: false })
  socket.on('error', () => socket.destroy())
  return socket
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}
