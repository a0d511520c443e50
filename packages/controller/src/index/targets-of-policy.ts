import { isAccountWaypoint } from '../compile/account-waypoint.ts'
import type { TargetOutcome, TargetVerdict } from '../compile/target-condition.ts'
import type { AuthorizationPolicy, Gateway, TargetRef } from '../domain.types.ts'
import { classKey, gatewayKey, targetKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOurWaypoint, MESH_CONTROLLER } from './our-waypoints.ts'
import { isOurIngress } from './routers.ts'
import { boundWaypoint } from './rules-in-force.ts'
import type { Uses } from './uses.types.ts'
import { waypointOf } from './waypoint-lookup.ts'

/** What became of each target of the policy. */
export function targetsOfPolicy(state: MeshState, policy: AuthorizationPolicy, uses: Uses): readonly TargetOutcome[] {
  return policy.targetRefs.map((ref) => ({
    ref,
    namespace: ref.kind === 'GatewayClass' ? '' : policy.namespace,
    verdict: verdictOn(state, policy, ref, uses),
  }))
}

function verdictOn(state: MeshState, policy: AuthorizationPolicy, ref: TargetRef, uses: Uses): TargetVerdict {
  const { namespace } = policy
  // A policy of one namespace has no say in another.
  if (ref.namespace !== undefined && ref.namespace !== namespace)
    return invalid(`${ref.kind} ${ref.namespace}/${ref.name} is in another namespace than the policy`)
  switch (`${ref.group || 'core'}/${ref.kind}`) {
    case 'core/Service':
      return served(state, 'services', ref, namespace, uses)
    case 'networking.istio.io/ServiceEntry':
      return served(state, 'serviceEntries', ref, namespace, uses)
    case 'gateway.networking.k8s.io/Gateway':
      uses(gatewayKey(namespace, ref.name))
      return gatewayVerdict(state, ref, namespace, uses)
    case 'gateway.networking.k8s.io/GatewayClass':
      uses(classKey(ref.name))
      return classVerdict(state, policy, ref)
    default:
      return invalid(`${ref.kind}.${ref.group || 'core'} is no target of a policy`)
  }
}

function gatewayVerdict(state: MeshState, ref: TargetRef, namespace: string, uses: Uses): TargetVerdict {
  const at = `${namespace}/${ref.name}`
  const gateway = state.gateways.get(namespace, ref.name)
  if (gateway === undefined) return notFound(ref, at)
  if (isOurIngress(state, gateway, uses) && ref.bySelector !== true) return { bound: true, to: at }
  if (!isOurWaypoint(state, gateway, uses)) return invalid(foreign(at, gateway))
  if (ref.bySelector === true && !isAccountWaypoint(gateway))
    return invalid(`the selector means waypoints by service account only; attach to Gateway ${at} by targetRefs`)
  return { bound: true, to: at }
}

function served(
  state: MeshState,
  kind: 'services' | 'serviceEntries',
  ref: TargetRef,
  namespace: string,
  uses: Uses,
): TargetVerdict {
  uses(targetKey(kind, namespace, ref.name))
  const object = state[kind].get(namespace, ref.name)
  const at = `${namespace}/${ref.name}`
  if (object === undefined) return notFound(ref, at)
  const answer = waypointOf(state, object, 'service', uses)
  if (answer?.binding.bound === true) {
    if (boundWaypoint(state, answer, uses) !== undefined) return { bound: true, to: answer.waypoint }
    const [place = '', name = ''] = answer.waypoint.split('/')
    return invalid(foreign(answer.waypoint, state.gateways.get(place, name)))
  }
  return { bound: false, reason: 'AncestorNotBound', message: `${ref.kind} ${at} is not bound to a waypoint` }
}

function classVerdict(state: MeshState, { namespace }: AuthorizationPolicy, ref: TargetRef): TargetVerdict {
  const { rootNamespace } = state.mesh
  if (namespace !== rootNamespace)
    return invalid(`GatewayClass ${ref.name} can be targeted only from the root namespace ${rootNamespace}`)
  const found = state.gatewayClasses.get(ref.name)
  if (found === undefined) return notFound(ref, ref.name)
  if (found.controllerName !== MESH_CONTROLLER)
    return invalid(`GatewayClass ${ref.name} is not of controller ${MESH_CONTROLLER}`)
  return { bound: true, to: ref.name }
}

/** Whether its own controller enforces the policy is for that to say. */
function foreign(at: string, gateway: Gateway | undefined): string {
  return `Gateway ${at} is of class ${gateway?.className}, whose controller is not ${MESH_CONTROLLER}: it is not told of the policy`
}

function notFound(ref: TargetRef, at: string): TargetVerdict {
  return { bound: false, reason: 'TargetNotFound', message: `${ref.kind} ${at} was not found` }
}

function invalid(message: string): TargetVerdict {
  return { bound: false, reason: 'Invalid', message }
}
