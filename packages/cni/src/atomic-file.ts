import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Replaces a file in one step. The temporary file stands beside it, under a name no reader of the folder takes for a
 * configuration.
 */
export async function writeAtomically(path: string, content: string, mode: number): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      // The mode of open is subject to the umask.
      await file.chmod(mode)
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Writes only when content or permissions differ; returns whether it did. */
export async function ensureFile(path: string, content: string, mode: number): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch(() => undefined)
  if (before === content && ((await stat(path)).mode & 0o777) === mode) return false
  await writeAtomically(path, content, mode)
  return true
}
