// Finds the Node 26 that the workspace installs from npm and runs programs with it.
// Plain JavaScript: this file is read by whatever Node (>= 20) the machine has.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Flags every program of the workspace runs with: node:ffi is experimental and says so at each start. */
export const nodeFlags = ['--disable-warning=ExperimentalWarning']

/** Path of the workspace's own Node, or undefined before `npm run setup`. */
export function workspaceNode() {
  const path = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
  return existsSync(path) ? path : undefined
}

/** Replaces this process, as far as Node can: same stdio, signals passed on, same exit code. */
export function runUnderWorkspaceNode(program, args, env = process.env) {
  const node = workspaceNode()
  if (node === undefined) {
    console.error('ambit: this checkout is not set up yet. Run: npm run setup')
    process.exit(1)
  }
  const child = spawn(node, [...nodeFlags, fileURLToPath(program), ...args], { stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0)))
}
