import type { waypointpb as pb } from '@ambit/api'
import { MAX_PORT } from '@ambit/core'
import { enumWord } from '../decode-enum.ts'
import { MAX_RETRIES, MAX_RETRY_BACKOFF_MS, MAX_TIMEOUT_MS } from '../limits.ts'
import { RejectionSignal, reject } from '../rejection.ts'
import { serviceKey } from '../workload.types.ts'
import { compilePattern, compileReplacement } from './compile-pattern.ts'
import { corsOf, faultOf } from './decode-route-extras.ts'
import type {
  Backend,
  FurtherConditions,
  HeaderChanges,
  HeaderValue,
  Mirror,
  PathChange,
  PathMatch,
  Redirect,
  Retry,
  Rewrite,
  Route,
  RouteAction,
  RouteMatch,
  ValueMatch,
} from './destination.types.ts'
import { PROTOCOLS } from './port-protocols.ts'
import { RETRY_CONDITIONS } from './retry-condition.ts'
import { textMatchOf } from './text-match.ts'
import { unknownFieldIn } from './unknown-field.ts'

/**
 * Reads a route. One of which something can not be understood is never left out, or a later and wider one would answer its requests: it
 * matches whatever could be read of its match does not exclude, and is answered 500.
 */
export function decodeRoute(message: pb.Route, path: string): Route {
  const problems: string[] = []
  const unknown = unknownFieldIn(message, path)
  if (unknown !== undefined) problems.push(unknown)
  const match = matchOf(message.match, `${path}.match`, problems)
  const rest = attempt(problems, () => restOf(message, match, path))
  const [problem] = problems
  if (rest !== undefined && problem === undefined) return { name: message.name, match, ...rest }
  return { ...FAILING, name: message.name, match, action: { kind: 'fixed-status', status: 500, problem } }
}

const NO_CHANGES: HeaderChanges = { set: [], add: [], remove: [] }

const FAILING: Omit<Route, 'name' | 'match' | 'action'> = {
  requestHeaders: NO_CHANGES,
  responseHeaders: NO_CHANGES,
  rewrite: undefined,
  mirrors: [],
  requestTimeoutMs: undefined,
  backendTimeoutMs: undefined,
  retry: undefined,
  fault: undefined,
  cors: undefined,
}

/** Runs a reader; why it refused is noted and undefined takes the place of its result. */
function attempt<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RejectionSignal)) throw error
    problems.push(error.rejection.message)
    return undefined
  }
}

const EVERYTHING: RouteMatch = { path: undefined, method: undefined, headers: [], query: [], more: undefined }

/**
 * Conditions that can not be read are left out: the match becomes wider, never narrower. A field of a later version may also turn a
 * condition round or add an alternative, so with one the match is everything.
 */
function matchOf(message: pb.RouteMatch | undefined, path: string, problems: string[]): RouteMatch {
  if (message === undefined || unknownFieldIn(message, path) !== undefined) return EVERYTHING
  return {
    path: attempt(problems, () => pathMatchOf(message, path)),
    method: message.method === '' ? undefined : message.method,
    headers: valueMatchesOf(message.headers, `${path}.headers`, headerNameOf, problems),
    query: valueMatchesOf(message.query, `${path}.query`, (name) => name, problems),
    more: furtherConditionsOf(message, path, problems),
  }
}

/** A header that may not be there narrows too: one that can not be read is left out like any other. */
function furtherConditionsOf(message: pb.RouteMatch, path: string, problems: string[]): FurtherConditions | undefined {
  const { methodText, scheme, authority, withoutHeaders, sourceNamespace } = message
  const texts = [methodText, scheme, authority]
  if (texts.every((text) => text === undefined) && withoutHeaders.length === 0 && sourceNamespace === '')
    return undefined
  const read = (text: pb.TextMatch | undefined, field: string): FurtherConditions['method'] =>
    text && attempt(problems, () => textMatchOf(text.value, `${path}.${field}`))
  return {
    method: read(methodText, 'method_text'),
    scheme: read(scheme, 'scheme'),
    authority: read(authority, 'authority'),
    withoutHeaders: valueMatchesOf(withoutHeaders, `${path}.without_headers`, headerNameOf, problems),
    sourceNamespace: sourceNamespace || undefined,
  }
}

type ReadName = (name: string, path: string) => string

/** Of several conditions on one name only the first counts, read or not (Gateway API). */
function valueMatchesOf(
  list: readonly pb.ValueMatch[],
  path: string,
  nameOf: ReadName,
  problems: string[],
): readonly ValueMatch[] {
  const seen = new Set<string>()
  return list.flatMap((message, index) => {
    const at = `${path}[${index}]`
    const name = attempt(problems, () => nameOf(message.name, at))
    if (name === undefined || seen.has(name)) return []
    seen.add(name)
    return attempt(problems, () => valueMatchOf(name, message.value, at)) ?? []
  })
}

function pathMatchOf({ path: match, pathIgnoresCase }: pb.RouteMatch, path: string): PathMatch | undefined {
  const text = (value: string): { readonly value: string; readonly ignoresCase?: boolean } =>
    pathIgnoresCase ? { value: lowerAscii(value), ignoresCase: true } : { value }
  switch (match.case) {
    case 'exactPath':
      return { kind: 'exact', ...text(match.value) }
    case 'pathPrefix':
      return { kind: 'prefix', value: match.value }
    case 'pathTextPrefix':
      return { kind: 'text-prefix', ...text(match.value) }
    case 'pathRegex':
      return { kind: 'regex', pattern: compilePattern(match.value, `${path}.path_regex`) }
    case undefined:
      return undefined
  }
}

/** As in the paths that are compared with it: no other letters change. */
function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function valueMatchOf(name: string, value: pb.ValueMatch['value'], path: string): ValueMatch {
  return value.case === 'present' ? { kind: 'present', name } : { name, ...textMatchOf(value, path) }
}

type Effects = Omit<Route, 'name' | 'match'>

function restOf(message: pb.Route, match: RouteMatch, path: string): Effects {
  return {
    requestHeaders: headerChangesOf(message.requestHeaders, `${path}.request_headers`),
    responseHeaders: headerChangesOf(message.responseHeaders, `${path}.response_headers`),
    rewrite: message.rewrite && rewriteOf(message.rewrite, match, `${path}.rewrite`),
    mirrors: message.mirrors.map((mirror, index) => mirrorOf(mirror, `${path}.mirrors[${index}]`)),
    requestTimeoutMs: timeoutOf(message.requestTimeoutMs),
    backendTimeoutMs: timeoutOf(message.backendTimeoutMs),
    retry: message.retry && retryOf(message.retry, `${path}.retry`),
    fault: message.fault && faultOf(message.fault, `${path}.fault`),
    cors: message.cors && corsOf(message.cors, `${path}.cors`),
    action: actionOf(message.action, match, path),
  }
}

/** Zero means none (Gateway API). */
function timeoutOf(ms: number | undefined): number | undefined {
  return ms === undefined || ms === 0 ? undefined : Math.min(ms, MAX_TIMEOUT_MS)
}

function actionOf(action: pb.Route['action'], match: RouteMatch, path: string): RouteAction {
  switch (action.case) {
    case 'backends': {
      const backends = action.value.backends.map((backend, index) => backendOf(backend, `${path}.backends[${index}]`))
      return { kind: 'forward', backends }
    }
    case 'redirect':
      return { kind: 'redirect', redirect: redirectOf(action.value, match, `${path}.redirect`) }
    case 'fixedStatus':
      if (action.value < 200 || action.value > 599) reject('bad-status', `${path}.fixed_status: ${action.value}`)
      return { kind: 'fixed-status', status: action.value }
    case 'directResponse': {
      const { status, body } = action.value
      if (status < 200 || status > 599) reject('bad-status', `${path}.direct_response.status: ${status}`)
      return { kind: 'fixed-status', status, body }
    }
    case undefined:
      return reject('empty', `${path}: no action this version knows`)
  }
}

export function backendOf(message: pb.Backend, path: string): Backend {
  const { namespace, hostname, port, weight, invalid } = message
  if (!invalid && hostname === '') reject('empty', `${path}.hostname: required`)
  if (!invalid && (port === 0 || port > MAX_PORT)) reject('bad-port', `${path}.port: ${port} is not a port`)
  return {
    service: serviceKey({ namespace, hostname }),
    port,
    weight,
    invalid,
    protocol: enumWord(`${path}.protocol`, message.protocol, PROTOCOLS),
    requestHeaders: headerChangesOf(message.requestHeaders, `${path}.request_headers`),
    responseHeaders: headerChangesOf(message.responseHeaders, `${path}.response_headers`),
    trafficPolicy: message.trafficPolicy,
    subset: message.subset,
  }
}

function mirrorOf({ backend, perMillion }: pb.Mirror, path: string): Mirror {
  if (backend === undefined) return reject('empty', `${path}.backend: required`)
  return { backend: backendOf(backend, `${path}.backend`), perMillion }
}

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const DEFAULT_REDIRECT_STATUS = 302

function redirectOf(message: pb.Redirect, match: RouteMatch, path: string): Redirect {
  const { scheme, hostname, port } = message
  const status = message.status || DEFAULT_REDIRECT_STATUS
  if (!REDIRECT_STATUSES.has(status)) reject('bad-status', `${path}.status: ${status} is no redirect`)
  if (!['', 'http', 'https'].includes(scheme)) reject('unsupported', `${path}.scheme: ${scheme}`)
  if (port > MAX_PORT) reject('bad-port', `${path}.port: ${port} is not a port`)
  return {
    scheme: scheme || undefined,
    hostname: hostname === '' ? undefined : hostnameOf(hostname, path),
    port: port || undefined,
    path: message.path && pathChangeOf(message.path, match, `${path}.path`),
    status,
    keepsWrittenPort: message.keepsWrittenPort,
  }
}

function rewriteOf({ hostname, path: change }: pb.Rewrite, match: RouteMatch, path: string): Rewrite {
  return {
    hostname: hostname === '' ? undefined : hostnameOf(hostname, path),
    path: change && pathChangeOf(change, match, `${path}.path`),
  }
}

// What stands in a path or an authority goes out as it is, so it must be what those consist of.
const PATH_TEXT = /^[!-~]*$/
const HOSTNAME = /^[A-Za-z0-9_.-]+(:\d{1,5})?$/

function hostnameOf(hostname: string, path: string): string {
  return HOSTNAME.test(hostname) ? hostname : reject('bad-path', `${path}.hostname: not a host name`)
}

const MATCHED_AS = { prefix: 'prefix', textPrefix: 'text-prefix' } as const

function pathChangeOf({ change }: pb.PathChange, match: RouteMatch, path: string): PathChange {
  switch (change.case) {
    case undefined:
      return reject('empty', `${path}: no change this version knows`)
    case 'regex': {
      const { pattern, substitution } = change.value
      pathText(substitution, path)
      return { kind: 'regex', replacement: compileReplacement(pattern, substitution, `${path}.regex`) }
    }
    case 'full':
      return { kind: 'full', value: pathText(change.value, path) }
    default: {
      const kind = MATCHED_AS[change.case]
      // Without a path match the whole path lies below the root.
      const { kind: matched = kind } = match.path ?? {}
      if (matched !== kind) reject('bad-path', `${path}: replaces a prefix where none is matched`)
      return { kind, value: pathText(change.value, path) }
    }
  }
}

function pathText(value: string, path: string): string {
  return PATH_TEXT.test(value) && !value.includes('#') ? value : reject('bad-path', `${path}: not the path of a URL`)
}

function retryOf({ attempts, codes, backoffMs, conditions }: pb.Retry, path: string): Retry {
  const odd = codes.find((code) => code < 400 || code > 599)
  if (odd !== undefined) reject('bad-status', `${path}.codes: ${odd} is no failure`)
  return {
    attempts: Math.min(attempts, MAX_RETRIES),
    codes,
    backoffMs: Math.min(backoffMs, MAX_RETRY_BACKOFF_MS),
    conditions: conditions.map(
      (name) =>
        RETRY_CONDITIONS.find((known) => known === name) ?? reject('unsupported', `${path}.conditions: ${name}`),
    ),
  }
}

function headerChangesOf(message: pb.HeaderChanges | undefined, path: string): HeaderChanges {
  if (message === undefined) return NO_CHANGES
  const { set, add, remove } = message
  return {
    set: set.map((header, index) => headerValueOf(header, `${path}.set[${index}]`)),
    add: add.map((header, index) => headerValueOf(header, `${path}.add[${index}]`)),
    remove: remove.map((name, index) => headerNameOf(name, `${path}.remove[${index}]`)),
  }
}

// RFC 9110 §5: a token, and a value of visible characters, spaces and tabs.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const FIELD_VALUE = /^[\t -~\u0080-\u00ff]*$/

function headerNameOf(name: string, path: string): string {
  return TOKEN.test(name) ? name.toLowerCase() : reject('bad-header', `${path}: not a header name`)
}

function headerValueOf({ name, value }: pb.HeaderValue, path: string): HeaderValue {
  if (!FIELD_VALUE.test(value)) reject('bad-header', `${path}: not a header value`)
  return { name: headerNameOf(name, path), value }
}
