import { TYPE_URLS } from '@ambit/api'
import type { SyncedProxy, TypeState } from './decode-syncz.ts'
import { humanAge } from './human-age.ts'

/** Short names of resource types, as istioctl prints them. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  [TYPE_URLS.address]: 'WDS',
  [TYPE_URLS.workload]: 'WDS',
  [TYPE_URLS.authorization]: 'WADS',
  // Ours, for waypoints and gateways: settings, keys of listeners, destinations, traffic policies and their endpoints, HTTP authorization.
  [TYPE_URLS.waypointSettings]: 'WSDS',
  [TYPE_URLS.credential]: 'WCDS',
  [TYPE_URLS.destination]: 'WDDS',
  [TYPE_URLS.trafficPolicy]: 'WTDS',
  [TYPE_URLS.subsetMember]: 'WEDS',
  [TYPE_URLS.httpAuthorization]: 'WHDS',
  'type.googleapis.com/envoy.config.cluster.v3.Cluster': 'CDS',
  'type.googleapis.com/envoy.config.listener.v3.Listener': 'LDS',
  'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment': 'EDS',
  'type.googleapis.com/envoy.config.route.v3.RouteConfiguration': 'RDS',
  'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret': 'SDS',
}

export interface ProxyOf {
  readonly istiod: string
  readonly proxy: SyncedProxy
}

/** `proxy-status`; with `perType` one column per resource type, and since when, instead of the list of types. */
export function proxyStatusTable(
  proxies: readonly ProxyOf[],
  perType: boolean,
  nowMs: number,
): readonly (readonly string[])[] {
  const names = [...new Set(proxies.flatMap(({ proxy }) => proxy.types.map(shortName)))].toSorted()
  const header = ['NAME', 'CLUSTER', 'ISTIOD', 'VERSION', ...(perType ? names : ['SUBSCRIBED TYPES'])]
  const rows = proxies
    .toSorted((a, b) => (a.proxy.name < b.proxy.name ? -1 : 1))
    .map(({ istiod, proxy }) => [
      proxy.name,
      proxy.cluster,
      istiod,
      proxy.version,
      ...(perType ? names.map((name) => stateOf(proxy, name, nowMs)) : [subscribed(proxy)]),
    ])
  return [header, ...rows]
}

function subscribed(proxy: SyncedProxy): string {
  const names = [...new Set(proxy.types.map(shortName))].toSorted().toReversed()
  return `${names.length} (${names.join(',')})`
}

function stateOf(proxy: SyncedProxy, name: string, nowMs: number): string {
  const found = proxy.types.find((type) => shortName(type) === name)
  if (found === undefined) return 'IGNORED'
  const { state, sentAtMs } = found
  return state === 'NOT SENT' || sentAtMs === undefined ? state : `${state} (${humanAge(nowMs - sentAtMs)})`
}

function shortName(type: TypeState): string {
  return SHORT_NAMES[type.typeUrl] ?? type.typeUrl.slice(type.typeUrl.lastIndexOf('.') + 1)
}
