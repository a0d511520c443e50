import { type BaseRoot, baseRootLines } from '../host/base-root.ts'
import { shellQuote } from '../host/shell.ts'
import { LIMITS } from '../limits.ts'
import type { Container, Pod, SecurityContext } from '../objects/pod.types.ts'

export interface Mount {
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
}

export interface RootfsPlan {
  readonly base: BaseRoot
  /** An empty folder to mount the new root on; the same for all, each container has its own mount namespace. */
  readonly mountPoint: string
  /** Folder whose files go to /etc: resolv.conf, hosts, hostname. */
  readonly etcFolder: string
  readonly mounts: readonly Mount[]
  readonly workingDir: string
  readonly readOnlyRoot: boolean
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
    plan.hostPid ? 'mount --rbind /proc proc' : 'mount -t proc proc proc',
    'mount -t sysfs -o ro sysfs sys 2>/dev/null || :',
    `cp -a ${shellQuote(`${plan.etcFolder}/.`)} etc/`,
    'm() { if [ -d "$1" ]; then mkdir -p ".$2"; else mkdir -p "$(dirname ".$2")"; [ -e ".$2" ] || : > ".$2"; fi; mount --rbind "$1" ".$2"; }',
    ...plan.mounts.flatMap(mountLines),
    ...hiddenPrograms(plan).flatMap(mountLines),
    `mkdir -p .${shellQuote(plan.workingDir)}`,
    'mkdir .old; pivot_root . .old; cd /; umount -l /.old; rmdir /.old',
    ...(plan.readOnlyRoot ? ['mount -o remount,bind,ro /'] : []),
    `cd ${shellQuote(plan.workingDir)}`,
    '__setpriv=$(command -v setpriv)',
    'PATH=$__path; [ -n "$PATH" ] || unset PATH',
    'echo ready >&3; exec 3>&-',
    `exec "$__setpriv" ${plan.privileges.map(shellQuote).join(' ')} -- "$@"`,
  ].join('\n')
}

/** Programs of ours that a volume has covered, such as a workspace below /tmp: they go on top again. */
function hiddenPrograms({ base, mounts }: RootfsPlan): Mount[] {
  return base.program
    .filter((path) => mounts.some(({ target }) => path.startsWith(`${target.replace(/\/$/, '')}/`)))
    .map((path) => ({ source: `${base.folder}/program${path}`, target: path, readOnly: true }))
}

function mountLines(mount: Mount): string[] {
  const [source, target] = [shellQuote(mount.source), shellQuote(mount.target)]
  return [`m ${source} ${target}`, ...(mount.readOnly ? [`mount -o remount,bind,ro .${target}`] : [])]
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
    words.push('--reuid', String(user), '--regid', String(group ?? 0), '--clear-groups')
  }
  if (own.allowPrivilegeEscalation === false && own.privileged !== true) words.push('--no-new-privs')
  // setpriv without any option would only print its state.
  return words.length === 0 ? ['--bounding-set', '+kill'] : words
}

/** The capabilities left to a container, in setpriv's spelling. */
export function keptCapabilities(add: readonly string[], drop: readonly string[]): readonly string[] | 'all' {
  const spelled = (name: string): string => name.toLowerCase().replace(/^cap_/, '')
  const [added, dropped] = [add.map(spelled), drop.map(spelled)]
  if (added.includes('all')) return 'all'
  const base = dropped.includes('all') ? [] : DEFAULT_CAPABILITIES.filter((name) => !dropped.includes(name))
  return [...new Set([...base, ...added])]
}
