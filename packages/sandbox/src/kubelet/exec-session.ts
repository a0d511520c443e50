import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { openPty } from '@ambit/linux'
import type { ExecSession } from '../apiserver/contract.types.ts'
import { openOutputPipes } from './output-pipes.ts'
import { killTree } from './process-tree.ts'

export interface ExecOptions {
  /** Process 1 of the container. */
  readonly pid: number
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  readonly tty: boolean
  readonly stdin: boolean
  readonly signal: AbortSignal
  /** Words of setpriv: an exec'd command has no more privileges than the container. */
  readonly privileges: readonly string[]
  readonly tools: { readonly nsenter: string; readonly setsid: string }
}

const COMMAND_NOT_FOUND = 127

/** Runs a command inside a running container. */
export function startExec(o: ExecOptions): ExecSession {
  const enter = [
    o.tools.nsenter,
    `--target=${o.pid}`,
    '--mount',
    '--uts',
    '--ipc',
    '--net',
    '--pid',
    `--wd=/proc/${o.pid}/cwd`,
  ]
  const lower = ['/usr/bin/setpriv', ...o.privileges, '--']
  const words = [
    ...enter,
    '--',
    ...lower,
    '/bin/sh',
    '-c',
    'cd "$1" 2>/dev/null; shift; exec "$@"',
    'sh',
    o.workingDir,
    ...o.command,
  ]
  return o.tty ? ttySession(o, words) : pipeSession(o, words)
}

function pipeSession(o: ExecOptions, words: readonly string[]): ExecSession {
  const [program = '', ...args] = words
  const pipes = openOutputPipes()
  const child = pipes.hand((fds) =>
    spawn(program, args, { env: { ...o.env }, stdio: [o.stdin ? 'pipe' : 'ignore', ...fds], detached: true }),
  )
  child.stdin?.on('error', () => undefined)
  const kill = (): void => killTree(child.pid)
  o.signal.addEventListener('abort', kill, { once: true })
  const exit = new Promise<Awaited<ExecSession['exit']>>((resolve) => {
    child.once('error', (error) => resolve({ error: error.message }))
    child.once('exit', (code, signal) => resolve(outcome(code, signal, o.command)))
  }).finally(() => o.signal.removeEventListener('abort', kill))
  const { stdout, stderr } = pipes
  return { stdin: child.stdin ?? undefined, stdout, stderr, resize: () => undefined, exit }
}

function ttySession(o: ExecOptions, words: readonly string[]): ExecSession {
  const pty = openPty()
  const { slaveFd } = pty
  const env = { TERM: 'xterm', ...o.env }
  const child = spawn(o.tools.setsid, ['--ctty', '--wait', ...words], { env, stdio: [slaveFd, slaveFd, slaveFd] })
  closeSync(slaveFd)
  const master = new ReadStream(pty.master)
  const kill = (): void => killTree(child.pid)
  o.signal.addEventListener('abort', kill, { once: true })
  // The last read of a terminal whose other side has closed fails with EIO: that is its end of file.
  const drained = new Promise<void>((resolve) => {
    master.once('error', () => resolve())
    master.once('close', () => resolve())
  })
  master.on('error', () => master.destroy())
  const ended = new Promise<Awaited<ExecSession['exit']>>((resolve) => {
    child.once('error', (error) => resolve({ error: error.message }))
    child.once('exit', (code, signal) => resolve(outcome(code, signal, o.command)))
  })
  const exit = ended.then(async (result) => {
    o.signal.removeEventListener('abort', kill)
    await drained
    return result
  })
  return { stdin: o.stdin ? master : undefined, stdout: master, stderr: undefined, resize: pty.resize, exit }
}

function outcome(
  code: number | null,
  signal: NodeJS.Signals | null,
  command: readonly string[],
): Awaited<ExecSession['exit']> {
  if (signal !== null) return { code: signal === 'SIGKILL' ? 137 : 143 }
  if (code === COMMAND_NOT_FOUND && command.length === 1) return { code }
  return { code: code ?? 255 }
}
