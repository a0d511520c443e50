import { open, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'

/** Refers to a file without opening it (Linux); Node's constants lack it. */
const O_PATH = 0o10000000

/**
 * Which file lies at a path below a folder, as `device:inode`; undefined when that isn't in the folder. Asked of the file
 * itself, so that nobody can exchange parts of the path between the look and the answer.
 */
export async function identityInside(folder: string, path: string): Promise<string | undefined> {
  await using file = await open(path, O_PATH)
  const [root, actual] = [await realpath(folder), await readlink(`/proc/self/fd/${file.fd}`)]
  if (actual !== root && !actual.startsWith(`${root}/`)) return undefined
  const { dev, ino } = await file.stat({ bigint: true })
  return `${dev}:${ino}`
}

/**
 * The real path of something below a folder, which need not exist yet. Containers write links into folders that are
 * mounted elsewhere later: undefined when one of them, or `..`, leads out.
 */
export async function pathInside(folder: string, relative: string): Promise<string | undefined> {
  const root = await realpath(folder)
  const parts = relative.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) return undefined
  let current = root
  for (const [index, part] of parts.entries()) {
    const real = await realpath(join(current, part)).catch(() => undefined)
    if (real === undefined) return join(current, ...parts.slice(index))
    if (real !== root && !real.startsWith(root === '/' ? '/' : `${root}/`)) return undefined
    current = real
  }
  return current
}
