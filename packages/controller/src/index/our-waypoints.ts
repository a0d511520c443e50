import type { Gateway } from '../domain.types.ts'
import { classKey, gatewaysOfClassKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import type { Uses } from './uses.types.ts'

/** Controller of waypoints (Istio). */
export const MESH_CONTROLLER = 'istio.io/mesh-controller'
/** Its class, also as long as the class itself is not there. */
const WAYPOINT_CLASS = 'istio-waypoint'

/** Whether the Gateway is a waypoint that is told by us what to do; others only receive traffic. */
export function isOurWaypoint(state: MeshState, gateway: Gateway, uses: Uses): boolean {
  return isWaypointClass(state, gateway.className, uses)
}

export function isWaypointClass(state: MeshState, className: string, uses: Uses): boolean {
  uses(classKey(className))
  const found = state.gatewayClasses.get(className)
  return found === undefined ? className === WAYPOINT_CLASS : found.controllerName === MESH_CONTROLLER
}

/** All waypoints of the class. */
export function waypointsOfClass(state: MeshState, className: string, uses: Uses): readonly Gateway[] {
  uses(gatewaysOfClassKey(className))
  if (!isWaypointClass(state, className, uses)) return []
  return [...state.gateways].filter((gateway) => gateway.className === className)
}
