import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { AmbitError, codeOf, messageOf } from '@ambit/core'

/** Nothing can be kept where the sandboxes' state belongs. */
export class StateFolderError extends AmbitError {
  readonly code = 'SANDBOX_STATE_FOLDER'
}

/** Where a sandbox keeps what people look for: kubeconfig, log, process number. */
export interface StateFolder {
  readonly folder: string
  readonly kubeconfig: string
  readonly log: string
  readonly config: string
  readonly state: string
  readonly podLogs: string
  /** Mount point of the sandbox's tmpfs; empty as seen from the machine. */
  readonly run: string
}

export interface SandboxConfig {
  readonly name: string
  readonly nodes: number
  readonly apiPort: number
  readonly workspace: string
  readonly stateFolder: string
  readonly logLevel: string
  readonly rootless: boolean
  /** Where containers of our own images keep compiled code; undefined where nothing can be kept. */
  readonly compileCache: string | undefined
  /** Keeps objects and keys across restarts; undefined when they end with the sandbox. */
  readonly dataFolder?: string | undefined
}

/** What a running sandbox says of itself. */
export interface SandboxState {
  readonly pid: number
  /** Start time of the process in clock ticks: a number used again by another process is not it. */
  readonly startTicks: string
  readonly nodes: number
  readonly apiUrl: string
  readonly startedAt: string
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/

export function isSandboxName(name: string): boolean {
  return NAME.test(name)
}

/** Root of all sandboxes' state: AMBIT_HOME, else ~/.ambit. */
export function ambitHome(env: Readonly<Record<string, string | undefined>>): string {
  // Absolute: the daemon runs in another folder.
  return resolve(env['AMBIT_HOME'] || join(env['HOME'] || homedir(), '.ambit'))
}

export function stateFolder(home: string, name: string): StateFolder {
  const folder = join(home, 'sandbox', name)
  return {
    folder,
    kubeconfig: join(folder, 'kubeconfig'),
    log: join(folder, 'log'),
    config: join(folder, 'config.json'),
    state: join(folder, 'state.json'),
    podLogs: join(folder, 'pods'),
    run: join(folder, 'run'),
  }
}

export function sandboxNames(home: string): string[] {
  try {
    return readdirSync(join(home, 'sandbox')).filter(isSandboxName).sort()
  } catch {
    return []
  }
}

/** Prepares an empty folder that only its owner can read: it will hold credentials. */
export function resetStateFolder(state: StateFolder): void {
  try {
    rmSync(state.folder, { recursive: true, force: true })
    makeFolders(state.run, 0o700)
    chmodSync(state.folder, 0o700)
  } catch (cause) {
    throw unusable(state.folder, cause)
  }
}

function unusable(path: string, cause: unknown): StateFolderError {
  const remedy = codeOf(cause) === 'ENOSPC' ? 'Free some space there, or set' : 'Set'
  return new StateFolderError(
    `${path} can't be written (${messageOf(cause)}).\n` +
      `${remedy} AMBIT_HOME to a folder that can be written: export AMBIT_HOME=$(mktemp -d)`,
    { cause },
  )
}

/** Node's own recursive mkdir never returns where a parent refuses with ENOENT, as /proc does. */
export function makeFolders(path: string, mode: number): void {
  if (existsSync(path)) return
  const parent = dirname(path)
  if (parent !== path) makeFolders(parent, mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

export function writeJson(path: string, value: unknown): void {
  writePrivately(path, `${JSON.stringify(value, undefined, 2)}\n`)
}

/** An object from a file; undefined where there is none. */
export function readJson(path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}

/** Writes a file that only its owner can read. */
export function writePrivately(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 })
  } catch (cause) {
    throw unusable(path, cause)
  }
}

/** The state of a running sandbox; undefined when there is none or its process has gone. */
export function readState(state: StateFolder): SandboxState | undefined {
  try {
    const value = JSON.parse(readFileSync(state.state, 'utf8')) as SandboxState
    return startTicksOf(value.pid) === value.startTicks ? value : undefined
  } catch {
    return undefined
  }
}

/** When a process started, in clock ticks since boot; undefined when there is no such process. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command in parentheses may hold spaces; start time is field 22, the 20th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}
