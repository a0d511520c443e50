import { ANNOTATIONS, workloadpb } from '@ambit/api'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { StringMap } from '../watch/json.ts'

const { LoadBalancing_HealthPolicy: Health, LoadBalancing_Mode: Mode, LoadBalancing_Scope: Scope } = workloadpb

type LoadBalancing = MessageInitShape<typeof workloadpb.LoadBalancingSchema>

const ZONE = [Scope.NETWORK, Scope.REGION, Scope.ZONE]
const NODE = [...ZONE, Scope.SUBZONE, Scope.NODE]

/** Where traffic should stay: the spec's word, else the object's annotation, else its namespace's. */
export function trafficDistributionOf(
  spec: string | undefined,
  annotations: StringMap,
  namespaceAnnotations: StringMap,
): workloadpb.LoadBalancing_Scope[] | undefined {
  const wish =
    spec || annotations[ANNOTATIONS.trafficDistribution] || namespaceAnnotations[ANNOTATIONS.trafficDistribution]
  switch (wish?.toLowerCase()) {
    case 'preferclose':
    case 'prefersamezone':
      return ZONE
    case 'prefersamenode':
      return NODE
    default:
      return undefined
  }
}

/** Undefined when a proxy may pick any healthy endpoint. */
export function loadBalancingOf(wish: {
  readonly internalTrafficLocal?: boolean
  readonly publishNotReady?: boolean
  readonly distribution: workloadpb.LoadBalancing_Scope[] | undefined
}): LoadBalancing | undefined {
  const health = wish.publishNotReady === true ? { healthPolicy: Health.ALLOW_ALL } : {}
  if (wish.internalTrafficLocal === true) return { mode: Mode.STRICT, routingPreference: [Scope.NODE], ...health }
  if (wish.distribution !== undefined) return { mode: Mode.FAILOVER, routingPreference: wish.distribution, ...health }
  return wish.publishNotReady === true ? health : undefined
}

/** Resolution NONE: traffic goes where it was addressed to. */
export const PASSTHROUGH: LoadBalancing = { mode: Mode.PASSTHROUGH, healthPolicy: Health.ALLOW_ALL }
