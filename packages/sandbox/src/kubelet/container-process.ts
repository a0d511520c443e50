import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, readFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { ReadStream } from 'node:tty'
import { AmbitError } from '@ambit/core'
import { openPty } from '@ambit/linux'
import type { ContainerLog } from './container-log.ts'
import type { PodSandbox } from './pod-sandbox.ts'
import { childrenOf, killTree } from './process-tree.ts'

/** The container's world could not be made, or its command not found. */
export class ContainerStartError extends AmbitError {
  readonly code = 'SANDBOX_CONTAINER_START'
}

export interface ExitStatus {
  readonly code: number
  readonly signal: number | undefined
}

export interface ContainerProcess {
  /** The container's process 1, numbered as the sandbox sees it. */
  readonly pid: number
  readonly exited: Promise<ExitStatus>
  /** Ends it as SIGTERM would end an ordinary program: a program without a handler for it is killed at once. */
  terminate(): void
  kill(): void
  /** The program's standard input, for containers that have one. */
  readonly stdin: Writable | undefined
  readonly resize: (columns: number, rows: number) => void
}

export interface LaunchTools {
  readonly setsid: string
  readonly setpriv: string
  readonly nsenter: string
  readonly unshare: string
}

const SIGTERM_BIT = 1n << 14n
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
}

/**
 * Starts a container's command in the pod's namespaces and mount, process namespaces of its own. The chain of parents
 * (setpriv's parent-death signal, unshare's kill-child) makes it end with the kubelet, whatever ends the kubelet.
 */
export async function startContainerProcess(o: {
  readonly tools: LaunchTools
  readonly sandbox: PodSandbox
  readonly script: string
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly hostPid: boolean
  readonly log: ContainerLog
  readonly stdin: boolean
  readonly tty: boolean
  /** Called for all output, besides the log. */
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void
}): Promise<ContainerProcess> {
  const { sandbox, tools } = o
  const pidFlags = o.hostPid ? [] : ['--pid']
  const terminal = o.tty ? [tools.setsid, '--ctty'] : []
  const words = [
    ...[
      '--pdeathsig',
      'KILL',
      ...terminal,
      tools.nsenter,
      `--net=${sandbox.netns}`,
      `--uts=${sandbox.uts}`,
      `--ipc=${sandbox.ipc}`,
    ],
    ...[tools.unshare, '--mount', '--propagation', 'slave', ...pidFlags, '--fork', '--kill-child=SIGKILL'],
    ...['/bin/sh', '-c', o.script, 'sh', ...o.command],
  ]
  const { child, stdin, resize, drained } = launch(o, tools.setpriv, words)
  const exited = exitOf(child).then(async (status) => {
    await drained
    return status
  })
  const ready = child.stdio[3] as Readable
  const started = await Promise.race([readySignal(ready), exited.then(() => false)])
  if (!started) {
    await exited
    throw new ContainerStartError(`the container's root could not be made: ${o.log.tail(5)}`)
  }
  const [pid] = child.pid === undefined ? [] : childrenOf(child.pid)
  if (pid === undefined) {
    // Gone already: a command that ends at once is no failure to start.
    return { pid: 0, exited, terminate: () => undefined, kill: () => undefined, stdin, resize }
  }
  let alive = true
  void exited.then(() => (alive = false))
  const send = (signal: NodeJS.Signals): void => {
    if (!alive) return
    try {
      process.kill(pid, signal)
    } catch {
      // It has just ended.
    }
  }
  // In the node's process space nothing ends with the first process.
  const kill = (): void => (o.hostPid ? killTree(alive ? pid : undefined) : send('SIGKILL'))
  const terminate = (): void => (handlesTerm(pid) ? send('SIGTERM') : kill())
  return { pid, exited, terminate, kill, stdin, resize }
}

interface Launched extends Pick<ContainerProcess, 'stdin' | 'resize'> {
  readonly child: ChildProcess
  /** All output has been read. */
  readonly drained: Promise<void>
}

function launch(o: Parameters<typeof startContainerProcess>[0], program: string, words: readonly string[]): Launched {
  const output = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
    o.log.write(stream, chunk)
    o.onOutput(stream, chunk)
  }
  if (!o.tty) {
    const child = spawn(program, words, {
      env: { ...o.env },
      stdio: [o.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'],
    })
    child.stdout?.on('data', output('stdout'))
    child.stderr?.on('data', output('stderr'))
    child.stdin?.on('error', () => undefined)
    return { child, stdin: child.stdin ?? undefined, resize: () => undefined, drained: Promise.resolve() }
  }
  const pty = openPty()
  const { slaveFd } = pty
  const child = spawn(program, words, { env: { TERM: 'xterm', ...o.env }, stdio: [slaveFd, slaveFd, slaveFd, 'pipe'] })
  closeSync(slaveFd)
  const master = new ReadStream(pty.master)
  const drained = new Promise<void>((resolve) => master.once('close', () => resolve()))
  master.on('data', output('stdout'))
  // Reading a terminal that nobody has open any more fails with EIO: that is its end of file.
  master.on('error', () => master.destroy())
  return { child, stdin: o.stdin ? master : undefined, resize: pty.resize, drained }
}

function exitOf(child: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new ContainerStartError(`cannot start a process: ${error.message}`, { cause: error })),
    )
    child.once('close', (code, signal) => {
      const number = signal === null ? undefined : (SIGNALS[signal] ?? 9)
      resolve({ code: number === undefined ? (code ?? 255) : 128 + number, signal: number })
    })
  })
}

function readySignal(stream: Readable): Promise<boolean> {
  return new Promise((resolve) => {
    stream.once('data', () => resolve(true))
    stream.once('end', () => resolve(false))
    stream.once('error', () => resolve(false))
  })
}

/** Process 1 of a namespace doesn't get signals it has no handler for; without this, `sleep` would outlive its grace period. */
function handlesTerm(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const masks = [/^SigCgt:\s*([0-9a-f]+)/m, /^SigIgn:\s*([0-9a-f]+)/m].map((mask) => mask.exec(status)?.[1] ?? '0')
    return masks.some((mask) => (BigInt(`0x${mask}`) & SIGTERM_BIT) !== 0n)
  } catch {
    return true
  }
}
