import { type Ip, ipFamily } from '@ambit/core'
import { type Netns, runNft } from '@ambit/linux'

export interface ProbeAddresses {
  readonly probeIpv4: string
  readonly probeIpv6: string
}

/** Table of the node's own namespace; other agents' tables are left alone. */
const TABLE = 'inet istio-ambient-nat'
/** Istio's names of the sets. */
const SETS = { 4: 'istio-inpod-probes-v4', 6: 'istio-inpod-probes-v6' } as const

/**
 * The node's rules, whole: connections of the node's own processes to these pods get the probe address, which the
 * pods' rules let pass. A packet with a socket on the node is the node's own; forwarded ones have none, so they keep
 * their source and are captured.
 */
export function probeRules(pods: ReadonlyMap<Ip, string>, addresses: ProbeAddresses): string {
  const set = (family: 4 | 6): string => {
    const elements = [...pods]
      .filter(([ip]) => ipFamily(ip) === family)
      .map(([ip, uid]) => `${ip} comment "${uid.replace(/[^A-Za-z0-9-]/g, '')}"`)
    const body = elements.length === 0 ? '' : `    elements = { ${elements.join(', ')} }\n`
    return `  set ${SETS[family]} {\n    type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'};\n${body}  }\n`
  }
  const ownSocket = 'meta skuid >= 0'
  return [
    `add table ${TABLE}\ndelete table ${TABLE}\n`,
    `table ${TABLE} {\n`,
    set(4),
    set(6),
    '  chain istio-postrouting {\n',
    `    ip daddr @${SETS[4]} meta l4proto tcp ${ownSocket} counter snat ip to ${addresses.probeIpv4}\n`,
    `    ip6 daddr @${SETS[6]} meta l4proto tcp ${ownSocket} counter snat ip6 to ${addresses.probeIpv6}\n`,
    '  }\n',
    // One before the usual priority of source NAT: masquerading rules of others would end the evaluation.
    '  chain postrouting {\n    type nat hook postrouting priority 99; policy accept;\n    jump istio-postrouting\n  }\n',
    '}\n',
  ].join('')
}

/** Keeps the node's probe rules equal to the pods that are served. */
export class ProbeRules {
  readonly #host: Netns
  readonly #addresses: ProbeAddresses
  readonly #pods = new Map<Ip, string>()
  #written: string | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(host: Netns, addresses: ProbeAddresses) {
    this.#host = host
    this.#addresses = addresses
  }

  /** Adds or takes over a pod's addresses. */
  add(uid: string, ips: readonly Ip[]): Promise<void> {
    this.note(uid, ips)
    return this.write()
  }

  /** As {@link add}, to be written together with others by one {@link write}. */
  note(uid: string, ips: readonly Ip[]): void {
    for (const ip of ips) this.#pods.set(ip, uid)
  }

  /** Removes addresses that still belong to the pod: its successor may have got them already. */
  remove(uid: string): Promise<void> {
    for (const [ip, owner] of this.#pods) if (owner === uid) this.#pods.delete(ip)
    return this.write()
  }

  /** Writes everything anew, whatever others have done to the table meanwhile. */
  rewrite(): Promise<void> {
    this.#written = undefined
    return this.write()
  }

  /** Writes the present state; calls that come meanwhile share the next run. */
  write(): Promise<void> {
    const next = this.#writing.catch(() => undefined).then(() => this.#writeNow())
    this.#writing = next
    return next
  }

  /** Takes the rules off the node for good; what is written later brings them back. */
  async clear(): Promise<void> {
    await this.#writing.catch(() => undefined)
    this.#written = undefined
    await runNft(this.#host, `add table ${TABLE}\ndelete table ${TABLE}\n`)
  }

  async #writeNow(): Promise<void> {
    const script = probeRules(this.#pods, this.#addresses)
    if (script === this.#written) return
    await runNft(this.#host, script)
    this.#written = script
  }
}
