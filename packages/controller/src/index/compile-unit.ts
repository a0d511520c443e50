import { compileAuthorizationPolicy } from '../compile/authorization.ts'
import { httpAuthorization } from '../compile/http-authorization.ts'
import { convertPeerAuthentication, staticStrict } from '../compile/peer-authentication.ts'
import { authorizationResource } from '../compile/resource.ts'
import { targetCondition } from '../compile/target-condition.ts'
import { waypointSettings } from '../compile/waypoint-settings.ts'
import type { MeshRoute } from '../route.types.ts'
import { credentialResource } from './credentials.ts'
import { gatewayKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOurWaypoint } from './our-waypoints.ts'
import { authenticationsOf } from './policies-of-workload.ts'
import { statusOfRoute } from './route-status.ts'
import { ingressUnit, routerUnit } from './router-units.ts'
import { isOurIngress } from './routers.ts'
import { destinationRuleUnit, virtualServiceUnit } from './rule-units.ts'
import { waypointsOfPolicy } from './rules-in-force.ts'
import { routersOfPolicy } from './rules-of-router.ts'
import { serviceEntryUnit, serviceUnit } from './service-units.ts'
import { targetsOfPolicy } from './targets-of-policy.ts'
import type { UnitResult } from './unit-result.types.ts'
import { partsOf, type Unit } from './units.ts'
import type { Uses } from './uses.types.ts'
import { podUnit, sliceUnit, workloadEntryUnit } from './workload-units.ts'

export function compileUnit(state: MeshState, key: Unit, uses: Uses): UnitResult {
  const { kind, namespace, name } = partsOf(key)
  switch (kind) {
    case 'pod':
      return podUnit(state, namespace, name, uses)
    case 'service':
      return serviceUnit(state, namespace, name, uses)
    case 'serviceEntry':
      return serviceEntryUnit(state, namespace, name, uses)
    case 'workloadEntry':
      return workloadEntryUnit(state, namespace, name, uses)
    case 'slice':
      return sliceUnit(state, namespace, name)
    case 'policy':
      return policyUnit(state, namespace, name, uses)
    case 'authentication':
      return authenticationUnit(state, namespace, name)
    case 'strict':
      return strictUnit(state)
    case 'gateway':
      return gatewayUnit(state, namespace, name, uses)
    case 'httpRoute':
      return routeUnit(state, state.httpRoutes.get(namespace, name), uses)
    case 'virtualService':
      return virtualServiceUnit(state, namespace, name, uses)
    case 'destinationRule':
      return destinationRuleUnit(state, namespace, name, uses)
    case 'grpcRoute':
      return routeUnit(state, state.grpcRoutes.get(namespace, name), uses)
    case 'router':
      return routerUnit(state, namespace, name, uses)
    case 'credential':
      return { credentials: credentialResource(state, namespace, name) }
    default:
      return {}
  }
}

function strictUnit(state: MeshState): UnitResult {
  for (const _ of state.authentications)
    return { policies: [authorizationResource(staticStrict(state.mesh.rootNamespace))] }
  return {}
}

function policyUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const policy = state.policies.get(namespace, name)
  if (policy === undefined) return {}
  const { authorization, condition } = compileAuthorizationPolicy(policy, state.mesh)
  const targets = targetsOfPolicy(state, policy, uses)
  const proxies = [...waypointsOfPolicy(state, policy, uses), ...routersOfPolicy(state, policy, uses)].sort()
  return {
    policies: authorization === undefined ? [] : [authorizationResource(authorization)],
    requestPolicies: proxies.length === 0 ? [] : [httpAuthorization(policy, proxies)],
    policyCondition: condition,
    targetCondition: targetCondition(targets),
  }
}

function authenticationUnit(state: MeshState, namespace: string, name: string): UnitResult {
  const workload = state.authentications.get(namespace, name)
  if (workload?.selector === undefined) return {}
  const { rootNamespace } = state.mesh
  const { mesh, namespace: ofNamespace } = authenticationsOf(state, namespace, {})
  const converted = convertPeerAuthentication({ mesh, namespace: ofNamespace, workload }, rootNamespace)
  return { policies: converted === undefined ? [] : [authorizationResource(converted)] }
}

function gatewayUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  uses(gatewayKey(namespace, name))
  const gateway = state.gateways.get(namespace, name)
  if (gateway === undefined) return {}
  if (isOurIngress(state, gateway, uses)) return ingressUnit(state, gateway, uses)
  if (!isOurWaypoint(state, gateway, uses)) return {}
  return { settings: [waypointSettings(gateway, state.gatewayClasses.get(gateway.className), state.mesh)] }
}

function routeUnit(state: MeshState, route: MeshRoute | undefined, uses: Uses): UnitResult {
  if (route === undefined) return {}
  return { routeParents: statusOfRoute(state, route, uses) }
}
