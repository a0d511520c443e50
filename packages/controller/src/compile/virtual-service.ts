import type { waypointpb } from '@ambit/api'
import type { RequestMatch } from '../route.types.ts'
import type { VirtualMatch, VirtualRule, VirtualService } from '../virtual-service.types.ts'
import { type ResolveBackend, routeOfRule } from './route.ts'

/** Where a VirtualService is to be followed. */
export interface VirtualServiceAt {
  /** `mesh` for waypoints, `namespace/name` for an Istio Gateway. */
  readonly gateway: string
  /** The service's port, or the one the Gateway's server is declared with. */
  readonly port: number
}

const EVERYTHING: RequestMatch = { path: undefined, method: '', headers: [], query: [] }
const NO_MATCH: VirtualMatch = { name: '', request: EVERYTHING, port: undefined, gateways: [], impossible: false }

/**
 * The routes of a VirtualService in the order they are written, up to the first that takes everything. None is empty-handed: what can
 * not be followed is a route that is answered 500. Empty: nothing of it is for that place.
 *
 * `resolve` gets references of kind `Hostname`, their name complete; a missing port means {@link VirtualServiceAt.port}, or the only one.
 */
export function compileVirtualService(
  service: VirtualService,
  at: VirtualServiceAt,
  resolve: ResolveBackend,
): readonly waypointpb.Route[] {
  if (!service.gateways.includes(at.gateway)) return []
  const routes: waypointpb.Route[] = []
  for (const [index, rule] of service.http.entries()) {
    const matches = rule.matches.length === 0 ? [NO_MATCH] : rule.matches
    for (const match of matches) {
      if (!isFor(match, at)) continue
      const name = nameOf(service, rule, match, index)
      routes.push(routeOfRule(name, match.request, rule.effects, resolve))
      if (takesEverything(match.request)) return routes
    }
  }
  return routes
}

function isFor({ port, gateways, impossible }: VirtualMatch, at: VirtualServiceAt): boolean {
  if (impossible || (port !== undefined && port !== at.port)) return false
  return gateways.length === 0 || gateways.includes(at.gateway)
}

function nameOf({ namespace, name }: VirtualService, rule: VirtualRule, match: VirtualMatch, index: number): string {
  if (rule.name === '') return `${namespace}.${name}.${index}`
  return match.name === '' ? rule.name : `${rule.name}.${match.name}`
}

function takesEverything({ path, method, headers, query, more }: RequestMatch): boolean {
  const anyPath = path === undefined || (path.kind === 'text-prefix' && (path.value === '/' || path.value === ''))
  return anyPath && method === '' && headers.length + query.length === 0 && more === undefined
}
