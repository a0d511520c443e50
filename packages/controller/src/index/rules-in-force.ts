import { isAccountWaypoint } from '../compile/account-waypoint.ts'
import type { DestinationRules } from '../compile/destination.ts'
import type { Gateway, TargetRef } from '../domain.types.ts'
import type { Collection, MultiMap } from './collection.ts'
import { attachedKey, gatewayKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOurWaypoint, waypointsOfClass } from './our-waypoints.ts'
import type { Uses } from './uses.types.ts'
import { waypointOf } from './waypoint-lookup.ts'

/** What is in force at a destination behind the waypoint: of the class in the root, of the gateway, of the service itself. */
export function rulesInForce(
  state: MeshState,
  gateway: Gateway,
  service: { readonly kind: 'Service' | 'ServiceEntry'; readonly namespace: string; readonly name: string } | undefined,
  uses: Uses,
): DestinationRules {
  const keys = [
    attachedKey('GatewayClass', '', gateway.className),
    attachedKey('Gateway', gateway.namespace, gateway.name),
    ...(service === undefined ? [] : [attachedKey(service.kind, service.namespace, service.name)]),
  ]
  for (const key of keys) uses(key)
  const attached = (links: MultiMap, policies: Collection<Attachable>): readonly string[] => {
    const names = new Set<string>()
    for (const key of keys) {
      for (const at of links.get(key)) {
        const slash = at.indexOf('/')
        const policy = policies.get(at.slice(0, slash), at.slice(slash + 1))
        if (policy !== undefined && isInForce(state, policy, key, gateway)) names.add(at)
      }
    }
    return [...names].sort()
  }
  return {
    policies: attached(state.links.policiesAt, state.policies),
    authenticatesRequests: attached(state.links.requestAuthenticationsAt, state.requestAuthentications).length > 0,
  }
}

interface Attachable {
  readonly namespace: string
  readonly name: string
  readonly targetRefs: readonly TargetRef[]
}

/** Groups are compared, classes count only in the root, selectors only for waypoints of their time. */
function isInForce(state: MeshState, policy: Attachable, key: string, gateway: Gateway): boolean {
  return policy.targetRefs.some((ref) => {
    const { kind, name, namespace, bySelector } = ref
    if (namespace !== undefined && namespace !== policy.namespace) return false
    if (!isKnownTarget(ref)) return false
    if (attachedKey(kind, kind === 'GatewayClass' ? '' : policy.namespace, name) !== key) return false
    if (kind === 'GatewayClass') return policy.namespace === state.mesh.rootNamespace
    return bySelector !== true || isAccountWaypoint(gateway)
  })
}

const TARGETS: ReadonlySet<string> = new Set([
  'core/Service',
  'networking.istio.io/ServiceEntry',
  'gateway.networking.k8s.io/Gateway',
  'gateway.networking.k8s.io/GatewayClass',
])

function isKnownTarget({ group, kind }: TargetRef): boolean {
  return TARGETS.has(`${group || 'core'}/${kind}`)
}

/** The waypoints at which a policy is in force, sorted. */
export function waypointsOfPolicy(state: MeshState, policy: Attachable, uses: Uses): readonly string[] {
  const waypoints = new Set<string>()
  for (const ref of policy.targetRefs) {
    const { namespace } = policy
    if ((ref.namespace !== undefined && ref.namespace !== namespace) || !isKnownTarget(ref)) continue
    for (const gateway of gatewaysOf(state, ref, namespace, uses)) waypoints.add(`${gateway.namespace}/${gateway.name}`)
  }
  return [...waypoints].sort()
}

function gatewaysOf(state: MeshState, ref: TargetRef, namespace: string, uses: Uses): readonly Gateway[] {
  switch (ref.kind) {
    case 'Service':
    case 'ServiceEntry': {
      const kind = ref.kind === 'Service' ? 'services' : 'serviceEntries'
      const object = state[kind].get(namespace, ref.name)
      const gateway = object && boundWaypoint(state, waypointOf(state, object, 'service', uses), uses)
      return gateway === undefined ? [] : [gateway]
    }
    case 'Gateway': {
      uses(gatewayKey(namespace, ref.name))
      const gateway = state.gateways.get(namespace, ref.name)
      if (gateway === undefined || !isOurWaypoint(state, gateway, uses)) return []
      return ref.bySelector === true && !isAccountWaypoint(gateway) ? [] : [gateway]
    }
    default:
      return namespace === state.mesh.rootNamespace ? waypointsOfClass(state, ref.name, uses) : []
  }
}

/** The Gateway an object is bound to, when it is one that we tell what to do. */
export function boundWaypoint(
  state: MeshState,
  answer: ReturnType<typeof waypointOf>,
  uses: Uses,
): Gateway | undefined {
  if (answer?.binding.bound !== true) return undefined
  const slash = answer.waypoint.indexOf('/')
  const gateway = state.gateways.get(answer.waypoint.slice(0, slash), answer.waypoint.slice(slash + 1))
  return gateway !== undefined && isOurWaypoint(state, gateway, uses) ? gateway : undefined
}
