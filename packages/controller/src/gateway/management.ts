import type { GatewayRequest } from './gateway.types.ts'
import type { BuiltinClass, DeployedKind } from './gateway-classes.ts'

/** Written to a Gateway by its deployment controller; a larger number belongs to a later one, which then goes on alone. */
export const CONTROLLER_VERSION_ANNOTATION = 'gateway.istio.io/controller-version'
export const CONTROLLER_VERSION = 5

export type Management =
  | { readonly managed: true; readonly takesOver: boolean; readonly kind: DeployedKind }
  | { readonly managed: false; readonly reason: string }

/** Whether objects are deployed for the Gateway. */
export function managementOf(gateway: GatewayRequest, cls: BuiltinClass | undefined): Management {
  if (cls?.deploys === undefined)
    return { managed: false, reason: `nothing is deployed for class ${gateway.className}` }
  if (gateway.deleting) return { managed: false, reason: 'it is being deleted' }
  if (!hasDeployableAddress(gateway))
    return { managed: false, reason: 'its spec.addresses name what is deployed already' }
  const version = gateway.annotations[CONTROLLER_VERSION_ANNOTATION]
  const written = version === undefined ? undefined : Number(version)
  if (written !== undefined && written > CONTROLLER_VERSION)
    return { managed: false, reason: `a later controller (${CONTROLLER_VERSION_ANNOTATION}: ${version}) manages it` }
  return { managed: true, takesOver: written !== CONTROLLER_VERSION, kind: cls.deploys }
}

/** None, or one IP address: the address of what is to be deployed. */
export function hasDeployableAddress({ addresses }: Pick<GatewayRequest, 'addresses'>): boolean {
  const [first] = addresses
  return first === undefined || (addresses.length === 1 && (first.type ?? 'IPAddress') === 'IPAddress')
}
