#!/usr/bin/env node
// Makes a fresh checkout runnable: Node packages by pnpm, programs by Debian's. Running it again costs nothing.
// Plain JavaScript: read by whatever Node (>= 20) the machine has.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Interrupted, runProgram } from './run-program.mjs'
import { ensurePrograms } from './tools.mjs'
import { root, workspaceNode } from './workspace-node.mjs'

const OLDEST_NODE = 20
// Pinned here, not as `packageManager`: with that field pnpm wants itself in the lock file, which a frozen install can't add.
const PNPM = 'pnpm@12.21.0'
const stampFile = join(root, 'node_modules', '.ambit-setup')

function log(text) {
  console.error(`setup: ${text}`)
}

/** Changes when the lock file or this machine's Node changes. */
function installedStamp() {
  const lock = readFileSync(join(root, 'pnpm-lock.yaml'))
  return createHash('sha256').update(lock).update(process.arch).digest('hex')
}

async function installPackages() {
  const stamp = installedStamp()
  if (workspaceNode() !== undefined && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  log(`installing Node packages with ${PNPM}`)
  // npx brings the pinned pnpm; a pnpm of the machine's own might be another version.
  const { status, stderr } = await runProgram(
    'npx',
    ['--yes', PNPM, 'install', '--frozen-lockfile', '--reporter=append-only'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, npm_config_loglevel: 'error', npm_config_update_notifier: 'false' },
    },
  )
  if (status !== 0)
    throw new Error(
      `${stderr}pnpm install failed; its message is above. Most often npm can't reach its registry (to check: npm ping) or may not write to ~/.npm or to this folder`,
    )
  if (workspaceNode() === undefined)
    throw new Error(
      `no Node 26 for this machine (${process.platform} ${process.arch}); Linux on x64 or arm64 is supported`,
    )
  writeFileSync(stampFile, stamp)
}

/** Installs everything the given groups of programs need; throws with what to type when it can't. */
export async function setup(groups = ['sandbox']) {
  const major = Number.parseInt(process.versions.node, 10)
  if (process.platform !== 'linux') throw new Error('Ambit runs on Linux only: it uses network namespaces')
  if (major < OLDEST_NODE)
    throw new Error(
      `Node ${process.versions.node} is too old; ${OLDEST_NODE} or newer is needed: https://nodejs.org/en/download`,
    )
  mkdirSync(join(root, '.ambit'), { recursive: true })
  await installPackages()
  for (const group of groups) await ensurePrograms(group, log)
}

if (realpathSync(process.argv[1] ?? '/') === realpathSync(fileURLToPath(import.meta.url))) {
  try {
    await setup(['sandbox'])
    log('ready')
  } catch (error) {
    console.error(`setup: ${error.message}`)
    if (error instanceof Interrupted) log('run it again to go on: npm run setup')
    process.exit(error.exitCode ?? 1)
  }
}
