import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { AmbitError } from '@ambit/core'
import type { Tool } from './tools.ts'

/** Neither root nor user namespaces are to be had. */
export class NamespacesForbiddenError extends AmbitError {
  readonly code = 'SANDBOX_NAMESPACES_FORBIDDEN'
}

export type Isolation =
  /** Own user namespace; no privileges on the machine. */
  | { readonly kind: 'rootless' }
  /** We are root already. */
  | { readonly kind: 'root' }
  /** Through sudo without a password prompt. */
  | { readonly kind: 'sudo' }

const FLAGS = [
  '--mount',
  '--net',
  '--uts',
  '--ipc',
  '--pid',
  '--fork',
  '--kill-child=SIGKILL',
  '--mount-proc',
  '--propagation',
  'private',
]

/** Words of unshare that make the sandbox's namespaces. */
export function unshareFlags(rootless: boolean): readonly string[] {
  return rootless ? ['--user', '--map-root-user', ...FLAGS] : FLAGS
}

/** Finds out how namespaces can be made on this machine, by making some. */
export function chooseIsolation(uid: number, unshare: Tool): Isolation {
  if (uid === 0) {
    const tried = tryUnshare(unshare, [])
    if (tried.ok) return { kind: 'root' }
    throw new NamespacesForbiddenError(`root may not create namespaces here (${tried.stderr}). ${containerAdvice()}`)
  }
  const tried = tryUnshare(unshare, ['--user', '--map-root-user'])
  if (tried.ok) return { kind: 'rootless' }
  if (spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0) return { kind: 'sudo' }
  throw new NamespacesForbiddenError(forbiddenMessage(tried.stderr, readSetting))
}

function tryUnshare(unshare: Tool, flags: readonly string[]): { readonly ok: boolean; readonly stderr: string } {
  const words = [...flags, '--mount', '--net', '--pid', '--fork', '--mount-proc', 'true']
  const result = spawnSync(unshare.path, words, { encoding: 'utf8', env: { ...process.env, ...unshare.env } })
  return { ok: result.status === 0, stderr: (result.stderr || result.error?.message || '').trim() }
}

function readSetting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

const REMEDIES: readonly { readonly setting: string; readonly bad: string; readonly good: string }[] = [
  { setting: 'kernel.apparmor_restrict_unprivileged_userns', bad: '1', good: '0' },
  { setting: 'kernel.unprivileged_userns_clone', bad: '0', good: '1' },
  { setting: 'user.max_user_namespaces', bad: '0', good: '15000' },
]

/** Says what forbids user namespaces and what to type about it. */
export function forbiddenMessage(stderr: string, setting: (name: string) => string | undefined): string {
  const wrong = REMEDIES.filter(({ setting: name, bad }) => setting(name) === bad)
  const commands = wrong.map(({ setting: name, good }) => `  sudo sysctl -w ${name}=${good}`)
  const advice =
    commands.length > 0
      ? `This machine's settings forbid them. Allow them until the next boot with\n${commands.join('\n')}\nor run the same command with sudo.`
      : `Run the same command with sudo. ${containerAdvice()}`
  return `the sandbox needs user namespaces, and creating one failed (${stderr}).\n${advice}`
}

function containerAdvice(): string {
  return 'Inside a container, start that container with --privileged, or with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN,NET_ADMIN.'
}
