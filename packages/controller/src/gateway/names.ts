import type { GatewayRequest } from './gateway.types.ts'
import type { DeployedKind } from './gateway-classes.ts'

export const NAME_OVERRIDE_ANNOTATION = 'gateway.istio.io/name-override'
export const SERVICE_ACCOUNT_ANNOTATION = 'gateway.istio.io/service-account'
/** Istio until 1.21: the waypoint of all pods of one service account. */
export const FOR_SERVICE_ACCOUNT_ANNOTATION = 'istio.io/for-service-account'
export const LEGACY_GATEWAY_NAME_LABEL = 'istio.io/gateway-name'

/** Longest name of a Service and longest value of a label. */
const MAX_NAME_LENGTH = 63

export interface GatewayNames {
  /** Of Deployment, Service, HorizontalPodAutoscaler and PodDisruptionBudget. */
  readonly name: string
  readonly serviceAccount: string
  /** Whether the account is ours to make. */
  readonly makesServiceAccount: boolean
}

type Nameable = Pick<GatewayRequest, 'name' | 'className' | 'annotations'>

export function gatewayNames(gateway: Nameable, kind: Pick<DeployedKind, 'role' | 'namedByClass'>): GatewayNames {
  const { annotations } = gateway
  const name = annotations[NAME_OVERRIDE_ANNOTATION] || defaultName(gateway, kind)
  const account = annotations[SERVICE_ACCOUNT_ANNOTATION]
  return { name, serviceAccount: account || name, makesServiceAccount: !account }
}

function defaultName(gateway: Nameable, { role, namedByClass }: Pick<DeployedKind, 'role' | 'namedByClass'>): string {
  if (role === 'waypoint' && isForServiceAccount(gateway)) return `${gateway.name}-istio-waypoint`
  return namedByClass ? `${gateway.name}-${gateway.className}` : gateway.name
}

export function isForServiceAccount({ annotations }: Pick<GatewayRequest, 'annotations'>): boolean {
  return Boolean(annotations[FOR_SERVICE_ACCOUNT_ANNOTATION])
}

/** Why Kubernetes would refuse objects of these names; undefined when it would not. */
export function nameProblem(gateway: Nameable, kind: Pick<DeployedKind, 'role' | 'namedByClass'>): string | undefined {
  const { name } = gatewayNames(gateway, kind)
  if (gateway.name.length > MAX_NAME_LENGTH)
    return `the name ${gateway.name} is longer than the ${MAX_NAME_LENGTH} characters of a label's value`
  // RFC 1035, what a Service's name must be.
  if (name.length > MAX_NAME_LENGTH || !/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name))
    return `${name} can not be the name of a Service: choose one with the annotation ${NAME_OVERRIDE_ANNOTATION}`
  return undefined
}
