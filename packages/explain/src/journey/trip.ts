import { formatSocketAddress, formatSpiffeId, type SocketAddress } from '@ambit/core'
import type { RequestFacts, RequestVerdict } from '@ambit/policy'
import type { Service, Workload } from '@ambit/state'
import type { ProxyState } from '../compile/proxy-state.ts'
import type { Hop, PointName } from '../explanation.types.ts'
import type { Client } from '../names/client.types.ts'
import type { Target } from '../names/target.types.ts'
import type { Check, Passed } from './journey.types.ts'
import type { Arrival, End, Sender } from './leg.types.ts'

/** What is noted on the way. */
export class Trip {
  readonly hops: Hop[] = []
  readonly checks: Check[] = []
  readonly gaps: string[]
  /** Waypoints and gateways, in their order. */
  readonly proxies: string[] = []
  /** The service that was addressed first, `namespace/hostname`. */
  service: string | undefined
  endpoint: { readonly workload: Workload; readonly isGuarded: boolean } | undefined
  /** What might have been chosen as well where the last endpoint was, and by whom. */
  choices: { readonly sender: Sender; readonly others: readonly Arrival[] } | undefined

  constructor(client: Client, target: Target) {
    this.gaps = [...client.gaps, ...target.gaps]
    const { pod, name, identity, because } = client
    this.hops.push({
      kind: 'client',
      name,
      node: pod?.node || undefined,
      identity: identity && formatSpiffeId(identity),
      because,
    })
  }

  get passed(): Passed {
    const { service, proxies, endpoint } = this
    return { service, proxies, endpoint: endpoint?.workload, isEndpointGuarded: endpoint?.isGuarded ?? false }
  }

  addresses(service: Service | undefined): void {
    if (service !== undefined) this.service ??= `${service.namespace}/${service.hostname}`
  }

  /** It leaves what is known here, in plain text. */
  outside(to: string | SocketAddress, because: string): End {
    const name = typeof to === 'string' ? to : formatSocketAddress(to)
    this.hops.push({ kind: 'outside', name, by: { transport: 'plain' }, because })
    return 'arrived'
  }

  /** Something else than a policy ends it. */
  stopped(point: PointName, at: string, reason: string): End {
    return this.refused(point, at, { kind: 'unreachable', reason })
  }

  refused(
    point: PointName,
    at: string,
    { kind, reason }: { readonly kind: 'denied' | 'unreachable'; readonly reason: string },
  ): End {
    this.checks.push({ kind: 'plain', point, at, verdict: kind, reason })
    return kind
  }

  /** What the policies of a proxy said; false: denied. */
  judged(
    point: 'waypoint' | 'gateway',
    proxy: ProxyState,
    { facts, verdict: judged }: { readonly facts: RequestFacts; readonly verdict: RequestVerdict },
    names: readonly string[],
  ): boolean {
    const verdict = judged.allowed ? 'allowed' : 'denied'
    const reason = judged.allowed ? judged.reason : judged.details
    this.checks.push({ kind: 'request', point, at: proxy.name, verdict, reason, proxy, facts, names, judged })
    return judged.allowed
  }
}
