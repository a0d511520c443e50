import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { AmbitError } from '@ambit/core'
import type { ContainerLog } from './container-log.ts'
import type { PodSandbox } from './pod-sandbox.ts'

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
}

export interface LaunchTools {
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
}): Promise<ContainerProcess> {
  const { sandbox, tools } = o
  const pidFlags = o.hostPid ? [] : ['--pid']
  const words = [
    ...['--pdeathsig', 'KILL', tools.nsenter, `--net=${sandbox.netns}`, `--uts=${sandbox.uts}`, `--ipc=${sandbox.ipc}`],
    ...[tools.unshare, '--mount', '--propagation', 'slave', ...pidFlags, '--fork', '--kill-child=SIGKILL'],
    ...['/bin/sh', '-c', o.script, 'sh', ...o.command],
  ]
  const child = spawn(tools.setpriv, words, { env: { ...o.env }, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
  child.stdout?.on('data', (chunk: Buffer) => o.log.write('stdout', chunk))
  child.stderr?.on('data', (chunk: Buffer) => o.log.write('stderr', chunk))
  const exited = exitOf(child)
  const ready = child.stdio[3] as Readable
  const started = await Promise.race([readySignal(ready), exited.then(() => false)])
  if (!started) {
    await exited
    throw new ContainerStartError(`the container's root could not be made: ${o.log.tail(5)}`)
  }
  const pid = onlyChildOf(child.pid)
  if (pid === undefined) {
    // Gone already: a command that ends at once is no failure to start.
    return { pid: 0, exited, terminate: () => undefined, kill: () => undefined }
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
  return { pid, exited, terminate: () => send(handlesTerm(pid) ? 'SIGTERM' : 'SIGKILL'), kill: () => send('SIGKILL') }
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

function onlyChildOf(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return children === '' ? undefined : Number(children.split(' ')[0])
  } catch {
    return undefined
  }
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
