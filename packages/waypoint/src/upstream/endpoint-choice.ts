import { lookup as dnsLookup } from 'node:dns/promises'
import { type Clock, type Ip, parseIp } from '@ambit/core'
import { chooseEndpoint } from '@ambit/route'
import {
  type Direct,
  type Passthrough,
  type Refused,
  resolveWorkload,
  type Workload,
  type WorkloadLookup,
  withResolvedAddress,
} from '@ambit/state'
import { MAX_RESOLVED_NAMES, RESOLVED_NAME_TTL_MS } from '../limits.ts'
import type { TunnelFacts, Upstream } from '../request.types.ts'

export interface EndpointChoiceComponents {
  readonly lookup: WorkloadLookup
  /** The waypoint's own workload. */
  readonly source: () => Workload
  readonly clock: Clock
  readonly random: () => number
  readonly resolve?: ((hostname: string) => Promise<readonly Ip[]>) | undefined
}

export type ChosenEndpoint = Direct | Passthrough | Refused

/** Chooses endpoints, and counts the requests that are under way at each. */
export class EndpointChoice {
  readonly #components: EndpointChoiceComponents
  readonly #active = new Map<string, number>()
  readonly #names = new Map<string, { readonly ips: readonly Ip[]; readonly untilMs: number }>()

  constructor(components: EndpointChoiceComponents) {
    this.#components = components
  }

  async choose(upstream: Upstream, tunnel: TunnelFacts, tried: ReadonlySet<string>): Promise<ChosenEndpoint> {
    const { lookup, source, random } = this.#components
    const { to } = upstream
    const choice =
      to.kind === 'workload'
        ? resolveWorkload({ workload: to.workload, port: to.port, asked: tunnel.destinationIp, source: source() })
        : chooseEndpoint(lookup, {
            source: source(),
            service: to.service,
            servicePort: to.port,
            target: tunnel.targetAddress,
            isAddressed: to.isAddressed,
            activeRequests: (uid) => this.#active.get(uid) ?? 0,
            tried,
            random,
          })
    if (choice.kind !== 'resolve-hostname') return choice
    const resolved = withResolvedAddress(choice, await this.#resolve(choice.hostname), random)
    if (resolved.kind === 'direct' || resolved.kind === 'refused') return resolved
    return { kind: 'refused', reason: 'no-route', message: `hostname ${choice.hostname} leads nowhere` }
  }

  /** Counts one more request at the workload; call the answer when it is over. */
  begin(uid: string): () => void {
    this.#active.set(uid, (this.#active.get(uid) ?? 0) + 1)
    let over = false
    return () => {
      if (over) return
      over = true
      const left = (this.#active.get(uid) ?? 1) - 1
      if (left === 0) this.#active.delete(uid)
      else this.#active.set(uid, left)
    }
  }

  async #resolve(hostname: string): Promise<readonly Ip[]> {
    const { clock, resolve = systemResolver } = this.#components
    const known = this.#names.get(hostname)
    if (known !== undefined && known.untilMs > clock.monotonic()) return known.ips
    const ips = await resolve(hostname).catch((): readonly Ip[] => known?.ips ?? [])
    this.#names.delete(hostname)
    const [oldest] = this.#names.keys()
    if (this.#names.size >= MAX_RESOLVED_NAMES && oldest !== undefined) this.#names.delete(oldest)
    if (ips.length > 0) this.#names.set(hostname, { ips, untilMs: clock.monotonic() + RESOLVED_NAME_TTL_MS })
    return ips
  }
}

async function systemResolver(hostname: string): Promise<readonly Ip[]> {
  const found = await dnsLookup(hostname, { all: true })
  return found.flatMap(({ address }) => parseIp(address) ?? [])
}
