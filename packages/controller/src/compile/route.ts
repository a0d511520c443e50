import { waypointpb } from '@ambit/api'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type {
  BackendRef,
  Cors,
  Fault,
  FurtherConditions,
  HeaderChanges,
  MeshRoute,
  PathChange,
  Redirect,
  RequestMatch,
  RouteRule,
  TextMatch,
  ValueMatch,
} from '../route.types.ts'
import type { RankedMatch } from './route-precedence.ts'

type RouteInit = Extract<MessageInitShape<typeof waypointpb.RouteSchema>, { readonly $typeName?: never }>
export type Backend = Extract<MessageInitShape<typeof waypointpb.BackendSchema>, { readonly $typeName?: never }>

export type BackendVerdict =
  | {
      readonly found: true
      readonly namespace: string
      readonly hostname: string
      readonly port: number
      readonly protocol: waypointpb.Protocol
      /** Name of what DestinationRules say of it; absent: nothing. */
      readonly trafficPolicy?: string | undefined
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
      message: message(`${route.namespace}.${route.name}.${i}`, match, effects),
    }))
  })
}

/** The route of one match of a rule. */
export function routeOfRule(
  name: string,
  match: RequestMatch,
  rule: Omit<RouteRule, 'matches'>,
  resolve: ResolveBackend,
): waypointpb.Route {
  return message(name, match, effectsOf(rule, resolve))
}

function message(name: string, match: RequestMatch, effects: RouteInit): waypointpb.Route {
  return create(waypointpb.RouteSchema, { name, match: matchOf(match), ...effects })
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

function effectsOf(rule: Omit<RouteRule, 'matches'>, resolve: ResolveBackend): RouteInit {
  const broken: RouteInit = { action: { case: 'fixedStatus', value: BROKEN_STATUS } }
  if (rule.problems.length > 0) return broken
  const { redirect, rewrite, retry, fault, cors, directResponse } = rule
  const backends = rule.backends.map((ref) => backendOf(ref, resolve))
  const forwards = backends.some(({ weight }) => weight !== 0)
  if (redirect === undefined && directResponse === undefined && !forwards) return broken
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
    ...(retry && {
      retry: {
        attempts: retry.attempts,
        codes: [...retry.codes],
        backoffMs: retry.backoffMs,
        conditions: [...(retry.conditions ?? [])],
      },
    }),
    ...(fault && { fault: faultOf(fault) }),
    ...(cors && { cors: corsOf(cors) }),
    action: actionOf(redirect, directResponse, backends),
  }
}

function actionOf(
  redirect: Redirect | undefined,
  response: RouteRule['directResponse'],
  backends: Backend[],
): RouteInit['action'] & object {
  if (redirect !== undefined) return { case: 'redirect', value: redirectOf(redirect) }
  if (response !== undefined) return { case: 'directResponse', value: { ...response } }
  return { case: 'backends', value: { backends } }
}

function faultOf({ delay, abort }: Fault): MessageInitShape<typeof waypointpb.FaultSchema> {
  return {
    ...(delay && { delayPerMillion: delay.perMillion, delayMs: delay.ms }),
    ...(abort && {
      abortPerMillion: abort.perMillion,
      abort: { case: abort.kind === 'http' ? 'httpStatus' : 'grpcStatus', value: abort.status },
    }),
  }
}

function corsOf(cors: Cors): MessageInitShape<typeof waypointpb.CorsSchema> {
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, maxAgeSeconds } = cors
  return {
    allowOrigins: allowOrigins.map(textMatchOf),
    allowMethods: [...allowMethods],
    allowHeaders: [...allowHeaders],
    exposeHeaders: [...exposeHeaders],
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
    allowCredentials: cors.allowCredentials,
    answerAllPreflights: cors.answerAllPreflights,
  }
}

function redirectOf({
  scheme,
  hostname,
  port,
  status,
  path,
  keepsWrittenPort = false,
}: Redirect): MessageInitShape<typeof waypointpb.RedirectSchema> {
  return { scheme, hostname, port, status, keepsWrittenPort, ...pathOf(path) }
}

export function backendOf(ref: BackendRef, resolve: ResolveBackend): Backend {
  const verdict = resolve(ref)
  if (ref.problems.length > 0) return { weight: ref.weight, invalid: true }
  if (!verdict.found) return unresolved(ref)
  const { namespace, hostname, port, protocol, trafficPolicy = '' } = verdict
  return {
    namespace,
    hostname,
    port,
    protocol,
    trafficPolicy,
    subset: ref.subset ?? '',
    weight: ref.weight,
    ...headers('requestHeaders', ref.requestHeaders),
    ...headers('responseHeaders', ref.responseHeaders),
  }
}

/** To a VirtualService a destination that is not there is a cluster nobody knows, 503; to a route of Gateway API it is 500. */
function unresolved({ weight, name, port, subset }: BackendRef): Backend {
  return subset === undefined ? { weight, invalid: true } : { hostname: name, port: port ?? ANY_PORT, subset, weight }
}

/** Of nothing. */
const ANY_PORT = 1

function headers<F extends 'requestHeaders' | 'responseHeaders'>(
  field: F,
  changes: HeaderChanges | undefined,
): { [K in F]?: { set: { name: string; value: string }[]; add: { name: string; value: string }[]; remove: string[] } } {
  if (changes === undefined) return {}
  const { set, add, remove } = changes
  return { [field]: { set: [...set], add: [...add], remove: [...remove] } } as ReturnType<typeof headers<F>>
}

function pathOf(change: PathChange | undefined): { path?: MessageInitShape<typeof waypointpb.PathChangeSchema> } {
  if (change === undefined) return {}
  switch (change.kind) {
    case 'regex':
      return {
        path: { change: { case: 'regex', value: { pattern: change.pattern, substitution: change.value } } },
      }
    case 'text-prefix':
      return { path: { change: { case: 'textPrefix', value: change.value } } }
    default:
      return { path: { change: { case: change.kind, value: change.value } } }
  }
}

const PATH_CASES = {
  exact: 'exactPath',
  prefix: 'pathPrefix',
  'text-prefix': 'pathTextPrefix',
  regex: 'pathRegex',
} as const

function matchOf({ path, method, headers: headerMatches, query, more }: RequestMatch): RouteInit['match'] & object {
  return {
    ...(path && { path: { case: PATH_CASES[path.kind], value: path.value } }),
    pathIgnoresCase: path?.ignoresCase ?? false,
    method,
    headers: headerMatches.map(valueMatchOf),
    query: query.map(valueMatchOf),
    ...(more && conditionsOf(more)),
  }
}

function conditionsOf({
  method,
  scheme,
  authority,
  withoutHeaders,
  sourceNamespace,
}: FurtherConditions): RouteInit['match'] & object {
  return {
    ...(method && { methodText: textMatchOf(method) }),
    ...(scheme && { scheme: textMatchOf(scheme) }),
    ...(authority && { authority: textMatchOf(authority) }),
    withoutHeaders: withoutHeaders.map(valueMatchOf),
    sourceNamespace,
  }
}

function textMatchOf({ kind, value }: TextMatch): MessageInitShape<typeof waypointpb.TextMatchSchema> {
  return { value: { case: kind, value } }
}

function valueMatchOf({ name, kind, value }: ValueMatch): MessageInitShape<typeof waypointpb.ValueMatchSchema> {
  return kind === 'present' ? { name, value: { case: 'present', value: true } } : { name, value: { case: kind, value } }
}
