import { realpath } from 'node:fs/promises'
import { join } from 'node:path'

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
