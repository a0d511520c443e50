import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { TableMount } from './mount-table.ts'
import { runCommand } from './run-command.ts'
import { shellQuote } from './shell.ts'

/** What every container and node sees of the machine: programs and libraries, read-only; nothing of anybody's home. */
export interface BaseRoot {
  readonly folder: string
  /** What every new root starts as: folders, links, files of /etc, and the points its mounts go to. */
  readonly skeleton: string
  /** What a new root shows of the machine. */
  readonly mounts: readonly TableMount[]
  /** Folders outside /usr that programs of ours need at the same path: the workspace and Node. */
  readonly program: readonly string[]
}

const TOP_LEVEL = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']
const ETC_FOLDERS = ['ssl', 'pki', 'alternatives', 'ca-certificates', 'ld.so.conf.d', 'terminfo']
const ETC_FILES = [
  'ld.so.cache',
  'ld.so.conf',
  'protocols',
  'services',
  'localtime',
  'inputrc',
  'mime.types',
  'ca-certificates.conf',
]

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
curl_user:x:100:101:curl:/home/curl_user:/sbin/nologin
istio-proxy:x:1337:1337:istio-proxy:/home/istio-proxy:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`
const GROUP = `root:x:0:
daemon:x:1:
tty:x:5:
curl_group:x:101:
istio-proxy:x:1337:
nogroup:x:65534:
`
const NSSWITCH = 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n'
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty']
/** `.old` takes the old root for the moment of the change. */
const FOLDERS = '.old dev proc sys tmp run var/lib var/log var/tmp etc root home mnt opt srv media'.split(' ')

/** Builds it once per sandbox, in the sandbox's own mount namespace. */
export async function createBaseRoot(folder: string, program: readonly string[]): Promise<BaseRoot> {
  const links: { name: string; target: string }[] = []
  const binds: string[] = ['usr']
  for (const name of TOP_LEVEL) {
    const kind = lstatSync(`/${name}`, { throwIfNoEntry: false })
    if (kind === undefined) continue
    if (kind.isSymbolicLink()) links.push({ name, target: readlinkSync(`/${name}`).replace(/^\/+/, '') })
    else binds.push(name)
  }
  const outside = program.filter((path) => !path.startsWith('/usr/'))
  const etcFolders = ETC_FOLDERS.filter((name) => existsSync(`/etc/${name}`))
  const skeleton = `${folder}/skeleton`
  const mounts: readonly TableMount[] = [
    ...binds.map((name) => ({ source: join(folder, name), target: `/${name}` })),
    ...outside.map((path) => ({ source: `${folder}/program${path}`, target: path })),
    ...etcFolders.map((name) => ({ source: `${folder}/etc-folders/${name}`, target: `/etc/${name}` })),
    { source: `${folder}/dev`, target: '/dev' },
  ]
  const points = mounts.map(({ target }) => target)
  const script = [
    `B=${shellQuote(folder)}`,
    `S=${shellQuote(skeleton)}`,
    `mkdir -p "$B/dev/pts" "$B/dev/shm" "$S"; cd "$S"`,
    `mkdir -p ${[...FOLDERS, ...points].map((path) => shellQuote(`.${path.startsWith('/') ? path : `/${path}`}`)).join(' ')}`,
    'chmod 1777 tmp var/tmp; chmod 0700 root; ln -s ../run var/run',
    ...links.map((link) => `ln -s ${shellQuote(link.target)} ${shellQuote(link.name)}`),
    ...binds.map((name) => bindReadOnly(`/${name}`, `${folder}/${name}`)),
    ...outside.map((path) => bindReadOnly(path, `${folder}/program${path}`)),
    ...etcFolders.map((name) => bindReadOnly(`/etc/${name}`, `${folder}/etc-folders/${name}`)),
    `for f in ${ETC_FILES.join(' ')}; do if [ -e "/etc/$f" ]; then cp -L "/etc/$f" "etc/$f"; fi; done`,
    `printf %s ${shellQuote(PASSWD)} > etc/passwd`,
    `printf %s ${shellQuote(GROUP)} > etc/group`,
    `printf %s ${shellQuote(NSSWITCH)} > etc/nsswitch.conf`,
    `for d in ${DEVICES.join(' ')}; do : > "$B/dev/$d"; mount --bind "/dev/$d" "$B/dev/$d"; done`,
    // One terminal device file system for everybody, so that a terminal has the same name inside a container.
    'mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts; mount --bind /dev/pts/ptmx /dev/ptmx',
    'mount --rbind /dev/pts "$B/dev/pts"',
    `ln -s pts/ptmx "$B/dev/ptmx"; ln -s /proc/self/fd "$B/dev/fd"`,
    `ln -s /proc/self/fd/0 "$B/dev/stdin"; ln -s /proc/self/fd/1 "$B/dev/stdout"; ln -s /proc/self/fd/2 "$B/dev/stderr"`,
    // Every container mounts a folder and a file of its own on these.
    `chmod 1777 "$B/dev/shm"; : > "$B/dev/termination-log"`,
  ]
  await runCommand(['sh', '-euc', script.join('\n')])
  return { folder, skeleton, mounts, program: outside }
}

/** Shell lines that make a new root of an empty folder, and go there. Mounts come after, by their table. */
export function baseRootLines(base: BaseRoot, root: string): string[] {
  return [`cd ${root}`, `cp -a ${shellQuote(`${base.skeleton}/.`)} .`]
}

function bindReadOnly(from: string, to: string): string {
  const [source, target] = [shellQuote(from), shellQuote(to)]
  const options = ['remount', 'bind', 'ro', ...keptMountFlags(from, readFileSync('/proc/self/mountinfo', 'utf8'))].join(
    ',',
  )
  // Rootless, the kernel may refuse the remount; the files belong to somebody else there anyway.
  return `mkdir -p ${target}; mount --rbind ${source} ${target}; mount -o ${options} ${target} || :`
}

/** Flags of the mount that holds the path: a user namespace may not drop them in a remount. */
export function keptMountFlags(path: string, mountInfo: string): string[] {
  let best = { point: '', flags: '' }
  for (const line of mountInfo.split('\n')) {
    const fields = line.split(' ')
    const point = (fields[4] ?? '').replaceAll('\\040', ' ')
    if (point === '' || point.length < best.point.length || !isBelow(path, point)) continue
    best = { point, flags: fields[5] ?? '' }
  }
  return best.flags
    .split(',')
    .filter((flag) => ['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime'].includes(flag))
}

function isBelow(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}
