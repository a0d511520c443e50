import type { FurtherConditions, Route, RouteMatch, ValueMatch } from '@ambit/state'
import { fitsText } from './fits-text.ts'
import { matchPath } from './match-path.ts'
import { firstQueryValues } from './query-parameters.ts'
import type { RequestView } from './request.types.ts'

export type RouteVerdict =
  /** No route is attached: the request goes to the addressed service itself. */
  | { readonly kind: 'default' }
  | { readonly kind: 'matched'; readonly route: Route }
  /** Routes are attached and none is for this request: 404. */
  | { readonly kind: 'not-found' }

const DEFAULT: RouteVerdict = { kind: 'default' }
const NOT_FOUND: RouteVerdict = { kind: 'not-found' }

/** The first route of the list that matches; the list is in order of precedence already. */
export function matchRoute(routes: readonly Route[] | undefined, request: RequestView): RouteVerdict {
  if (routes === undefined) return DEFAULT
  const query = new QueryValues(request.query)
  for (const route of routes) if (matches(route.match, request, query)) return { kind: 'matched', route }
  return NOT_FOUND
}

function matches({ path, method, headers, query, more }: RouteMatch, request: RequestView, sent: QueryValues): boolean {
  if (method !== undefined && method !== request.method) return false
  if (path !== undefined && !matchPath(path, request.path)) return false
  for (const condition of headers) if (!holds(condition, request.header(condition.name))) return false
  for (const condition of query) if (!holds(condition, sent.first(condition.name))) return false
  return more === undefined || allHold(more, request)
}

function allHold(conditions: FurtherConditions, request: RequestView): boolean {
  const { method, scheme, authority, withoutHeaders, sourceNamespace } = conditions
  if (method !== undefined && !fitsText(method, request.method)) return false
  if (scheme !== undefined && (request.scheme === undefined || !fitsText(scheme, request.scheme))) return false
  if (authority !== undefined && !fitsText(authority, request.header('host') ?? '')) return false
  if (sourceNamespace !== undefined && sourceNamespace !== request.sourceNamespace) return false
  return withoutHeaders.every((condition) => !holds(condition, request.header(condition.name)))
}

function holds(condition: ValueMatch, value: string | undefined): boolean {
  if (value === undefined) return false
  return condition.kind === 'present' || fitsText(condition, value)
}

/** Reads the query when a route first asks for it. */
class QueryValues {
  readonly #query: string
  #values: ReadonlyMap<string, string> | undefined

  constructor(query: string) {
    this.#query = query
  }

  first(name: string): string | undefined {
    return (this.#values ??= firstQueryValues(this.#query)).get(name)
  }
}
