import { dirname } from 'node:path'
import { type BaseRoot, baseRootLines } from '../host/base-root.ts'
import { mountTableLines, type TableMount } from '../host/mount-table.ts'
import { shellQuote } from '../host/shell.ts'
import { LIMITS } from '../limits.ts'
import type { Container, Pod, SecurityContext } from '../objects/pod.types.ts'
import type { MountPlan } from './mount-points.ts'

export interface RootfsPlan {
  readonly base: BaseRoot
  /** An empty folder to mount the new root on; the same for all, each container has its own mount namespace. */
  readonly mountPoint: string
  /** Folder whose files go to /etc: resolv.conf, hosts, hostname. */
  readonly etcFolder: string
  readonly mounts: MountPlan
  readonly workingDir: string
  readonly readOnlyRoot: boolean
  /** The node's processes are shown instead of the container's. */
  readonly hostPid: boolean
  /** Words of setpriv that lower the privileges. */
  readonly privileges: readonly string[]
}

/** Capabilities of an ordinary container, those of Docker and containerd. */
const DEFAULT_CAPABILITIES = [
  'chown',
  'dac_override',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'net_bind_service',
  'net_raw',
  'sys_chroot',
  'mknod',
  'audit_write',
  'setfcap',
]

/**
 * The shell script that turns a fresh mount and process namespace into the container's world and becomes its command.
 * It says a line on descriptor 3 just before the command, so that the kubelet knows set-up from program.
 */
export function rootfsScript(plan: RootfsPlan): string {
  return [
    'set -eu',
    '__path=${PATH:-}',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    `R=${shellQuote(plan.mountPoint)}`,
    `mount -t tmpfs -o mode=0755,size=${LIMITS.containerRootBytes} tmpfs "$R"`,
    ...baseRootLines(plan.base, '"$R"'),
    `cp -a ${shellQuote(`${plan.etcFolder}/.`)} etc/`,
    ...pointLines(plan.mounts),
    ...mountTableLines(tableOf(plan), plan.mountPoint),
    ...plan.mounts.expected.map(checkLine),
    'mount -t sysfs -o ro sysfs sys 2>/dev/null || :',
    `[ -d .${shellQuote(plan.workingDir)} ] || mkdir -p .${shellQuote(plan.workingDir)}`,
    'pivot_root . .old; cd /; umount -l /.old; rmdir /.old',
    ...(plan.readOnlyRoot ? ['mount -o remount,bind,ro /'] : []),
    `cd ${shellQuote(plan.workingDir)}`,
    '__setpriv=$(command -v setpriv)',
    'PATH=$__path; [ -n "$PATH" ] || unset PATH',
    'echo ready >&3; exec 3>&-',
    `exec "$__setpriv" ${plan.privileges.map(shellQuote).join(' ')} -- "$@"`,
  ].join('\n')
}

function pointLines({ files, folders }: MountPlan): string[] {
  const made = new Set([...folders, ...files.map((file) => dirname(file))])
  return [
    ...(made.size === 0 ? [] : [`mkdir -p ${[...made].map((path) => `.${shellQuote(path)}`).join(' ')}`]),
    ...files.map((file) => `[ -e .${shellQuote(file)} ] || : > .${shellQuote(file)}`),
  ]
}

/** A container of the pod may have exchanged a folder for a link while this one was being made. */
function checkLine({ identity, target }: MountPlan['expected'][number]): string {
  const message = `the part of a volume for ${target} was exchanged while it was mounted`
  return `[ "$(stat -c %d:%i .${shellQuote(target)})" = ${identity} ] || { echo ${shellQuote(message)} >&2; exit 1; }`
}

/** A process space of the container's own has a view of its own. */
function tableOf({ hostPid, mounts }: RootfsPlan): readonly TableMount[] {
  return hostPid
    ? mounts.table.map((mount) => (mount.target === '/proc' ? { source: '/proc', target: '/proc' } : mount))
    : mounts.table
}

/** Arguments of setpriv for a container. Users other than root exist only when the sandbox itself runs as root. */
export function privilegeWords(pod: Pod, container: Container, manyUsers: boolean): string[] {
  const own: SecurityContext = container.securityContext ?? {}
  const shared: SecurityContext = pod.spec.securityContext ?? {}
  const words: string[] = []
  if (own.privileged !== true) {
    const kept = keptCapabilities(own.capabilities?.add ?? [], own.capabilities?.drop ?? [])
    if (kept !== 'all') words.push('--bounding-set', ['-all', ...kept.map((name) => `+${name}`)].join(','))
  }
  const user = own.runAsUser ?? shared.runAsUser
  const group = own.runAsGroup ?? shared.runAsGroup ?? (user === undefined ? undefined : 0)
  if (manyUsers && user !== undefined && (user !== 0 || group !== 0)) {
    words.push('--reuid', String(user), '--regid', String(group ?? 0))
  }
  const groups = manyUsers ? groupsOf(pod) : []
  if (groups.length > 0) words.push('--groups', groups.join(','))
  else if (words.includes('--reuid')) words.push('--clear-groups')
  if (own.allowPrivilegeEscalation === false && own.privileged !== true) words.push('--no-new-privs')
  // setpriv without any option would only print its state.
  return words.length === 0 ? ['--bounding-set', '+kill'] : words
}

function groupsOf(pod: Pod): readonly number[] {
  const { fsGroup, supplementalGroups = [] } = pod.spec.securityContext ?? {}
  return [...new Set([...(fsGroup === undefined ? [] : [fsGroup]), ...supplementalGroups])]
}

/** The capabilities left to a container, in setpriv's spelling. */
export function keptCapabilities(add: readonly string[], drop: readonly string[]): readonly string[] | 'all' {
  const spelled = (name: string): string => name.toLowerCase().replace(/^cap_/, '')
  const [added, dropped] = [add.map(spelled), drop.map(spelled)]
  if (added.includes('all')) return 'all'
  const base = dropped.includes('all') ? [] : DEFAULT_CAPABILITIES.filter((name) => !dropped.includes(name))
  return [...new Set([...base, ...added])]
}
