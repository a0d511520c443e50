import { TYPE_URLS } from '@ambit/api'
import type {
  CredentialStore,
  DestinationStore,
  HttpPolicyStore,
  TrafficPolicyStore,
  WorkloadStore,
} from '@ambit/state'
import type { TypeSubscription } from '@ambit/xds'
import type { Config } from './config.types.ts'

export interface Stores {
  readonly workloads: WorkloadStore
  readonly destinations: DestinationStore
  readonly policies: HttpPolicyStore
  readonly trafficPolicies: TrafficPolicyStore
  /** Of a gateway. */
  readonly credentials: CredentialStore
}

/** What a proxy subscribes to, and where each resource goes. */
export function subscriptions(
  { workloads, destinations, policies, trafficPolicies, credentials }: Stores,
  role: Config['role'],
): TypeSubscription[] {
  const keys: TypeSubscription = {
    typeUrl: TYPE_URLS.credential,
    mode: 'wildcard',
    apply: (change) => credentials.apply(change),
  }
  return [
    { typeUrl: TYPE_URLS.address, mode: 'wildcard', apply: (change) => workloads.apply(change) },
    // Policies before what refers to them: a policy that is named and not known denies.
    { typeUrl: TYPE_URLS.httpAuthorization, mode: 'wildcard', apply: (change) => policies.apply(change) },
    ...(role === 'gateway' ? [keys] : []),
    { typeUrl: TYPE_URLS.trafficPolicy, mode: 'wildcard', apply: (change) => trafficPolicies.applyPolicies(change) },
    { typeUrl: TYPE_URLS.subsetMember, mode: 'wildcard', apply: (change) => trafficPolicies.applyMembers(change) },
    { typeUrl: TYPE_URLS.destination, mode: 'wildcard', apply: (change) => destinations.applyDestinations(change) },
    { typeUrl: TYPE_URLS.waypointSettings, mode: 'wildcard', apply: (change) => destinations.applySettings(change) },
  ]
}
