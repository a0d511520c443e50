import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { AmbitError, messageOf } from '@ambit/core'
import type { DaemonLine, FromInner } from './messages.types.ts'
import { unshareFlags } from './namespaces.ts'
import { handOverPort } from './port-opener.ts'
import { takeStartLock } from './start-lock.ts'
import {
  readJson,
  type SandboxConfig,
  type SandboxState,
  startTicksOf,
  writeJson,
  writePrivately,
} from './state-folder.ts'
import { findTool } from './tools.ts'

class SandboxStartError extends AmbitError {
  readonly code = 'SANDBOX_START_FAILED'
}

/** Milliseconds the inside gets to end its pods before everything is killed. */
const SHUTDOWN_MS = 5000

// Reaps orphans as process 1 of the sandbox; the program itself waits only for its own children.
const INIT = '"$@" & wait $!'

/**
 * The process outside: it opens the API port on the machine's loopback, starts the inside in namespaces of its own, and
 * lives as long as the sandbox. When it ends, however it ends, the kernel ends everything inside.
 */
export async function runDaemon(
  config: SandboxConfig,
  tell: (line: DaemonLine) => void,
  /** Whoever started us went away before hearing that we are ready: nobody would end a sandbox nobody knows of. */
  abandoned: AbortSignal,
): Promise<void> {
  const files = filesOf(config)
  const listener = await listenAsBefore(config)
  const { port } = listener.address() as AddressInfo
  const apiUrl = `https://127.0.0.1:${port}`
  const inner = startInner(config, port)
  const ended = once(inner, 'exit')
  let stopping = false
  let wasReady = false
  const shutdown = (): void => {
    if (stopping) return
    stopping = true
    // Before it is ready nobody's pod runs in it, and it doesn't listen yet.
    if (!wasReady) inner.kill('SIGKILL')
    else if (inner.connected) inner.send({ type: 'shutdown' })
    setTimeout(() => inner.kill('SIGKILL'), SHUTDOWN_MS).unref()
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, shutdown)
  abandoned.addEventListener('abort', shutdown)
  if (abandoned.aborted) shutdown()
  inner.on('message', (message: FromInner) => {
    switch (message.type) {
      case 'want-listener':
        inner.send({ type: 'listener' }, listener, () => listener.close())
        return
      case 'want-port':
        void handOverPort(inner, message.id, message.port)
        return
      case 'progress':
        return tell(message)
      case 'failed':
        tell(message)
        return shutdown()
      case 'ready': {
        const value: SandboxState = {
          pid: process.pid,
          startTicks: startTicksOf(process.pid) ?? '',
          nodes: config.nodes,
          apiUrl,
          startedAt: new Date().toISOString(),
        }
        wasReady = true
        try {
          writePrivately(files.kubeconfig, message.kubeconfig)
          writeJson(files.state, value)
          if (config.dataFolder !== undefined) writeJson(portFile(config.dataFolder), { port })
        } catch (error) {
          tell({ type: 'failed', message: messageOf(error) })
          return shutdown()
        }
        tell({ type: 'ready' })
        return
      }
    }
  })
  const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null]
  // A sandbox of the same name may have been started since one that never was ready was given up.
  if (wasReady) {
    rmSync(files.state, { force: true })
    rmSync(files.kubeconfig, { force: true })
  }
  if (abandoned.aborted) await removeState(config)
  if (!stopping) tell({ type: 'failed', message: `the sandbox ended by itself (${signal ?? code}); see ${files.log}` })
}

/** Leaves nothing behind, unless another sandbox of that name was started meanwhile. */
async function removeState({ stateFolder }: SandboxConfig): Promise<void> {
  using _lock = await takeStartLock(stateFolder)
  if (!existsSync(`${stateFolder}/state.json`)) rmSync(stateFolder, { recursive: true, force: true })
}

function filesOf(config: SandboxConfig): { readonly kubeconfig: string; readonly state: string; readonly log: string } {
  const folder = config.stateFolder
  return { kubeconfig: `${folder}/kubeconfig`, state: `${folder}/state.json`, log: `${folder}/log` }
}

/** Kubeconfigs of an earlier run name its port: the same again, if it is to be had. */
async function listenAsBefore({ apiPort, dataFolder }: SandboxConfig): Promise<Server> {
  const before = dataFolder === undefined || apiPort !== 0 ? undefined : readJson(portFile(dataFolder))?.['port']
  if (typeof before === 'number') {
    try {
      return await listen(before)
    } catch {
      // Somebody else has it now.
    }
  }
  return await listen(apiPort)
}

function portFile(dataFolder: string): string {
  return `${dataFolder}/api-port.json`
}

async function listen(port: number): Promise<Server> {
  // Who comes before the inside has the listener is refused: a connection accepted here would wait for ever.
  const server = createServer((socket) => socket.resetAndDestroy())
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new SandboxStartError(
      `port ${port} on 127.0.0.1 can't be opened for the API server; choose another or leave it out`,
      { cause },
    )
  }
  return server
}

function startInner(config: SandboxConfig, port: number): ChildProcess {
  const tool = (name: string): string => findTool(name, config.workspace).path
  const program = fileURLToPath(new URL('./inner-main.ts', import.meta.url))
  const words = [
    ...['--pdeathsig', 'KILL', tool('unshare'), ...unshareFlags(config.rootless)],
    ...['/bin/sh', '-c', INIT, 'sh', process.execPath, '--disable-warning=ExperimentalWarning', program],
    ...[`${config.stateFolder}/config.json`, String(port)],
  ]
  return spawn(tool('setpriv'), words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'json' })
}

/** Reads the configuration that `up` left for the daemon. */
export function readConfig(path: string): SandboxConfig {
  return JSON.parse(readFileSync(path, 'utf8')) as SandboxConfig
}
