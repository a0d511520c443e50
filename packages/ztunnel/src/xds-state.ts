import { TYPE_URLS } from '@ambit/api'
import type { PolicyStore, WorkloadStore } from '@ambit/state'
import type { TypeSubscription } from '@ambit/xds'

/** What ztunnel subscribes to, and where each resource goes. */
export function subscriptions(workloads: WorkloadStore, policies: PolicyStore, onDemand: boolean): TypeSubscription[] {
  return [
    {
      typeUrl: TYPE_URLS.address,
      mode: onDemand ? 'on-demand' : 'wildcard',
      apply: (change) => workloads.applyInPieces(change),
    },
    { typeUrl: TYPE_URLS.authorization, mode: 'wildcard', apply: (change) => policies.applyInPieces(change) },
  ]
}
