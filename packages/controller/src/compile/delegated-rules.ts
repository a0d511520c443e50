import type { FurtherConditions, PathMatch, RequestMatch, RouteRule, TextMatch, ValueMatch } from '../route.types.ts'
import type { VirtualMatch, VirtualRule, VirtualService } from '../virtual-service.types.ts'

type Effects = VirtualRule['effects']

/** How a delegate is found; undefined: there is none, or it is not exported to who delegates. */
export type FindDelegate = (name: string) => VirtualService | undefined

/**
 * The rules with those of delegates in their places (Istio): a rule of a delegate takes what it and the delegating rule take, is named after
 * both and inherits what it does not say itself. What both can not take at once is left out; a delegate that is not there is answered 500.
 */
export function withDelegates(rules: readonly VirtualRule[], find: FindDelegate): readonly VirtualRule[] {
  return rules.flatMap((rule): readonly VirtualRule[] => {
    if (rule.delegate === undefined) return [rule]
    const delegate = find(rule.delegate)
    const problem = problemOf(rule.delegate, delegate)
    if (delegate === undefined || problem !== undefined)
      return [{ ...rule, effects: { ...rule.effects, problems: [...rule.effects.problems, problem ?? ''] } }]
    return delegate.http.flatMap((inner) => merged(rule, inner) ?? [])
  })
}

function problemOf(name: string, delegate: VirtualService | undefined): string | undefined {
  if (delegate === undefined) return `delegate ${name}: not found, or not exported here`
  if (delegate.hosts.length > 0) return `delegate ${name}: has hosts of its own`
  return delegate.http.some((inner) => inner.delegate !== undefined) ? `delegate ${name}: delegates again` : undefined
}

function merged(outer: VirtualRule, inner: VirtualRule): VirtualRule | undefined {
  const matches = bothMatches(outer.matches, inner.matches)
  if (matches === undefined) return undefined
  const names = [outer.name, inner.name].filter((name) => name !== '')
  return { name: names.join('-'), matches, effects: inherited(outer.effects, inner.effects), delegate: undefined }
}

/** Undefined: nothing is taken by both. Empty: everything. */
function bothMatches(
  outer: readonly VirtualMatch[],
  inner: readonly VirtualMatch[],
): readonly VirtualMatch[] | undefined {
  if (outer.length === 0) return inner
  if (inner.length === 0) return outer
  const both = outer.flatMap((a) => inner.flatMap((b) => bothMatch(a, b) ?? []))
  return both.length === 0 ? undefined : both
}

function bothMatch(a: VirtualMatch, b: VirtualMatch): VirtualMatch | undefined {
  const request = bothRequests(a.request, b.request)
  if (request === undefined || (a.port !== undefined && b.port !== undefined && a.port !== b.port)) return undefined
  return {
    name: [a.name, b.name].filter((name) => name !== '').join('-'),
    request,
    port: a.port ?? b.port,
    gateways: a.gateways,
    impossible: a.impossible || b.impossible,
  }
}

function bothRequests(a: RequestMatch, b: RequestMatch): RequestMatch | undefined {
  const path = bothPaths(a.path, b.path)
  const [headers, query] = [bothValues(a.headers, b.headers), bothValues(a.query, b.query)]
  const more = bothConditions(a.more, b.more)
  if (path === CONFLICT || headers === CONFLICT || query === CONFLICT || more === CONFLICT) return undefined
  if (a.method !== '' && b.method !== '' && a.method !== b.method) return undefined
  return { path, method: a.method || b.method, headers, query, more }
}

const CONFLICT = 'conflict'

/** The inner path has to lie within the outer one. */
function bothPaths(
  outer: PathMatch | undefined,
  inner: PathMatch | undefined,
): PathMatch | undefined | typeof CONFLICT {
  if (outer === undefined || inner === undefined) return outer ?? inner
  if (outer.ignoresCase !== inner.ignoresCase || outer.kind === 'regex' || inner.kind === 'regex') return CONFLICT
  if (outer.kind === 'exact') return inner.kind === 'exact' && inner.value === outer.value ? inner : CONFLICT
  const fold = (text: string): string => (outer.ignoresCase === true ? text.toLowerCase() : text)
  return fold(inner.value).startsWith(fold(outer.value)) ? inner : CONFLICT
}

/** Of one name only one condition: which of two would win nobody says. */
function bothValues(a: readonly ValueMatch[], b: readonly ValueMatch[]): readonly ValueMatch[] | typeof CONFLICT {
  const names = new Set(a.map(({ name }) => name.toLowerCase()))
  return b.some(({ name }) => names.has(name.toLowerCase())) ? CONFLICT : [...a, ...b]
}

function bothConditions(
  a: FurtherConditions | undefined,
  b: FurtherConditions | undefined,
): FurtherConditions | undefined | typeof CONFLICT {
  if (a === undefined || b === undefined) return a ?? b
  const twice = (one: TextMatch | undefined, other: TextMatch | undefined): boolean =>
    one !== undefined && other !== undefined && (one.kind !== other.kind || one.value !== other.value)
  const withoutHeaders = bothValues(a.withoutHeaders, b.withoutHeaders)
  const namespaces = new Set([a.sourceNamespace, b.sourceNamespace].filter((name) => name !== ''))
  if (twice(a.method, b.method) || twice(a.scheme, b.scheme) || twice(a.authority, b.authority)) return CONFLICT
  if (withoutHeaders === CONFLICT || namespaces.size > 1) return CONFLICT
  return {
    method: a.method ?? b.method,
    scheme: a.scheme ?? b.scheme,
    authority: a.authority ?? b.authority,
    withoutHeaders,
    sourceNamespace: [...namespaces][0] ?? '',
  }
}

/** What the inner rule does not say the outer one does. */
function inherited(outer: Effects, inner: Effects): Effects {
  const own = <K extends keyof RouteRule & keyof Effects>(field: K): Effects[K] => inner[field] ?? outer[field]
  return {
    ...inner,
    requestHeaders: own('requestHeaders'),
    responseHeaders: own('responseHeaders'),
    rewrite: own('rewrite'),
    requestTimeoutMs: own('requestTimeoutMs'),
    backendTimeoutMs: inner.retry === undefined ? outer.backendTimeoutMs : inner.backendTimeoutMs,
    retry: own('retry'),
    fault: own('fault'),
    cors: own('cors'),
    mirrors: inner.mirrors.length > 0 ? inner.mirrors : outer.mirrors,
    problems: [...outer.problems, ...inner.problems],
  }
}
