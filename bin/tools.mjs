// System programs the workspace needs beyond Node: which, from which Debian package, and how to get them.
// Plain JavaScript: read by whatever Node (>= 20) the machine has.
import { accessSync, constants, cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runProgram } from './run-program.mjs'
import { root } from './workspace-node.mjs'

/** Where packages are unpacked that can't be installed (no root), or should not be. */
export const toolsDir = join(root, '.ambit', 'tools')

/** program → Debian package */
const PROGRAMS = {
  sandbox: {
    ip: 'iproute2',
    nft: 'nftables',
    unshare: 'util-linux',
    nsenter: 'util-linux',
    setpriv: 'util-linux',
    mount: 'mount',
    curl: 'curl',
    kubectl: 'kubernetes-client',
  },
  test: { zsh: 'zsh', 'host-local': 'containernetworking-plugins' },
  browser: { chromium: 'chromium' },
  bench: { haproxy: 'haproxy', gcc: 'gcc' },
  waypointBench: { nginx: 'nginx' },
}

/** Packages that start a server when installed: they are unpacked only, also by root. */
const SERVERS = new Set(['nginx'])

/** Oldest kubectl the project is tested with: it speaks exec over WebSocket from 1.30, over SPDY before. */
const OLDEST_KUBECTL_MINOR = 27

/** Where container runtimes, and Debian, have the programs of the CNI project: in nobody's PATH. */
const cniFolders = ['/usr/lib/cni', join(toolsDir, 'usr', 'lib', 'cni')]

/** PATH and library path that also see what was unpacked into toolsDir. */
export function toolEnvironment(env = process.env) {
  const bins = ['usr/sbin', 'usr/bin', 'sbin', 'bin'].map((folder) => join(toolsDir, folder))
  const path = [env.PATH ?? '', ...bins, '/usr/sbin', '/sbin'].join(delimiter)
  if (!existsSync(toolsDir)) return { ...env, PATH: path }
  const libraries = ['usr/lib', 'lib']
    .map((folder) => join(toolsDir, folder))
    .filter(existsSync)
    .flatMap((folder) => [folder, ...readdirSync(folder).map((name) => join(folder, name))])
  return { ...env, PATH: path, LD_LIBRARY_PATH: [...libraries, env.LD_LIBRARY_PATH].filter(Boolean).join(':') }
}

/** Full path of a program, or undefined. */
export function findProgram(name, env = toolEnvironment()) {
  for (const folder of [...(env.PATH ?? '').split(delimiter), ...cniFolders]) {
    const candidate = join(folder, name)
    try {
      accessSync(candidate, constants.X_OK)
      return candidate
    } catch {
      // Not here; the next folder.
    }
  }
  return undefined
}

/** Installs what is missing of a group, or throws with exactly what to type. */
export async function ensurePrograms(group, log) {
  const wanted = Object.entries(PROGRAMS[group])
  const missing = wanted.filter(([program]) => findProgram(program) === undefined)
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))]
    const names = missing.map(([program]) => program).join(', ')
    log(`missing: ${names} (Debian: ${packages.join(' ')})`)
    if (findProgram('apt-get') === undefined)
      throw new Error(
        `This machine has no apt-get to install ${names} with. Install them with its own package manager, for example` +
          ` one of:\n\n  dnf install nftables iproute util-linux curl\n  pacman -S nftables iproute2 util-linux curl kubectl\n\n` +
          `then run: npm run setup${missing.some(([program]) => program === 'kubectl') ? `\n\n${kubectlAdvice()}` : ''}`,
      )
    const installed = process.getuid?.() === 0 ? packages.filter((name) => !SERVERS.has(name)) : []
    const unpacked = packages.filter((name) => !installed.includes(name))
    if (installed.length > 0) await installAsRoot(installed, log)
    if (unpacked.length > 0) await unpack(unpacked, log)
  }
  const still = wanted.filter(([program]) => findProgram(program) === undefined)
  if (still.length > 0) throw new Error(whatToType(still.map(([, name]) => name)))
  if (group === 'sandbox') await checkKubectl()
}

function whatToType(packages) {
  return `These programs could not be installed. Type, as root:\n\n  apt-get update && apt-get install -y ${[...new Set(packages)].join(' ')}\n`
}

function run(command, args, options = {}) {
  return runProgram(command, args, { env: toolEnvironment(), ...options })
}

async function installAsRoot(packages, log) {
  const install = () =>
    run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  log(`apt-get install ${packages.join(' ')}`)
  if ((await install()).status === 0) return
  log('apt-get update (the package lists were missing or old)')
  await run('apt-get', ['update'])
  const second = await install()
  if (second.status !== 0) throw new Error(`${second.stderr}${whatToType(packages)}`)
}

/**
 * apt works for anyone in folders of one's own: lists and archives go below .ambit, and the packages are unpacked, not
 * installed. They take the place of toolsDir all at once: interrupted, no program is there without its libraries. Only packages that the machine lacks are fetched (apt's own simulation says which).
 */
async function unpack(packages, log) {
  const next = `${toolsDir}.next`
  const state = `${toolsDir}.apt`
  const archives = join(state, 'archives')
  for (const folder of [next, state]) rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(state, 'lists', 'partial'), { recursive: true })
  mkdirSync(join(archives, 'partial'), { recursive: true })
  const options = [
    '-o',
    `Dir::State::Lists=${join(state, 'lists')}`,
    '-o',
    `Dir::Cache=${state}`,
    '-o',
    'Debug::NoLocking=true',
    '-o',
    'APT::Sandbox::User=',
  ]
  log('apt-get update (into this checkout; nothing is installed on the machine)')
  await run('apt-get', [...options, 'update'])
  const plan = await run('apt-get', [...options, '-s', '--no-install-recommends', 'install', ...packages])
  const names = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1])
  // apt believes them installed, yet the programs are gone: fetch the packages themselves.
  if (names.length === 0) names.push(...packages)
  log(`unpacking ${names.join(' ')} into ${toolsDir}`)
  const download = await run('apt-get', [...options, 'download', ...names], { cwd: archives })
  if (download.status !== 0) throw new Error(`${download.stderr}${whatToType(packages)}`)
  if (existsSync(toolsDir)) cpSync(toolsDir, next, { recursive: true, verbatimSymlinks: true })
  mkdirSync(next, { recursive: true })
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
    const unpacked = await run('dpkg', ['-x', join(archives, file), next])
    if (unpacked.status !== 0) throw new Error(`${file}: ${unpacked.stderr}${whatToType(packages)}`)
  }
  for (const folder of [state, toolsDir]) rmSync(folder, { recursive: true, force: true })
  renameSync(next, toolsDir)
}

async function checkKubectl() {
  const { stdout, stderr } = await run('kubectl', ['version', '--client', '-o', 'json'])
  const minor = /"minor":\s*"(\d+)/.exec(stdout)?.[1]
  if (minor === undefined)
    throw new Error(`${findProgram('kubectl')} does not tell its version (${stderr.trim()}).\n${kubectlAdvice()}`)
  if (Number(minor) < OLDEST_KUBECTL_MINOR)
    throw new Error(
      `${findProgram('kubectl')} is kubectl 1.${minor}, older than 1.${OLDEST_KUBECTL_MINOR}.\n${kubectlAdvice()}`,
    )
}

function kubectlAdvice() {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  return (
    `To put kubectl first on PATH, without root:\n\n  mkdir -p ~/.local/bin\n` +
    `  curl -fLo ~/.local/bin/kubectl https://dl.k8s.io/release/v1.33.4/bin/linux/${arch}/kubectl\n` +
    `  chmod +x ~/.local/bin/kubectl\n  export PATH=~/.local/bin:$PATH\n`
  )
}
