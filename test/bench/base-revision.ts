import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Design } from './design.types.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Modules of designs that run the project's own programs, and what they export. */
interface OwnDesigns {
  readonly hboneLibraries: readonly Design[]
  readonly ztunnelDesigns: () => readonly Design[]
}

/** Another revision of the project in a folder of its own, with this checkout's installed packages. */
export class BaseRevision implements Disposable {
  readonly name: string
  readonly #folder: string

  constructor(revision: string) {
    this.name = git('rev-parse', '--short', '--verify', `${revision}^{commit}`).trim()
    this.#folder = mkdtempSync(join(tmpdir(), 'ambit-bench-base-'))
    git('worktree', 'add', '--force', '--detach', this.#folder, this.name)
    symlinkSync(join(ROOT, 'node_modules'), join(this.#folder, 'node_modules'))
    // Links to packages of the workspace are relative, so that copies of them lead to the other revision's.
    for (const name of readdirSync(join(this.#folder, 'packages'))) {
      const installed = join(ROOT, 'packages', name, 'node_modules')
      const copy = join(this.#folder, 'packages', name, 'node_modules')
      if (existsSync(installed)) cpSync(installed, copy, { recursive: true, verbatimSymlinks: true })
    }
    if (git('diff', '--stat', this.name, '--', 'pnpm-lock.yaml') !== '')
      console.error(`packages from npm are those of this checkout, which ${this.name} did not have all`)
  }

  /** Its own designs under names that say whose they are: `hbone@1a2b3c4`. */
  async designs(): Promise<readonly Design[]> {
    const from = async (file: string): Promise<Partial<OwnDesigns>> =>
      (await import(pathToFileURL(join(this.#folder, 'test/bench', file)).href)) as Partial<OwnDesigns>
    const { hboneLibraries = [] } = await from('hbone-library.ts')
    const { ztunnelDesigns } = await from('ztunnel.ts')
    return [...hboneLibraries, ...(ztunnelDesigns?.() ?? [])].map((design) => ({
      ...design,
      name: `${design.name}@${this.name}`,
    }))
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
    git('worktree', 'prune')
  }
}

function git(...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
  return stdout
}
