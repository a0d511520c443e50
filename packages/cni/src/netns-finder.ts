import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ip, type Logger, messageOf } from '@ambit/core'
import { interfaceAddresses, Netns } from '@ambit/linux'
import { type PodFacts, podKey } from './pod-facts.ts'

export interface NetnsFinderOptions {
  /** The node's /proc, as mounted here. */
  readonly procDir: string
  /** Where the container runtime keeps namespaces by name, as mounted here. */
  readonly netnsDir: string
  /** Never a pod's. */
  readonly hostNetns: Netns
}

/** Finds network namespaces of running pods, and proves each by an address of the pod's that it owns. */
export class NetnsFinder {
  readonly #logger: Logger
  readonly #options: NetnsFinderOptions

  constructor(logger: Logger, options: NetnsFinderOptions) {
    this.#logger = logger
    this.#options = options
  }

  /** Handles by pod uid, which the caller owns; pods without one are missing. One pass for any number of pods. */
  find(pods: readonly PodFacts[]): Map<string, Netns> {
    const wanted = pods.filter((pod) => pod.ips.length > 0 && !pod.hostNetwork)
    const found = this.#byProcess(wanted)
    const rest = wanted.filter((pod) => !found.has(pod.uid))
    if (rest.length > 0) for (const [uid, netns] of this.#byAddress(rest)) found.set(uid, netns)
    return found
  }

  /** The oldest process of each pod: later ones may have moved to namespaces of their own. */
  #byProcess(pods: readonly PodFacts[]): Map<string, Netns> {
    const oldest = oldestProcesses(this.#options.procDir, new Set(pods.map((pod) => pod.uid)))
    const found = new Map<string, Netns>()
    for (const pod of pods) {
      const pid = oldest.get(pod.uid)
      const netns = pid === undefined ? undefined : this.#open(join(this.#options.procDir, pid, 'ns/net'))
      if (netns === undefined) continue
      if (this.owns(netns, pod.ips)) {
        found.set(pod.uid, netns)
      } else {
        this.#logger.warn('namespace of the oldest process owns no address of the pod', {
          pod: podKey(pod),
          pid: pid ?? '',
        })
        netns[Symbol.dispose]()
      }
    }
    return found
  }

  #byAddress(pods: readonly PodFacts[]): Map<string, Netns> {
    const owners = new Map<Ip, PodFacts>(pods.flatMap((pod) => pod.ips.map((ip) => [ip, pod] as const)))
    const found = new Map<string, Netns>()
    const ambiguous = new Set<string>()
    for (const name of entries(this.#options.netnsDir)) {
      const netns = this.#open(join(this.#options.netnsDir, name))
      if (netns === undefined) continue
      const pod = this.#addresses(netns).flatMap((ip) => owners.get(ip) ?? [])[0]
      const before = pod === undefined ? undefined : found.get(pod.uid)
      if (pod === undefined || before?.id === netns.id) {
        netns[Symbol.dispose]()
      } else if (before !== undefined) {
        ambiguous.add(pod.uid)
        netns[Symbol.dispose]()
        this.#logger.warn('two namespaces own the address of one pod, taking neither', { pod: podKey(pod) })
      } else {
        found.set(pod.uid, netns)
      }
    }
    // A wrong namespace would lend the pod's identity to a stranger.
    for (const uid of ambiguous) {
      found.get(uid)?.[Symbol.dispose]()
      found.delete(uid)
    }
    return found
  }

  /** Whether the namespace is a pod's with one of these addresses. */
  owns(netns: Netns, ips: readonly Ip[]): boolean {
    return this.#addresses(netns).some((ip) => ips.includes(ip))
  }

  #addresses(netns: Netns): readonly Ip[] {
    if (netns.id === this.#options.hostNetns.id) return []
    try {
      return interfaceAddresses(netns).map(({ ip }) => ip)
    } catch (error) {
      // A file that is no namespace, or one of a foreign user namespace.
      this.#logger.debug('namespace cannot be entered', { error: messageOf(error) })
      return []
    }
  }

  #open(path: string): Netns | undefined {
    try {
      return Netns.open(path)
    } catch (error) {
      this.#logger.debug('namespace cannot be opened', { path, error: messageOf(error) })
      return undefined
    }
  }
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function oldestProcesses(procDir: string, uids: ReadonlySet<string>): Map<string, string> {
  const oldest = new Map<string, { pid: string; startTime: number }>()
  for (const pid of entries(procDir).filter((name) => /^[0-9]+$/.test(name))) {
    const uid = podUidOfCgroup(readOrEmpty(join(procDir, pid, 'cgroup')))
    if (uid === undefined || !uids.has(uid)) continue
    const startTime = startTimeOf(readOrEmpty(join(procDir, pid, 'stat')))
    const before = oldest.get(uid)
    if (startTime !== undefined && (before === undefined || startTime < before.startTime))
      oldest.set(uid, { pid, startTime })
  }
  return new Map([...oldest].map(([uid, { pid }]) => [uid, pid]))
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The process has ended meanwhile.
    return ''
  }
}

const UID =
  /pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:\/|:|$)/m

/** Pod uid in a process' control group paths: cgroupfs writes it as is, systemd with underscores. */
export function podUidOfCgroup(cgroup: string): string | undefined {
  return UID.exec(cgroup)?.[1]?.replaceAll('_', '-')
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and brackets. */
export function startTimeOf(stat: string): number | undefined {
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(afterName[19])
  return stat === '' || !Number.isFinite(ticks) ? undefined : ticks
}
