import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, readFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { ReadStream } from 'node:tty'
import { AmbitError } from '@ambit/core'
import { openPty } from '@ambit/linux'
import { LIMITS } from '../limits.ts'
import type { ContainerLog } from './container-log.ts'
import { openOutputPipes } from './output-pipes.ts'
import type { PodSandbox } from './pod-sandbox.ts'
import type { ProcessSpace } from './process-space.ts'
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
 * Stays outside of the container's process space, whose first process is its child, and ends as that one has ended: 128
 * and the signal. The child gets a session of its own: `kill 0` in a container reaches nobody outside. What a shell says about
 * a killed child is not for the log.
 */
const WAITING_PARENT = 'exec 4>&2 2>/dev/null; "$@" 2>&4 4>&-; exit $?'

/**
 * Starts a container's command in the pod's namespaces and mount, process namespaces of its own. The chain of parents
 * (setpriv's parent-death signal) makes it end with the kubelet, as the end of the sandbox's process space does.
 */
export async function startContainerProcess(o: {
  readonly tools: LaunchTools
  readonly sandbox: PodSandbox
  readonly script: string
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly space: ProcessSpace
  readonly log: ContainerLog
  readonly stdin: boolean
  readonly tty: boolean
  /** Called for all output, besides the log. */
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void
}): Promise<ContainerProcess> {
  const { sandbox, tools } = o
  const { space } = o
  const session = [tools.setsid, ...(o.tty ? ['--ctty'] : [])]
  const words = [
    ...[
      '--pdeathsig',
      'KILL',
      tools.nsenter,
      `--net=${sandbox.netns}`,
      `--uts=${sandbox.uts}`,
      `--ipc=${sandbox.ipc}`,
      // Entering a process space takes a child, as making one does.
      ...(space.kind === 'shared' ? [`--pid=/proc/${space.pid}/ns/pid`] : []),
    ],
    ...[tools.unshare, '--mount', '--propagation', 'slave', ...(space.kind === 'own' ? ['--pid'] : [])],
    ...(space.kind === 'shared' ? [] : ['/bin/sh', '-c', WAITING_PARENT, 'sh', tools.setpriv, '--pdeathsig', 'KILL']),
    ...[...session, '/bin/sh', '-c', o.script, 'sh', ...o.command],
  ]
  const { child, stdin, resize, drained } = launch(o, tools.setpriv, words)
  const exited = exitOf(child).then(async (status) => {
    // Elsewhere than in a space of its own, what the program has left behind may keep its output open.
    if (space.kind === 'own') await drained
    else await Promise.race([drained, setTimeout(LIMITS.outputDrainMs, undefined, { ref: false })])
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
  // In somebody else's process space nothing ends with the first process, and signals work as anywhere.
  const kill = (): void => (space.kind === 'own' ? send('SIGKILL') : killTree(alive ? pid : undefined))
  const terminate = (): void => (space.kind !== 'own' || handlesTerm(pid) ? send('SIGTERM') : kill())
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
    const pipes = openOutputPipes()
    const child = pipes.hand((fds) =>
      spawn(program, words, {
        env: { ...o.env },
        stdio: [o.stdin ? 'pipe' : 'ignore', ...fds, 'pipe'],
        detached: true,
      }),
    )
    pipes.stdout.on('data', output('stdout'))
    pipes.stderr.on('data', output('stderr'))
    child.stdin?.on('error', () => undefined)
    return { child, stdin: child.stdin ?? undefined, resize: () => undefined, drained: pipes.drained }
  }
  const pty = openPty()
  const { slaveFd } = pty
  const child = spawn(program, words, {
    env: { TERM: 'xterm', ...o.env },
    stdio: [slaveFd, slaveFd, slaveFd, 'pipe'],
    detached: true,
  })
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
