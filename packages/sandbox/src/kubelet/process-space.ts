import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { LaunchTools } from './container-process.ts'
import { childrenOf } from './process-tree.ts'

/** Whose processes a container sees. */
export type ProcessSpace =
  | { readonly kind: 'own' }
  /** All of the node's. */
  | { readonly kind: 'node' }
  /** Those of the space that a process is in. */
  | { readonly kind: 'shared'; readonly pid: number }

/** Takes over and buries processes whose parents are gone, as the first process of a space has to. */
const PAUSE = 'echo ready; trap "exit 0" TERM; while :; do sleep 2147483647 & wait $!; done'

export interface SharedProcessSpace {
  readonly pid: number
  /** Ends every process in it. */
  close(): Promise<void>
}

/** A process space for all containers of a pod, held by a process that does nothing else. */
export async function createProcessSpace(tools: LaunchTools): Promise<SharedProcessSpace> {
  const words = [
    '--pdeathsig',
    'KILL',
    tools.unshare,
    '--pid',
    '--fork',
    '--kill-child=SIGKILL',
    '/bin/sh',
    '-c',
    PAUSE,
  ]
  const child = spawn(tools.setpriv, words, { stdio: ['ignore', 'pipe', 'ignore'] })
  const exited = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), exited.then(() => Promise.reject(new Error('it ended at once')))])
  child.stdout.resume()
  return { pid: firstOf(child), close: () => end(child, exited) }
}

function firstOf(child: ChildProcess): number {
  const [pid] = child.pid === undefined ? [] : childrenOf(child.pid)
  if (pid === undefined) throw new Error('the process space has no first process')
  return pid
}

async function end(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL')
  await exited
}
