import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { systemClock } from '@ambit/core'
import type { Cluster } from './cluster/cluster.types.ts'
import type { KubeClusterOptions } from './cluster/kube-cluster.ts'
import type { Context } from './context.types.ts'
import type { Environment } from './env.ts'
import { sandboxOperations } from './sandbox/sandbox-operations.ts'
import { writeWholeFile } from './write-file.ts'

/** Level from which the Kubernetes client of Go prints its requests. */
const VKLOG_REQUESTS = 6

export interface Terminal {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

/** Puts the components together. */
export function createContext(environment: Environment, terminal: Terminal): Context {
  return {
    ...environment,
    out: (line) => terminal.stdout.write(`${line}\n`),
    err: (line) => terminal.stderr.write(`${line}\n`),
    now: () => systemClock.now(),
    // Not the system clock's sleep: that one lets the process end while it waits.
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    readFile: (path) => readFile(path, 'utf8'),
    listFolder: (path) => readdir(path),
    writeFile: writeWholeFile,
    ...(terminal.stderr.isTTY ? { status: statusLine(terminal.stderr) } : {}),
    ...(terminal.stdout.isTTY ? { screen: screen(terminal.stdout) } : {}),
    interrupted,
    ...(environment.browserProgram === undefined
      ? {}
      : { openBrowser: (url: string) => openBrowser(environment.browserProgram ?? '', url) }),
    confirm: (question) => confirm(question, terminal),
    cluster: (flags) =>
      openCluster({
        path: flags.text('kubeconfig'),
        context: flags.text('context'),
        timeoutMs: flags.duration('kubeclient-timeout'),
        trace: (flags.count('vklog') ?? 0) < VKLOG_REQUESTS ? undefined : (line) => terminal.stderr.write(`${line}\n`),
      }),
    clusterAt: (path) => openCluster({ path }),
    sandbox: sandboxOperations,
  }
}

/** The page's address is printed as well: a browser that does not come is no failure. */
async function openBrowser(program: string, url: string): Promise<void> {
  const child = spawn(program, [url], { stdio: 'ignore', detached: true })
  child.unref()
  await new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('spawn', () => resolve())
  })
}

/** A terminal's last line, written over and over. */
function statusLine(stderr: NodeJS.WriteStream): (line: string | undefined) => void {
  return (line) => stderr.write(`\r\u001b[K${(line ?? '').slice(0, Math.max(0, stderr.columns - 1))}`)
}

/** Draws over what it drew before, line by line, so that nothing flickers. */
function screen(stdout: NodeJS.WriteStream): (lines: readonly string[]) => void {
  return (lines) => {
    const shown = lines
      .slice(0, Math.max(1, stdout.rows - 1))
      .map((line) => `${line.slice(0, stdout.columns)}\u001b[K\n`)
    stdout.write(`\u001b[H${shown.join('')}\u001b[J`)
  }
}

/** Loaded on demand: the Kubernetes client takes longer to load than most commands take to run. */
async function openCluster(
  options: KubeClusterOptions & { readonly path?: string | undefined; readonly context?: string | undefined },
): Promise<Cluster> {
  const { KubeCluster } = await import('./cluster/kube-cluster.ts')
  return KubeCluster.fromKubeConfig(options)
}

async function confirm(question: string, terminal: Terminal): Promise<boolean> {
  if (!terminal.stdin.isTTY) return false
  const prompt = createInterface({ input: terminal.stdin, output: terminal.stdout })
  try {
    return /^y(es)?$/i.test((await prompt.question(question)).trim())
  } finally {
    prompt.close()
  }
}

/** Signals stay handled until `until`: a second Ctrl-C, or npm's copy of the first, doesn't cut the tidying up. */
function interrupted(until: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const onSignal = (): void => resolve()
  for (const signal of signals) process.on(signal, onSignal)
  // A pending promise alone does not keep Node running.
  const alive = setInterval(() => undefined, 60_000)
  until.addEventListener('abort', () => {
    for (const signal of signals) process.off(signal, onSignal)
    clearInterval(alive)
  })
  return promise
}
