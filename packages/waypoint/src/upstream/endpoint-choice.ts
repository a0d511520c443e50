import { lookup as dnsLookup } from 'node:dns/promises'
import { type Clock, type Ip, parseIp } from '@ambit/core'
import { chooseEndpoint, type EndpointRequest } from '@ambit/route'
import {
  type Direct,
  type NeedsHostname,
  type Passthrough,
  type Refused,
  resolveIngress,
  resolveWorkload,
  type ViaWaypoint,
  type Workload,
  type WorkloadLookup,
  withResolvedAddress,
} from '@ambit/state'
import { MAX_RESOLVED_NAMES, RESOLVED_NAME_TTL_MS } from '../limits.ts'
import type { Downstream, Treated, Upstream } from '../request.types.ts'
import type { WithTls } from './originate-tls.ts'

export interface EndpointChoiceComponents {
  readonly lookup: WorkloadLookup
  /** The waypoint's own workload. */
  readonly source: () => Workload
  readonly clock: Clock
  readonly random: () => number
  /** An ingress gateway: goes by the waypoints of services that ask for it. */
  readonly isIngress?: boolean | undefined
  readonly resolve?: ((hostname: string) => Promise<readonly Ip[]>) | undefined
}

export type ChosenEndpoint = ((Direct | Passthrough) & WithTls) | ViaWaypoint | Refused

/** Chooses endpoints, and counts the requests that are under way at each. */
export class EndpointChoice {
  readonly #components: EndpointChoiceComponents
  readonly #active = new Map<string, number>()
  readonly #names = new Map<string, { readonly ips: readonly Ip[]; readonly untilMs: number }>()

  constructor(components: EndpointChoiceComponents) {
    this.#components = components
  }

  async choose(
    upstream: Upstream,
    downstream: Downstream,
    tried: ReadonlySet<string>,
    treated?: Treated,
  ): Promise<ChosenEndpoint> {
    const { random } = this.#components
    const choice = this.#resolveUpstream(upstream, downstream, tried, treated)
    if (choice.kind !== 'resolve-hostname') return withTls(choice, upstream, treated)
    const resolved = withResolvedAddress(choice, await this.#resolve(choice.hostname), random)
    if (resolved.kind !== 'passthrough' && resolved.kind !== 'resolve-hostname')
      return withTls(resolved, upstream, treated)
    return { kind: 'refused', reason: 'no-route', message: `hostname ${choice.hostname} leads nowhere` }
  }

  #resolveUpstream(
    { to }: Upstream,
    downstream: Downstream,
    tried: ReadonlySet<string>,
    treated: Treated | undefined,
  ): ChosenEndpoint | NeedsHostname {
    const { lookup, random, isIngress = false } = this.#components
    const source = this.#components.source()
    if (to.kind === 'workload') {
      const { workload, port } = to
      return resolveWorkload({ workload, port, asked: downstream.destinationIp, source })
    }
    const { service, port, isAddressed } = to
    const waypoint = isIngress ? resolveIngress(lookup, service, { source, port, random }) : undefined
    if (waypoint !== undefined) return waypoint
    return chooseEndpoint(lookup, {
      source,
      service,
      servicePort: port,
      target: downstream.targetAddress,
      isAddressed,
      activeRequests: (uid) => this.#active.get(uid) ?? 0,
      tried,
      random,
      ...(treated && preferencesOf(treated)),
    })
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

/** What the endpoint itself wants, whoever brings the bytes there. Another waypoint is no endpoint. */
function withTls(chosen: ChosenEndpoint, { to }: Upstream, treated: Treated | undefined): ChosenEndpoint {
  const tls = treated?.cluster.treatment.tls
  if (tls === undefined || to.kind !== 'service' || (chosen.kind !== 'direct' && chosen.kind !== 'passthrough'))
    return chosen
  return { ...chosen, tls: { ...tls, serverName: tls.serverName || to.service.hostname } }
}

function preferencesOf({ cluster, hashKey }: Treated): Pick<EndpointRequest, 'members' | 'ejected' | 'pick'> {
  const { members, outliers } = cluster
  const ejected = outliers && ((uids: readonly string[]) => outliers.ejectedAmong(uids))
  return { members, ejected, pick: cluster.pick(hashKey) }
}

async function systemResolver(hostname: string): Promise<readonly Ip[]> {
  const found = await dnsLookup(hostname, { all: true })
  return found.flatMap(({ address }) => parseIp(address) ?? [])
}
