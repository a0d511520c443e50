import { waypointpb } from '@ambit/api'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type {
  BackendRef,
  HeaderChanges,
  MeshRoute,
  PathChange,
  Redirect,
  RequestMatch,
  RouteRule,
  ValueMatch,
} from '../route.types.ts'
import type { RankedMatch } from './route-precedence.ts'

type RouteInit = Extract<MessageInitShape<typeof waypointpb.RouteSchema>, { readonly $typeName?: never }>
type Backend = Extract<MessageInitShape<typeof waypointpb.BackendSchema>, { readonly $typeName?: never }>

export type BackendVerdict =
  | {
      readonly found: true
      readonly namespace: string
      readonly hostname: string
      readonly port: number
      readonly protocol: waypointpb.Protocol
    }
  | { readonly found: false; readonly reason: RefProblem['reason']; readonly message: string }

/** Why a reference of a route leads nowhere (Gateway API's reasons). */
export interface RefProblem {
  readonly reason: 'BackendNotFound' | 'RefNotPermitted' | 'InvalidKind' | 'UnsupportedValue'
  readonly message: string
}

export interface CompiledRoute extends RankedMatch {
  readonly message: waypointpb.Route
}

export type ResolveBackend = (ref: BackendRef) => BackendVerdict

/** Answer to requests of a rule that can not be honoured. */
const BROKEN_STATUS = 500

/** One route for each match of each rule, unsorted. */
export function compileRoute(route: MeshRoute, resolve: ResolveBackend): readonly CompiledRoute[] {
  return route.rules.flatMap((rule, i) => {
    const effects = effectsOf(rule, resolve)
    return rule.matches.map((match, index) => ({
      route,
      rule: i,
      index,
      match,
      message: create(waypointpb.RouteSchema, {
        name: `${route.namespace}.${route.name}.${i}`,
        match: matchOf(match),
        ...effects,
      }),
    }))
  })
}

/** The first reference of each kind of trouble, in the order they stand there. */
export function refProblems(route: MeshRoute, resolve: ResolveBackend): readonly RefProblem[] {
  return route.rules.flatMap(({ backends, mirrors }) =>
    [...backends, ...mirrors.map(({ backend }) => backend)].flatMap((ref): readonly RefProblem[] => {
      const verdict = resolve(ref)
      if (!verdict.found) return [verdict]
      return ref.problems.length === 0 ? [] : [{ reason: 'UnsupportedValue', message: ref.problems.join('; ') }]
    }),
  )
}

function effectsOf(rule: RouteRule, resolve: ResolveBackend): RouteInit {
  const broken: RouteInit = { action: { case: 'fixedStatus', value: BROKEN_STATUS } }
  if (rule.problems.length > 0) return broken
  const { redirect, rewrite, retry } = rule
  const backends = rule.backends.map((ref) => backendOf(ref, resolve))
  const forwards = backends.some(({ weight }) => weight !== 0)
  if (redirect === undefined && !forwards) return broken
  return {
    ...headers('requestHeaders', rule.requestHeaders),
    ...headers('responseHeaders', rule.responseHeaders),
    ...(rewrite && { rewrite: { hostname: rewrite.hostname, ...pathOf(rewrite.path) } }),
    mirrors: rule.mirrors.flatMap(({ backend, perMillion }) => {
      const target = backendOf(backend, resolve)
      return target.invalid === true ? [] : [{ backend: target, perMillion }]
    }),
    ...(rule.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: rule.requestTimeoutMs }),
    ...(rule.backendTimeoutMs === undefined ? {} : { backendTimeoutMs: rule.backendTimeoutMs }),
    ...(retry && { retry: { attempts: retry.attempts, codes: [...retry.codes], backoffMs: retry.backoffMs } }),
    action:
      redirect === undefined
        ? { case: 'backends', value: { backends } }
        : { case: 'redirect', value: redirectOf(redirect) },
  }
}

function redirectOf({
  scheme,
  hostname,
  port,
  status,
  path,
}: Redirect): MessageInitShape<typeof waypointpb.RedirectSchema> {
  return { scheme, hostname, port, status, ...pathOf(path) }
}

function backendOf(ref: BackendRef, resolve: ResolveBackend): Backend {
  const verdict = resolve(ref)
  if (!verdict.found || ref.problems.length > 0) return { weight: ref.weight, invalid: true }
  const { namespace, hostname, port, protocol } = verdict
  return {
    namespace,
    hostname,
    port,
    protocol,
    weight: ref.weight,
    ...headers('requestHeaders', ref.requestHeaders),
    ...headers('responseHeaders', ref.responseHeaders),
  }
}

function headers<F extends 'requestHeaders' | 'responseHeaders'>(
  field: F,
  changes: HeaderChanges | undefined,
): { [K in F]?: { set: { name: string; value: string }[]; add: { name: string; value: string }[]; remove: string[] } } {
  if (changes === undefined) return {}
  const { set, add, remove } = changes
  return { [field]: { set: [...set], add: [...add], remove: [...remove] } } as ReturnType<typeof headers<F>>
}

function pathOf(change: PathChange | undefined): { path?: MessageInitShape<typeof waypointpb.PathChangeSchema> } {
  return change === undefined ? {} : { path: { change: { case: change.kind, value: change.value } } }
}

const PATH_CASES = { exact: 'exactPath', prefix: 'pathPrefix', regex: 'pathRegex' } as const

function matchOf({ path, method, headers: headerMatches, query }: RequestMatch): RouteInit['match'] & object {
  return {
    ...(path && { path: { case: PATH_CASES[path.kind], value: path.value } }),
    method,
    headers: headerMatches.map(valueMatchOf),
    query: query.map(valueMatchOf),
  }
}

function valueMatchOf({ name, kind, value }: ValueMatch): MessageInitShape<typeof waypointpb.ValueMatchSchema> {
  return { name, value: { case: kind, value } }
}
