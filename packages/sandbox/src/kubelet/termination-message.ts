import { chmod, mkdir, open, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LIMITS } from '../limits.ts'
import type { Container } from '../objects/pod.types.ts'
import type { ContainerLog } from './container-log.ts'

export const DEFAULT_MESSAGE_PATH = '/dev/termination-log'

/** The empty file in which a container leaves why it ended; every user may write to it. */
export async function prepareMessageFile(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, '')
  await chmod(file, 0o666)
}

/** What a container said when it ended: in its file, else the end of its log where it asked for that and failed. */
export async function terminationMessage(
  file: string,
  container: Container,
  exitCode: number,
  log: ContainerLog,
): Promise<string> {
  const written = await readStart(file)
  if (written !== '' || exitCode === 0 || container.terminationMessagePolicy !== 'FallbackToLogsOnError') return written
  const tail = Buffer.from(log.tail(LIMITS.terminationLogLines))
  return tail.subarray(Math.max(0, tail.length - LIMITS.terminationLogBytes)).toString()
}

async function readStart(path: string): Promise<string> {
  try {
    await using file = await open(path)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LIMITS.terminationMessageBytes))
    return buffer.subarray(0, bytesRead).toString()
  } catch {
    return ''
  }
}
