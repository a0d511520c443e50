import type { Service } from '../workload.types.ts'
import type { Treatment } from './traffic-policy.types.ts'
import type { TrafficPolicyStore } from './traffic-policy-store.ts'

export type TreatmentVerdict =
  /** No DestinationRule speaks of it. */
  | { readonly kind: 'none' }
  /** `members`: uids of the only workloads that are meant; undefined: all endpoints of the service. */
  | { readonly kind: 'found'; readonly treatment: Treatment; readonly members: ReadonlySet<string> | undefined }
  /** Named, and not known here. */
  | { readonly kind: 'missing'; readonly message: string }
  | { readonly kind: 'refused'; readonly message: string }

const NONE: TreatmentVerdict = { kind: 'none' }

/** What DestinationRules say of a service's port, or of a subset's. Both names empty: nothing. */
export function findTreatment(
  policies: Pick<TrafficPolicyStore, 'policy' | 'members'>,
  to: { readonly service: Service; readonly port: number },
  { trafficPolicy, subset }: { readonly trafficPolicy: string; readonly subset: string },
): TreatmentVerdict {
  if (trafficPolicy === '' && subset === '') return NONE
  const policy = policies.policy(trafficPolicy)
  const found = subset === '' ? policy : policy?.subsets.get(subset)
  if (found === undefined) {
    const what = subset === '' ? trafficPolicy : `subset ${subset} of ${to.service.hostname}`
    return { kind: 'missing', message: `no DestinationRule has been received for ${what}` }
  }
  const treatment = found.ports.get(to.port) ?? found.treatment
  if (treatment.refused !== undefined) return { kind: 'refused', message: treatment.refused }
  const members = subset === '' ? undefined : policies.members(`${trafficPolicy}/${subset}`)
  return { kind: 'found', treatment, members }
}
