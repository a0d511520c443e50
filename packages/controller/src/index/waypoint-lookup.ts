import { LABELS } from '@ambit/api'
import { requiresWaypoint, unresolvableWaypoint } from '../compile/missing-waypoint.ts'
import {
  addressOf,
  bindWaypoint,
  inboundBinding,
  namespaceLabelsOf,
  type TrafficType,
  type WaypointAddress,
  type WaypointBinding,
  waypointWish,
} from '../compile/waypoint.ts'
import { parseBool, type StringMap } from '../watch/json.ts'
import { accountWaypoint, type Bindable } from './account-waypoints.ts'
import { accountsKey, classKey, gatewayKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import type { Uses } from './uses.types.ts'

const INFRASTRUCTURE = ['istio.io-mesh-controller', 'istio.io-eastwest-controller']

export interface WaypointAnswer {
  /** `namespace/name`. */
  readonly waypoint: string
  readonly inherited: boolean
  readonly binding: WaypointBinding
}

/** The waypoint an object asked for and whether it gets it; undefined when nobody asked. */
export function waypointOf(
  state: MeshState,
  object: Bindable,
  trafficType: TrafficType,
  uses: Uses,
): WaypointAnswer | undefined {
  if (isInfrastructure(object) && trafficType === 'service') return undefined
  const namespaceLabels = namespaceLabelsOf(state.namespaces.get(object.namespace))
  const wish = waypointWish(object.labels, object.namespace, namespaceLabels)
  if (wish.kind === 'none') return wish.declined ? undefined : byAccount(state, object, trafficType, uses)
  // A waypoint's own pods are not behind it.
  if (object.labels[LABELS.gatewayName] === wish.name && object.namespace === wish.namespace) return undefined
  uses(gatewayKey(wish.namespace, wish.name))
  const gateway = state.gateways.get(wish.namespace, wish.name)
  if (gateway !== undefined) uses(classKey(gateway.className))
  const binding = bindWaypoint({
    wish,
    gateway,
    gatewayClass: gateway && state.gatewayClasses.get(gateway.className),
    trafficType,
    namespace: object.namespace,
    namespaceLabels,
    network: state.mesh.network,
  })
  return { waypoint: `${wish.namespace}/${wish.name}`, inherited: wish.inherited, binding }
}

/** Nobody asked by label: the form of Istio 1.18 needs no asking. */
function byAccount(
  state: MeshState,
  object: Bindable,
  trafficType: TrafficType,
  uses: Uses,
): WaypointAnswer | undefined {
  // A workload is told of changes there with its whole namespace.
  if (trafficType === 'service') uses(accountsKey(object.namespace))
  const found = accountWaypoint(state, object, trafficType, uses)
  if (found.kind === 'none') return undefined
  if (found.kind === 'several') {
    const waypoint = found.names.map((name) => `${object.namespace}/${name}`).join(', ')
    return {
      waypoint,
      inherited: false,
      binding: {
        bound: false,
        reason: 'SeveralWaypoints',
        message: `its workloads run as service accounts with different waypoints (${waypoint}); choose one with the label ${LABELS.useWaypoint}`,
      },
    }
  }
  const waypoint = `${found.gateway.namespace}/${found.gateway.name}`
  const address = addressOf(found.gateway, state.mesh.network)
  const binding: WaypointBinding =
    address === undefined
      ? { bound: false, reason: 'WaypointIsNotReady', message: `waypoint "${waypoint}" is not ready` }
      : { bound: true, address }
  return { waypoint, inherited: false, binding }
}

/** What proxies are told: the waypoint, none, or one that can't be reached because traffic must not go past it. */
export function publishedWaypoint(
  state: MeshState,
  object: Bindable,
  trafficType: TrafficType,
  answer: WaypointAnswer | undefined,
): WaypointAddress | undefined {
  if (answer?.binding.bound === true) return answer.binding.address
  return needsWaypoint(state, object, trafficType, answer) ? unresolvableWaypoint(state.mesh) : undefined
}

/** Whether traffic without a waypoint is refused. */
export function needsWaypoint(
  state: MeshState,
  object: Bindable,
  trafficType: TrafficType,
  answer: WaypointAnswer | undefined,
): boolean {
  if (isInfrastructure(object)) return false
  if (answer?.binding.bound === false && answer.binding.reason === 'SeveralWaypoints') return true
  // Waypoints are for services as a rule: of workloads only those that ask themselves.
  if (trafficType === 'workload' && (answer === undefined || answer.inherited)) return false
  return requiresWaypoint(object.labels, namespaceLabelsOf(state.namespaces.get(object.namespace)))
}

/** By its own label, or as a service by what it selects. */
function isInfrastructure({ labels, selector }: Bindable): boolean {
  return INFRASTRUCTURE.includes(labels[LABELS.gatewayManaged] ?? selector?.[LABELS.gatewayManaged] ?? '')
}

/** Whether ingress gateways send through the waypoint: the first level that has the label decides. */
export function ingressUsesWaypoint(state: MeshState, namespace: string, labels: StringMap): boolean {
  const label = labels[LABELS.ingressUseWaypoint] ?? state.namespaces.get(namespace)?.labels[LABELS.ingressUseWaypoint]
  return parseBool(label) ?? false
}

/** How ztunnel hands over to the pods of a gateway that leaves the tunnel to it. */
export function applicationTunnelOf(
  state: MeshState,
  pod: { readonly namespace: string; readonly labels: StringMap },
  uses: Uses,
): { readonly protocol: 1; readonly port: number } | undefined {
  const name = pod.labels[LABELS.gatewayName]
  if (name === undefined) return undefined
  uses(gatewayKey(pod.namespace, name))
  const gateway = state.gateways.get(pod.namespace, name)
  if (gateway === undefined) return undefined
  uses(classKey(gateway.className))
  const binding = inboundBinding(gateway, state.gatewayClasses.get(gateway.className))
  return binding === undefined ? undefined : { protocol: 1, port: binding.port }
}
