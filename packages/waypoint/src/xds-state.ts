import { TYPE_URLS } from '@ambit/api'
import type { DestinationStore, HttpPolicyStore, WorkloadStore } from '@ambit/state'
import type { TypeSubscription } from '@ambit/xds'

export interface Stores {
  readonly workloads: WorkloadStore
  readonly destinations: DestinationStore
  readonly policies: HttpPolicyStore
}

/** What a waypoint subscribes to, and where each resource goes. */
export function subscriptions({ workloads, destinations, policies }: Stores): TypeSubscription[] {
  return [
    { typeUrl: TYPE_URLS.address, mode: 'wildcard', apply: (change) => workloads.apply(change) },
    // Policies before what refers to them: a policy that is named and not known denies.
    { typeUrl: TYPE_URLS.httpAuthorization, mode: 'wildcard', apply: (change) => policies.apply(change) },
    { typeUrl: TYPE_URLS.destination, mode: 'wildcard', apply: (change) => destinations.applyDestinations(change) },
    { typeUrl: TYPE_URLS.waypointSettings, mode: 'wildcard', apply: (change) => destinations.applySettings(change) },
  ]
}
