import type { Authority } from '@ambit/hbone'
import {
  type DestinationStore,
  type DestinationVerdict,
  findDestination,
  type Workload,
  type WorkloadStore,
} from '@ambit/state'
import type { TunnelFacts, TunnelTarget } from './request.types.ts'

/** What tunnels are from and for, as the control plane describes it now. */
export class TrafficLookup {
  readonly #workloads: WorkloadStore
  readonly #destinations: DestinationStore
  readonly #options: { readonly network: string; readonly namespace: string }

  constructor(
    stores: { readonly workloads: WorkloadStore; readonly destinations: DestinationStore },
    options: { readonly network: string; readonly namespace: string },
  ) {
    this.#workloads = stores.workloads
    this.#destinations = stores.destinations
    this.#options = options
  }

  destination(authority: Authority): DestinationVerdict {
    const { network, namespace } = this.#options
    return findDestination(this.#workloads, this.#destinations, authority, { network, namespace })
  }

  /** Undefined when it is not served any more. */
  target(tunnel: TunnelFacts): TunnelTarget | undefined {
    const found = this.destination(tunnel.asked)
    return found.kind === 'none' ? undefined : found
  }

  /** The workload at the client's address, believed only where the identity fits: labels are made of it. */
  client(tunnel: TunnelFacts): Workload | undefined {
    const found = this.#workloads.workloadByIp(this.#options.network, tunnel.remote.ip)
    const { namespace, serviceAccount } = tunnel.peer
    return found?.namespace === namespace && found.serviceAccount === serviceAccount ? found : undefined
  }
}
