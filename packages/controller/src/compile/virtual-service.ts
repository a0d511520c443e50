import type { waypointpb } from '@ambit/api'
import type { RequestMatch } from '../route.types.ts'
import type { VirtualMatch, VirtualRule, VirtualService } from '../virtual-service.types.ts'
import { type Backend, backendOf, type ResolveBackend, routeOfRule } from './route.ts'

/** The backends of connections that are no HTTP; undefined: nothing is said of them. */
export function tcpBackendsOf(
  service: VirtualService,
  at: VirtualServiceAt & { readonly host: string },
  resolve: ResolveBackend,
): readonly Backend[] | undefined {
  if (!service.gateways.includes(at.gateway)) return undefined
  const rule = service.tcp.find(({ matches }) =>
    matches.some(
      ({ port, gateways, sniHosts }) =>
        (port === undefined || port === at.port) &&
        (gateways.length === 0 || gateways.includes(at.gateway)) &&
        (sniHosts === undefined || (sniHosts.length === 1 && sniHosts[0] === at.host)),
    ),
  )
  return rule?.backends.map((ref) => backendOf(ref, resolve))
}

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
      routes.push(routeOfRule(name, match.request, effectsFor(rule, match.request), resolve))
      if (takesEverything(match.request)) return routes
    }
  }
  return routes
}

/** A rewrite takes the place of what was matched: of all the path, but for a prefix (Envoy). */
function effectsFor({ effects }: VirtualRule, { path }: RequestMatch): VirtualRule['effects'] {
  const { rewrite } = effects
  const wholly = path?.kind === 'exact' || path?.kind === 'regex'
  if (rewrite?.path?.kind !== 'text-prefix' || !wholly) return effects
  return { ...effects, rewrite: { ...rewrite, path: { kind: 'full', value: rewrite.path.value } } }
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
