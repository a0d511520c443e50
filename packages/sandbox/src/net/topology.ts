import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../host/run-command.ts'
import type { Tool } from '../host/tools.ts'
import { NETWORK, type NodeAddresses } from './addresses.ts'

export interface Topology {
  /** Path of the node's network namespace. */
  netnsOf(node: NodeAddresses): string
  readonly ipv6: boolean
}

/**
 * Settings every namespace of the sandbox starts with. Reverse-path filtering is inherited from the machine and would drop
 * packets with preserved source addresses; duplicate address detection would cost a second per pod.
 */
export const NAMESPACE_SYSCTLS = `
w() { if [ -e "/proc/sys/net/$1" ]; then echo "$2" > "/proc/sys/net/$1" || :; fi; }
w ipv4/conf/all/rp_filter 0; w ipv4/conf/default/rp_filter 0
w ipv6/conf/all/disable_ipv6 0; w ipv6/conf/default/disable_ipv6 0
w ipv6/conf/default/accept_dad 0; w ipv6/conf/all/accept_dad 0; w ipv6/conf/default/dad_transmits 0
w ipv6/conf/default/accept_ra 0
w ipv4/ping_group_range "0 0"
`
const FORWARDING = 'w ipv4/ip_forward 1; w ipv6/conf/all/forwarding 1; w ipv6/conf/default/forwarding 1'

/** Whether this kernel knows IPv6. */
export function hasIpv6(): boolean {
  return existsSync('/proc/sys/net/ipv6')
}

/** Joins node namespaces by a bridge in the sandbox's root namespace, where this process runs. */
export async function createTopology(o: {
  readonly nodes: readonly NodeAddresses[]
  readonly runFolder: string
  readonly ip: Tool
}): Promise<Topology> {
  const ipv6 = hasIpv6()
  const folder = join(o.runFolder, 'node-netns')
  mkdirSync(folder, { recursive: true })
  const netnsOf = (node: NodeAddresses): string => join(folder, node.name)
  await runCommand(['sh', '-c', `${NAMESPACE_SYSCTLS}\n${FORWARDING}`])
  await Promise.all(o.nodes.map((node) => createNamespace(netnsOf(node))))
  await ipBatch(o.ip, undefined, rootBatch(o.nodes, ipv6), folder)
  await Promise.all(o.nodes.map((node) => ipBatch(o.ip, netnsOf(node), nodeBatch(node, o.nodes, ipv6))))
  return { netnsOf, ipv6 }
}

async function createNamespace(path: string): Promise<void> {
  await runCommand([
    'sh',
    '-euc',
    `: > "$1"; exec unshare --net="$1" sh -c "$2"`,
    'sh',
    path,
    `${NAMESPACE_SYSCTLS}\n${FORWARDING}`,
  ])
}

/**
 * Runs `ip -batch` in the namespace at that path; in our own when there is none. A path in a line is relative to `cwd`: a
 * batch knows no way to write a word with a blank or `#` in it, and the folder of the sandbox's state may have them.
 */
export async function ipBatch(
  tool: Tool,
  netns: string | undefined,
  lines: readonly string[],
  cwd?: string,
): Promise<void> {
  const enter = netns === undefined ? [] : ['nsenter', `--net=${netns}`]
  const env = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...tool.env }
  await runCommand([...enter, tool.path, '-batch', '-'], { input: `${lines.join('\n')}\n`, env, cwd })
}

function rootBatch(nodes: readonly NodeAddresses[], ipv6: boolean): string[] {
  const lines = [
    'link set lo up',
    'link add br0 type bridge',
    `addr add ${NETWORK.rootIp}/${NETWORK.nodeNetworkLength} dev br0`,
    `addr add ${NETWORK.dnsIp}/${NETWORK.nodeNetworkLength} dev br0`,
    ...(ipv6 ? [`addr add ${NETWORK.rootIpV6}/${NETWORK.nodeNetworkLengthV6} dev br0 nodad`] : []),
    'link set br0 up',
    // Only so that the routing decision succeeds; the service rules then rewrite the destination.
    `route add ${NETWORK.serviceCidr} dev br0`,
    ...(ipv6 ? [`route add ${NETWORK.serviceCidrV6} dev br0`] : []),
  ]
  for (const node of nodes) {
    lines.push(`link add n${node.index} type veth peer name eth0 netns ./${node.name}`)
    lines.push(`link set n${node.index} master br0`, `link set n${node.index} up`)
    lines.push(`route add ${node.podCidr} via ${node.ip}`)
    if (ipv6) lines.push(`route add ${node.podCidrV6} via ${node.ipV6}`)
  }
  return lines
}

function nodeBatch(node: NodeAddresses, nodes: readonly NodeAddresses[], ipv6: boolean): string[] {
  const lines = [
    'link set lo up',
    `addr add ${node.ip}/${NETWORK.nodeNetworkLength} dev eth0`,
    ...(ipv6 ? [`addr add ${node.ipV6}/${NETWORK.nodeNetworkLengthV6} dev eth0 nodad`] : []),
    'link set eth0 up',
    `route add default via ${NETWORK.rootIp}`,
    ...(ipv6 ? [`route add ::/0 via ${NETWORK.rootIpV6}`] : []),
  ]
  for (const other of nodes) {
    if (other === node) continue
    lines.push(`route add ${other.podCidr} via ${other.ip}`)
    if (ipv6) lines.push(`route add ${other.podCidrV6} via ${other.ipV6}`)
  }
  return lines
}
