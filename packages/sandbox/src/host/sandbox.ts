import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { AmbitError, codeOf } from '@ambit/core'
import { LIMITS } from '../limits.ts'
import { openCompileCache } from './compile-cache.ts'
import type { DaemonLine } from './messages.types.ts'
import { chooseIsolation } from './namespaces.ts'
import { takeStartLock } from './start-lock.ts'
import {
  ambitHome,
  isSandboxName,
  readJson,
  readState,
  resetStateFolder,
  type SandboxConfig,
  sandboxNames,
  startTicksOf,
  stateFolder,
  writeJson,
} from './state-folder.ts'
import { findTool } from './tools.ts'

export class SandboxError extends AmbitError {
  readonly code = 'SANDBOX_FAILED'
}

export class SandboxNotRunningError extends AmbitError {
  readonly code = 'SANDBOX_NOT_RUNNING'
}

export interface SandboxUpOptions {
  /** Default `ambit`. */
  readonly name?: string | undefined
  /** Default 2. */
  readonly nodes?: number | undefined
  /** Port of the API server on 127.0.0.1; 0, the default, lets the system choose. */
  readonly apiPort?: number | undefined
  /** Root of all state; default AMBIT_HOME or ~/.ambit. */
  readonly home?: string | undefined
  /** Folder that keeps objects, keys and port for the next start; without one all ends with the sandbox. */
  readonly data?: string | undefined
  /** Filter in the syntax of RUST_LOG. */
  readonly logLevel?: string | undefined
  /** Gives up a start: nothing of it stays. One that is ready stays. */
  readonly signal?: AbortSignal | undefined
}

export interface RunningSandbox {
  readonly name: string
  readonly pid: number
  readonly nodes: number
  readonly apiUrl: string
  /** Path of the kubeconfig file. */
  readonly kubeconfig: string
  /** Path of the daemon's log. */
  readonly log: string
  readonly startedAt: string
}

export interface StartedSandbox extends RunningSandbox {
  /** It ran before; this call started nothing. */
  readonly wasRunning: boolean
}

export const DEFAULT_SANDBOX_NAME = 'ambit'
const DEFAULT_NODES = 2
const STOP_TIMEOUT_MS = 10_000
const STOP_POLL_MS = 20

/** The workspace this file belongs to. */
function workspaceFolder(): string {
  return fileURLToPath(new URL('../../../../', import.meta.url)).replace(/\/$/, '')
}

/** Starts a sandbox in the background and resolves when its nodes are ready. Starting one that runs already is no error. */
export async function sandboxUp(
  options: SandboxUpOptions = {},
  onProgress: (text: string) => void = () => undefined,
): Promise<StartedSandbox> {
  const name = options.name ?? DEFAULT_SANDBOX_NAME
  const nodes = options.nodes ?? DEFAULT_NODES
  requireName(name)
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > LIMITS.maxNodes)
    throw new SandboxError(`a sandbox has 1 to ${LIMITS.maxNodes} nodes, not ${nodes}`)
  const home = options.home ?? ambitHome(process.env)
  using _lock = await takeStartLock(stateFolder(home, name).folder, options.signal)
  const running = sandboxStatus(name, home)
  if (running !== undefined) {
    if (options.nodes !== undefined && options.nodes !== running.nodes)
      throw new SandboxError(
        `sandbox ${name} is already running, with ${countOf(running.nodes)} and not ${nodes}; end it first, or give another name`,
      )
    const dataFolder = readJson(stateFolder(home, name).config)?.['dataFolder']
    if (options.data !== undefined && resolve(options.data) !== dataFolder)
      throw new SandboxError(
        `sandbox ${name} is already running, and keeps its data ${typeof dataFolder === 'string' ? `in ${dataFolder}` : 'nowhere'}; end it first, or give another name`,
      )
    onProgress(`sandbox ${name} is already running`)
    return { ...running, wasRunning: true }
  }
  const isolation = chooseIsolation(process.getuid?.() ?? 0, findTool('unshare', workspaceFolder()))
  const files = stateFolder(home, name)
  resetStateFolder(files)
  const cache = openCompileCache(workspaceFolder(), home)
  const config: SandboxConfig = {
    name,
    nodes,
    apiPort: options.apiPort ?? 0,
    workspace: workspaceFolder(),
    stateFolder: files.folder,
    logLevel: options.logLevel ?? 'info',
    rootless: isolation.kind === 'rootless',
    compileCache: cache?.containers,
    dataFolder: options.data === undefined ? undefined : resolve(options.data),
  }
  writeJson(files.config, config)
  const program = fileURLToPath(new URL('./daemon-main.ts', import.meta.url))
  const words = [process.execPath, '--disable-warning=ExperimentalWarning', program, files.config]
  const [command = '', ...args] = isolation.kind === 'sudo' ? ['sudo', '-n', '--', ...words] : words
  const log = openSync(files.log, 'a', 0o600)
  const env = { ...process.env, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache.host }) }
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', log], cwd: '/', env })
  closeSync(log)
  if (child.stdout === null) throw new SandboxError('no pipe to the daemon')
  const giveUp = (): void => void child.kill('SIGTERM')
  options.signal?.addEventListener('abort', giveUp)
  if (options.signal?.aborted === true) giveUp()
  const failure = await firstOutcome(child.stdout, child, onProgress)
  options.signal?.removeEventListener('abort', giveUp)
  child.stdout.destroy()
  child.unref()
  if (failure !== undefined && options.signal?.aborted === true) {
    removeFolder(files.folder)
    throw new SandboxError(`the start of sandbox ${name} was given up`)
  }
  if (failure !== undefined) throw new SandboxError(`sandbox ${name} didn't start: ${failure}\nits log: ${files.log}`)
  if (isolation.kind === 'sudo') giveTo(files.kubeconfig, files.folder)
  const started = sandboxStatus(name, home)
  if (started === undefined) throw new SandboxError(`sandbox ${name} ended right after its start; see ${files.log}`)
  return { ...started, wasRunning: false }
}

/** A name becomes a folder that `down` removes, so it can't lead elsewhere. */
function requireName(name: string): void {
  if (isSandboxName(name)) return
  const letters = "lower-case letters, digits and '-' between them, at most 40"
  throw new SandboxError(`'${name}' can't be the name of a sandbox; a name has ${letters}`)
}

function countOf(nodes: number): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`
}

async function firstOutcome(
  stdout: NodeJS.ReadableStream,
  child: ChildProcess,
  onProgress: (text: string) => void,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  child.once('error', (error) => resolve(error.message))
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
    resolve(`not ready after ${LIMITS.startTimeoutMs / 1000} s`)
  }, LIMITS.startTimeoutMs)
  const lines = createInterface({ input: stdout })
  lines.on('line', (text) => {
    const line = JSON.parse(text) as DaemonLine
    if (line.type === 'progress') onProgress(line.text)
    else resolve(line.type === 'failed' ? line.message : undefined)
  })
  lines.once('close', () => resolve('its process ended'))
  return await promise.finally(() => {
    clearTimeout(timer)
    lines.close()
  })
}

/** sudo leaves files of root; the person who asked owns the folder and needs the credentials. */
function giveTo(file: string, folder: string): void {
  const { uid, gid } = statSync(folder)
  try {
    chownSync(file, uid, gid)
  } catch {
    // Not ours to give: readable through sudo only, which the message about it will tell.
  }
}

/** What runs under that name; undefined when nothing does. */
export function sandboxStatus(
  name: string = DEFAULT_SANDBOX_NAME,
  home: string = ambitHome(process.env),
): RunningSandbox | undefined {
  requireName(name)
  const files = stateFolder(home, name)
  const state = readState(files)
  if (state === undefined) return undefined
  return {
    name,
    pid: state.pid,
    nodes: state.nodes,
    apiUrl: state.apiUrl,
    kubeconfig: files.kubeconfig,
    log: files.log,
    startedAt: state.startedAt,
  }
}

/** All sandboxes that run now. */
export function runningSandboxes(home: string = ambitHome(process.env)): RunningSandbox[] {
  return sandboxNames(home).flatMap((name) => sandboxStatus(name, home) ?? [])
}

/** Ends a sandbox and removes its state. Resolves with whether one was running. */
export async function sandboxDown(
  name: string = DEFAULT_SANDBOX_NAME,
  home: string = ambitHome(process.env),
): Promise<boolean> {
  requireName(name)
  const files = stateFolder(home, name)
  using _lock = await takeStartLock(files.folder)
  const state = readState(files)
  if (state !== undefined) await stopProcess(state.pid, state.startTicks)
  if (existsSync(files.folder)) removeFolder(files.folder)
  return state !== undefined
}

async function stopProcess(pid: number, startTicks: string): Promise<void> {
  const alive = (): boolean => startTicksOf(pid) === startTicks
  signalProcess(pid, 'SIGTERM')
  const deadline = performance.now() + STOP_TIMEOUT_MS
  // Another process' end can't be awaited, only looked for.
  while (alive()) {
    if (performance.now() > deadline) signalProcess(pid, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS))
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return
    // Started through sudo, so it is root's.
    const done = codeOf(error) === 'EPERM' && spawnSync('sudo', ['-n', 'kill', `-${signal}`, String(pid)]).status === 0
    if (!done)
      throw new SandboxError(`process ${pid} of the sandbox belongs to another user; end it with: sudo kill ${pid}`, {
        cause: error,
      })
  }
}

/** Text of the kubeconfig of a running sandbox. */
export function kubeconfigOf(name: string = DEFAULT_SANDBOX_NAME, home: string = ambitHome(process.env)): string {
  const running = sandboxStatus(name, home)
  if (running === undefined)
    throw new SandboxNotRunningError(`sandbox ${name} is not running; start it with 'ambit sandbox up'`)
  return readFileSync(running.kubeconfig, 'utf8')
}

/** A sandbox started through sudo leaves files of root behind. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch (error) {
    if (spawnSync('sudo', ['-n', 'rm', '-rf', '--', folder]).status === 0) return
    throw new SandboxError(`${folder} can't be removed; remove it with: sudo rm -rf ${folder}`, { cause: error })
  }
}
