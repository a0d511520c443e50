import { LABELS } from '@ambit/api'
import {
  bindWaypoint,
  inboundBinding,
  namespaceLabelsOf,
  type TrafficType,
  type WaypointAddress,
  type WaypointBinding,
  waypointWish,
} from '../compile/waypoint.ts'
import { parseBool, type StringMap } from '../watch/json.ts'
import type { MeshState } from './mesh-state.ts'

/** Told of everything a compilation looked at beside its own namespace, so that a change there is noticed. */
export type Uses = (key: string) => void

const INFRASTRUCTURE = ['istio.io-mesh-controller', 'istio.io-eastwest-controller']

export interface WaypointAnswer {
  readonly waypoint: string
  readonly inherited: boolean
  readonly binding: WaypointBinding
}

/** The waypoint an object asked for and whether it gets it; undefined when nobody asked. */
export function waypointOf(
  state: MeshState,
  object: { readonly namespace: string; readonly labels: StringMap },
  trafficType: TrafficType,
  uses: Uses,
): WaypointAnswer | undefined {
  if (INFRASTRUCTURE.includes(object.labels[LABELS.gatewayManaged] ?? '') && trafficType === 'service') return undefined
  const namespaceLabels = namespaceLabelsOf(state.namespaces.get(object.namespace))
  const wish = waypointWish(object.labels, object.namespace, namespaceLabels)
  if (wish.kind === 'none') return undefined
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

export function addressOfAnswer(answer: WaypointAnswer | undefined): WaypointAddress | undefined {
  return answer?.binding.bound === true ? answer.binding.address : undefined
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

/** A Service or ServiceEntry that a policy names as its target. */
export function targetKey(kind: 'services' | 'serviceEntries', namespace: string, name: string): string {
  return `target/${kind}/${namespace}/${name}`
}

export function gatewayKey(namespace: string, name: string): string {
  return `gateway/${namespace}/${name}`
}

export function classKey(name: string): string {
  return `class/${name}`
}

export function nodeKey(name: string): string {
  return `node/${name}`
}
