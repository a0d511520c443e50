import { LABELS, type workloadpb } from '@ambit/api'
import { ipToBytes, PORTS, parseIp } from '@ambit/core'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Gateway, GatewayClass, Namespace } from '../domain.types.ts'
import type { StringMap } from '../watch/json.ts'
import { selectorMatches } from '../watch/label-selector.ts'

export type WaypointAddress = MessageInitShape<typeof workloadpb.GatewayAddressSchema> & object
export type TrafficType = 'service' | 'workload'

export const INBOUND_BINDING = 'ambient.istio.io/waypoint-inbound-binding'

/** Who an object asks for: a name, nobody by its own word, or nobody asked. */
export type WaypointWish =
  | { readonly kind: 'named'; readonly namespace: string; readonly name: string; readonly inherited: boolean }
  | { readonly kind: 'none'; readonly declined: boolean }

/** The object's own label decides if present, whatever it says; else its namespace's. */
export function waypointWish(labels: StringMap, namespace: string, namespaceLabels: StringMap): WaypointWish {
  const own = wishOf(labels, namespace, false)
  return own ?? wishOf(namespaceLabels, namespace, true) ?? { kind: 'none', declined: false }
}

function wishOf(labels: StringMap, namespace: string, inherited: boolean): WaypointWish | undefined {
  const name = labels[LABELS.useWaypoint]
  if (name === undefined) return undefined
  if (name === 'none') return { kind: 'none', declined: true }
  return { kind: 'named', namespace: labels[LABELS.useWaypointNamespace] || namespace, name, inherited }
}

export type WaypointBinding =
  | { readonly bound: true; readonly address: WaypointAddress }
  | {
      readonly bound: false
      readonly reason: 'WaypointIsNotReady' | 'UnsupportedTrafficType' | 'AttachmentDenied' | 'SeveralWaypoints'
      readonly message: string
    }

/** Whether and where the named waypoint takes the object's traffic. */
export function bindWaypoint(o: {
  readonly wish: Extract<WaypointWish, { kind: 'named' }>
  readonly gateway: Gateway | undefined
  readonly gatewayClass: GatewayClass | undefined
  readonly trafficType: TrafficType
  readonly namespace: string
  readonly namespaceLabels: StringMap
  readonly network: string
}): WaypointBinding {
  const { gateway, gatewayClass, wish, trafficType } = o
  const name = `"${wish.namespace}/${wish.name}"`
  const address = gateway === undefined ? undefined : addressOf(gateway, o.network)
  if (gateway === undefined || address === undefined)
    return { bound: false, reason: 'WaypointIsNotReady', message: `waypoint ${name} is not ready` }
  const accepts = gateway.labels[LABELS.waypointFor] ?? gatewayClass?.labels[LABELS.waypointFor] ?? 'service'
  if (accepts !== trafficType && accepts !== 'all') {
    return {
      bound: false,
      reason: 'UnsupportedTrafficType',
      message: `attempting to bind to traffic type "${trafficType}" which the waypoint ${name} does not support`,
    }
  }
  if (!lets(gateway, gatewayClass, o.namespace, o.namespaceLabels)) {
    return {
      bound: false,
      reason: 'AttachmentDenied',
      message: `we are not permitted to attach to waypoint ${name} (missing allowedRoutes?)`,
    }
  }
  return { bound: true, address }
}

/** First address that says it is a name, else the first that says it is an address; ones without a type are ignored. */
export function addressOf(gateway: Gateway, network: string): WaypointAddress | undefined {
  const hostname = gateway.addresses.find(({ type }) => type === 'Hostname')
  if (hostname !== undefined) {
    return {
      destination: { case: 'hostname', value: { namespace: gateway.namespace, hostname: hostname.value } },
      hboneMtlsPort: PORTS.hbone,
    }
  }
  const ip = parseIp(gateway.addresses.find(({ type }) => type === 'IPAddress')?.value ?? '')
  if (ip === undefined) return undefined
  return { destination: { case: 'address', value: { network, address: ipToBytes(ip) } }, hboneMtlsPort: PORTS.hbone }
}

function lets(
  gateway: Gateway,
  gatewayClass: GatewayClass | undefined,
  namespace: string,
  namespaceLabels: StringMap,
): boolean {
  if (gateway.namespace === namespace) return true
  const listener = boundListener(gateway, gatewayClass)
  if (listener?.allowedFrom === 'All') return true
  const selector = listener?.allowedFrom === 'Selector' ? listener.allowedSelector : undefined
  return selector !== undefined && selectorMatches(selector, namespaceLabels)
}

function boundListener(
  gateway: Gateway,
  gatewayClass: GatewayClass | undefined,
): Gateway['listeners'][number] | undefined {
  const binding = inboundBinding(gateway, gatewayClass)
  if (binding !== undefined) {
    return gateway.listeners.find(({ protocol, port }) =>
      binding.port === 0 ? protocol === 'istio.io/PROXY' : port === binding.port,
    )
  }
  return gateway.listeners.find(({ protocol, port }) => protocol === 'HBONE' && port === PORTS.hbone)
}

/** `PROXY/15088`, `PROXY`: the waypoint's pods leave the tunnel to ztunnel. `NONE` and nonsense: they do not. */
export function inboundBinding(
  gateway: Gateway,
  gatewayClass: GatewayClass | undefined,
): { readonly port: number } | undefined {
  const text = gateway.annotations[INBOUND_BINDING] ?? gatewayClass?.annotations[INBOUND_BINDING]
  const match = /^PROXY(?:\/(\d{1,5}))?$/.exec(text ?? '')
  return match === null ? undefined : { port: Number(match[1] ?? 0) }
}

export function namespaceLabelsOf(namespace: Namespace | undefined): StringMap {
  return namespace?.labels ?? {}
}
