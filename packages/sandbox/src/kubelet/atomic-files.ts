import { chmod, chown, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'

export interface FileContent {
  readonly bytes: Uint8Array
  readonly mode: number
}

const DATA = '..data'

/**
 * Writes a volume's files so that a reader sees all of the old or all of the new ones: real files in a folder of their
 * own, reached through the link `..data` that is swapped by rename (as the kubelet does).
 */
export class AtomicFiles {
  readonly #folder: string
  #generation = 0
  #written = ''

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Returns whether anything changed. The group owns the files, where there is more than one. */
  async write(files: ReadonlyMap<string, FileContent>, group?: number): Promise<boolean> {
    const fingerprint = fingerprintOf(files)
    if (fingerprint === this.#written) return false
    const name = `..${++this.#generation}`
    const target = join(this.#folder, name)
    await mkdir(target, { recursive: true })
    for (const [path, file] of files) {
      const full = join(target, safePath(path))
      await mkdir(dirname(full), { recursive: true })
      await writeFile(full, file.bytes)
      // After writing, as the umask would take bits away. A group that is named may read.
      await chmod(full, group === undefined ? file.mode : file.mode | 0o440)
      if (group !== undefined) await chown(full, 0, group)
    }
    const link = join(this.#folder, '..data_new')
    await rm(link, { force: true })
    await symlink(name, link)
    await rename(link, join(this.#folder, DATA))
    await this.#linkTopLevel(files)
    await rm(join(this.#folder, `..${this.#generation - 1}`), { recursive: true, force: true })
    this.#written = fingerprint
    return true
  }

  async #linkTopLevel(files: ReadonlyMap<string, FileContent>): Promise<void> {
    const wanted = new Set([...files.keys()].map((path) => safePath(path).split('/')[0] ?? ''))
    for (const entry of await readdir(this.#folder)) {
      if (!entry.startsWith('..') && !wanted.has(entry)) await rm(join(this.#folder, entry), { recursive: true })
      wanted.delete(entry)
    }
    for (const entry of wanted) await symlink(join(DATA, entry), join(this.#folder, entry))
  }
}

/** A path inside the volume; the API refuses `..` in it, this makes it harmless whoever wrote it. */
function safePath(path: string): string {
  return normalize(join('/', path)).slice(1)
}

function fingerprintOf(files: ReadonlyMap<string, FileContent>): string {
  return [...files]
    .map(([path, { bytes, mode }]) => `${path}\0${mode}\0${Buffer.from(bytes).toString('base64')}`)
    .join('\n')
}
