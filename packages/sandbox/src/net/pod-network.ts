import { createHash } from 'node:crypto'
import { basename, dirname } from 'node:path'
import { AmbitError } from '@ambit/core'
import type { Tool } from '../host/tools.ts'
import { type NodeAddresses, type PodAddresses, podAddresses } from './addresses.ts'
import { ipBatch } from './topology.ts'

export class NoFreeAddressError extends AmbitError {
  readonly code = 'SANDBOX_NO_FREE_ADDRESS'
}

const FIRST_HOST = 2
const LAST_HOST = 254

/**
 * The built-in main CNI plugin: a veth pair per pod, routed rather than bridged, so that traffic between two pods of
 * one node passes the node's conntrack (a bridge would let replies skip the service translation).
 */
export class PodNetwork {
  readonly #node: NodeAddresses
  readonly #netns: string
  readonly #ip: Tool
  readonly #ipv6: boolean
  readonly #used = new Map<number, string>()
  #next = FIRST_HOST

  constructor(o: { readonly node: NodeAddresses; readonly netns: string; readonly ip: Tool; readonly ipv6: boolean }) {
    this.#node = o.node
    this.#netns = o.netns
    this.#ip = o.ip
    this.#ipv6 = o.ipv6
  }

  /** Name of the node. */
  get node(): string {
    return this.#node.name
  }

  /** Whether pods have IPv6 addresses too. */
  get ipv6(): boolean {
    return this.#ipv6
  }

  async add(podUid: string, podNetns: string): Promise<PodAddresses> {
    const addresses = podAddresses(this.#node, this.#allocate(podUid))
    const link = linkName(podUid)
    const { gateway, gatewayV6 } = this.#node
    const six = (line: string): string[] => (this.#ipv6 ? [line] : [])
    const lines = [
      `link add ${link} type veth peer name eth0 netns ./${basename(podNetns)}`,
      `addr add ${gateway}/32 dev ${link}`,
      ...six(`addr add ${gatewayV6}/128 dev ${link} nodad`),
      `link set ${link} up`,
      `route add ${addresses.ip}/32 dev ${link}`,
      ...six(`route add ${addresses.ipV6}/128 dev ${link}`),
    ]
    await ipBatch(this.#ip, this.#netns, lines, dirname(podNetns))
    await ipBatch(this.#ip, podNetns, [
      'link set lo up',
      `addr add ${addresses.ip}/32 dev eth0`,
      ...six(`addr add ${addresses.ipV6}/128 dev eth0 nodad`),
      'link set eth0 up',
      `route add ${gateway}/32 dev eth0`,
      `route add default via ${gateway} dev eth0`,
      ...six(`route add ${gatewayV6}/128 dev eth0`),
      ...six(`route add ::/0 via ${gatewayV6} dev eth0`),
    ])
    return addresses
  }

  /** Takes the link away; quiet when it has gone with the pod's namespace. */
  async remove(podUid: string): Promise<void> {
    for (const [host, owner] of this.#used) if (owner === podUid) this.#used.delete(host)
    await ipBatch(this.#ip, this.#netns, [`link del ${linkName(podUid)}`]).catch(() => undefined)
  }

  #allocate(podUid: string): number {
    for (const [host, owner] of this.#used) if (owner === podUid) return host
    // Round robin: an address that was just given back is not reused while others are free.
    for (let tried = FIRST_HOST; tried <= LAST_HOST; tried++) {
      const host = this.#next
      this.#next = host === LAST_HOST ? FIRST_HOST : host + 1
      if (this.#used.has(host)) continue
      this.#used.set(host, podUid)
      return host
    }
    throw new NoFreeAddressError(
      `node ${this.#node.name} has no free pod address in ${this.#node.podCidr}; delete pods or add a node`,
    )
  }
}

/** Interface names have 15 characters; a hash of the pod's uid keeps them unique. */
export function linkName(podUid: string): string {
  return `veth${createHash('sha256').update(podUid).digest('hex').slice(0, 10)}`
}
