// A process of its own: `node warm-compiled.ts <module>…` loads the modules and leaves their compiled code in NODE_COMPILE_CACHE.
// Writing takes many hundred small files, which on a busy disk took half a minute, and stops whoever does it.
import { chmodSync, readdirSync, statSync } from 'node:fs'
import { flushCompileCache, getCompileCacheDir } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

for (const file of process.argv.slice(2)) await import(pathToFileURL(file).href)
flushCompileCache()

// Containers of any user may read it.
const folder = getCompileCacheDir()
if (folder !== undefined) {
  chmodSync(folder, 0o755)
  for (const name of readdirSync(folder)) {
    const file = join(folder, name)
    if (statSync(file).isFile()) chmodSync(file, 0o644)
  }
}
// Modules may have started something that would keep the process.
process.exit(0)
