import { hash } from 'node:crypto'
import { existsSync, globSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { runCommand } from '../host/run-command.ts'
import { LIMITS } from '../limits.ts'

/** Components that containers run, each by the module that loads all of its code. */
const COMPONENTS = ['controller', 'cni', 'ztunnel', 'waypoint'] as const

/** What our programs are made of, without their entry points: to load one of those is to run it. */
const PROGRAM_PARTS = ['serve.ts', 'bookinfo/*.ts', 'fortio/*.ts', 'httpbin/*.ts'] as const

/** As whom waypoints run where there is more than one user (Istio's). Node keeps a folder for each user. */
const PROXY_UID = 1337

export interface CompiledCodeOptions {
  readonly workspace: string
  /** Where containers read compiled code. */
  readonly folder: string
  readonly signal: AbortSignal
  /** Nobody waits for it: it takes what all others leave. */
  readonly niceness?: number
}

/**
 * Compiles the components' code once for all starts to come, in another process. Containers only read it: a component that
 * wrote it itself would stand still meanwhile. Does nothing where it is up to date.
 */
export async function keepCompiledCode({
  workspace,
  folder,
  signal,
  niceness = 19,
}: CompiledCodeOptions): Promise<void> {
  const mark = join(folder, `complete-${digestOf(workspace)}`)
  if (existsSync(mark)) return
  const components = COMPONENTS.map((name) => join(workspace, 'packages', name, 'src/app.ts')).filter((file) =>
    existsSync(file),
  )
  const programs = join(workspace, 'packages/sandbox/src/programs')
  const modules = [...components, ...PROGRAM_PARTS.flatMap((part) => globSync(join(programs, part)))]
  const program = join(import.meta.dirname, 'warm-compiled.ts')
  await runCommand(
    ['nice', '-n', String(niceness), process.execPath, '--disable-warning=ExperimentalWarning', program, ...modules],
    {
      env: { ...process.env, NODE_COMPILE_CACHE: folder },
      timeoutMs: LIMITS.compileTimeoutMs,
      signal,
    },
  )
  shareWith(PROXY_UID, folder)
  for (const old of globSync(join(folder, 'complete-*'))) rmSync(old, { force: true })
  writeFileSync(mark, '')
}

/** The folder's name ends in the user it is for. */
function shareWith(uid: number, folder: string): void {
  for (const ours of globSync(join(folder, `v*-${process.getuid?.() ?? 0}`))) {
    const theirs = join(dirname(ours), basename(ours).replace(/-\d+$/, `-${uid}`))
    if (!existsSync(theirs)) symlinkSync(basename(ours), theirs)
  }
}

/** Changes when any source file does. */
function digestOf(workspace: string): string {
  const files = globSync('packages/*/src/**/*.ts', { cwd: workspace }).sort()
  const facts = files.map((file) => {
    const { size, mtimeMs } = statSync(join(workspace, file))
    return `${file} ${size} ${mtimeMs}`
  })
  return hash('sha256', [process.version, ...facts].join('\n')).slice(0, 16)
}
