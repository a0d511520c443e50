import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { makeFolders } from './state-folder.ts'

/**
 * Folders where Node keeps compiled code between starts. The sandbox's own processes and its containers have one each:
 * what a container writes never runs outside of one.
 */
export interface CompileCache {
  readonly host: string
  readonly containers: string
}

/** In the workspace, so that all sandboxes share it; in the sandboxes' home where the workspace is somebody else's. */
export function openCompileCache(workspace: string, home: string): CompileCache | undefined {
  for (const parent of [join(workspace, '.ambit'), home]) {
    const folder = join(parent, 'cache', 'node')
    const cache = { host: join(folder, 'host'), containers: join(folder, 'containers') }
    try {
      for (const one of Object.values(cache)) {
        makeFolders(one, 0o755)
        accessSync(one, constants.W_OK)
      }
      return cache
    } catch {
      // Not ours to write: the next place, or none. Everything works without, only slower.
    }
  }
  return undefined
}
