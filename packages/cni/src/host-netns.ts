import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Ip, type Logger, parseIp } from '@ambit/core'
import { interfaceAddresses, Netns } from '@ambit/linux'

export interface HostNetnsOptions {
  /** Where process 1 of the node has it; undefined when this process is in it. */
  readonly path: string | undefined
  /** Namespaces by name, as mounted here. */
  readonly netnsDir: string
  /** Addresses the node itself must own. */
  readonly nodeIps: readonly Ip[]
}

/**
 * The namespace in which the node's own processes open connections. Process 1 usually tells, but not where nodes are
 * namespaces themselves and share one process space; there a named namespace that owns the node's address is it.
 */
export function openHostNetns({ path, netnsDir, nodeIps }: HostNetnsOptions, logger: Logger): Netns {
  if (path === undefined) return Netns.home()
  const usual = Netns.open(path)
  if (nodeIps.length === 0 || owns(usual, nodeIps)) return usual
  for (const name of names(netnsDir)) {
    const candidate = tryOpen(join(netnsDir, name))
    if (candidate === undefined) continue
    if (owns(candidate, nodeIps)) {
      usual[Symbol.dispose]()
      logger.info('the namespace of process 1 is not the one of this node, using a named one', { name })
      return candidate
    }
    candidate[Symbol.dispose]()
  }
  logger.warn('no namespace owns an address of this node; probes of enrolled pods may be captured', {
    path,
    addresses: nodeIps.join(','),
  })
  return usual
}

function owns(netns: Netns, ips: readonly Ip[]): boolean {
  try {
    return interfaceAddresses(netns).some(({ ip }) => ips.includes(ip))
  } catch {
    // A file that is no namespace, or one that may not be entered.
    return false
  }
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function tryOpen(path: string): Netns | undefined {
  try {
    return Netns.open(path)
  } catch {
    return undefined
  }
}

/** Addresses of a Node object under which the node knows itself. */
export function internalIps(node: unknown): readonly Ip[] {
  const addresses = (node as { status?: { addresses?: unknown } } | undefined)?.status?.addresses
  if (!Array.isArray(addresses)) return []
  return addresses.flatMap((entry: unknown) => {
    const { type, address } = (entry ?? {}) as { type?: unknown; address?: unknown }
    return type === 'InternalIP' && typeof address === 'string' ? (parseIp(address) ?? []) : []
  })
}
