import { writeSync } from 'node:fs'
import { LOG_FLUSH_CHARS, LOG_WRITE_RETRIES } from './limits.ts'

/**
 * A line writer that gathers what one turn of the event loop logs into one write. Written synchronously, and at exit,
 * so that the last lines of a dying process are not lost.
 */
export function batchedOutput(fd: number): (line: string) => void {
  let pending = ''
  let scheduled: NodeJS.Immediate | undefined
  const flush = (): void => {
    if (scheduled !== undefined) clearImmediate(scheduled)
    scheduled = undefined
    const text = pending
    pending = ''
    writeAll(fd, Buffer.from(text))
  }
  process.on('exit', flush)
  return (line) => {
    pending += line
    if (pending.length >= LOG_FLUSH_CHARS) flush()
    else scheduled ??= setImmediate(flush)
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  let offset = 0
  let retries = 0
  while (offset < bytes.length && retries < LOG_WRITE_RETRIES) {
    try {
      offset += writeSync(fd, bytes, offset)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      retries++
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}
