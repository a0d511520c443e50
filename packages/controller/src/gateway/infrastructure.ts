import { LABELS } from '@ambit/api'
import type { StringMap } from '../watch/json.ts'
import type { GatewayRequest } from './gateway.types.ts'
import { CONTROLLER_VERSION_ANNOTATION } from './management.ts'
import { NAME_OVERRIDE_ANNOTATION, SERVICE_ACCOUNT_ANNOTATION } from './names.ts'

/** Gateway API keeps these to itself. */
const RESERVED_PREFIX = 'gateway.networking.k8s.io/'
const ABOUT_THE_GATEWAY_ITSELF: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  NAME_OVERRIDE_ANNOTATION,
  SERVICE_ACCOUNT_ANNOTATION,
  CONTROLLER_VERSION_ANNOTATION,
])

/** Labels that everything deployed for the Gateway gets: those asked for, else the Gateway's own. */
export function infrastructureLabels(gateway: GatewayRequest, network: string): StringMap {
  const labels = without(gateway.infrastructure.labels ?? gateway.labels, (key) => key.startsWith(RESERVED_PREFIX))
  return network === '' ? labels : { [LABELS.network]: network, ...labels }
}

export function infrastructureAnnotations(gateway: GatewayRequest): StringMap {
  return without(
    gateway.infrastructure.annotations ?? gateway.annotations,
    (key) => key.startsWith(RESERVED_PREFIX) || ABOUT_THE_GATEWAY_ITSELF.has(key),
  )
}

function without(map: StringMap, excluded: (key: string) => boolean): StringMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !excluded(key)))
}
