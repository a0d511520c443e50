import { refProblems } from '../compile/route.ts'
import { refusalOf } from '../compile/route-attachment.ts'
import {
  MISSING_USE_WAYPOINT,
  NO_MATCHING_PARENT,
  type ParentFacts,
  type RouteCondition,
  routeConditions,
} from '../compile/route-condition.ts'
import type { MeshRoute, ParentRef } from '../route.types.ts'
import { resolveBackend } from './backend-lookup.ts'
import { attachments, isGatewayParent } from './gateway-routes.ts'
import { gatewayKey, namespaceKey, targetKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOurIngress } from './routers.ts'
import { isHonoured, isParent } from './routes-of-service.ts'
import { boundWaypoint } from './rules-in-force.ts'
import type { Uses } from './uses.types.ts'
import { waypointOf } from './waypoint-lookup.ts'

/** What the route's status says of one of its parents. */
export interface RouteParentStatus {
  readonly parent: ParentRef
  readonly conditions: readonly RouteCondition[]
}

/** Of parents in the mesh and of gateways of our class; of other gateways their own controllers speak. */
export function statusOfRoute(state: MeshState, route: MeshRoute, uses: Uses): readonly RouteParentStatus[] {
  const parents = route.parents.flatMap((parent) => {
    const facts = parentFacts(state, route, parent, uses)
    return facts === undefined ? [] : [{ parent, facts }]
  })
  if (parents.length === 0) return []
  const refs = refProblems(route, (ref) => resolveBackend(state, route, ref, uses))
  const unsupported = route.rules.flatMap(({ problems }) => problems)
  return parents.map(({ parent, facts }) => ({ parent, conditions: routeConditions(facts, unsupported, refs) }))
}

/** Undefined: not ours to speak of. */
function parentFacts(state: MeshState, route: MeshRoute, parent: ParentRef, uses: Uses): ParentFacts | undefined {
  if (isGatewayParent(parent)) return gatewayFacts(state, route, parent, uses)
  const kind = kindOf(parent)
  return kind === undefined ? undefined : factsOf(state, route, parent, kind, uses)
}

function gatewayFacts(state: MeshState, route: MeshRoute, parent: ParentRef, uses: Uses): ParentFacts | undefined {
  const { namespace, name } = parent
  uses(gatewayKey(namespace, name))
  const gateway = state.gateways.get(namespace, name)
  if (gateway === undefined || !isOurIngress(state, gateway, uses)) return undefined
  const verdicts = [...attachments(state, gateway, parent, route, uses).values()]
  const bound = verdicts.filter(({ attached }) => attached).length
  return { parentProblem: refusalOf(verdicts), bound, waypointProblem: undefined }
}

function kindOf(parent: ParentRef): 'Service' | 'ServiceEntry' | undefined {
  const { namespace, name } = parent
  return (['Service', 'ServiceEntry'] as const).find((kind) => isParent(parent, { kind, namespace, name }))
}

function factsOf(
  state: MeshState,
  route: MeshRoute,
  parent: ParentRef,
  kind: 'Service' | 'ServiceEntry',
  uses: Uses,
): ParentFacts {
  const { namespace, name, port } = parent
  const collection = kind === 'Service' ? 'services' : 'serviceEntries'
  uses(targetKey(collection, namespace, name))
  uses(namespaceKey(namespace))
  const object = state[collection].get(namespace, name)
  if (object === undefined) return { parentProblem: NO_MATCHING_PARENT, waypointProblem: NO_MATCHING_PARENT }
  const parentProblem =
    port === undefined || object.ports.some((one) => one.port === port)
      ? undefined
      : { reason: NO_MATCHING_PARENT.reason, message: `port ${port} not found in ${kind} ${namespace}/${name}` }
  const answer = waypointOf(state, object, 'service', uses)
  if (answer === undefined) return { parentProblem, waypointProblem: MISSING_USE_WAYPOINT }
  if (!answer.binding.bound) return { parentProblem, waypointProblem: answer.binding }
  const waypoint = boundWaypoint(state, answer, uses)
  if (waypoint === undefined || isHonoured(route, { kind, namespace, name }, waypoint))
    return { parentProblem, waypointProblem: undefined }
  return {
    parentProblem,
    waypointProblem: {
      reason: 'ConsumerRoute',
      message: `only routes of the namespaces ${namespace} and ${waypoint.namespace} are respected by waypoint ${answer.waypoint}`,
    },
  }
}
