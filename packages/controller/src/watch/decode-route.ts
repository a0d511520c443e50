import type { KubeObject } from '@ambit/kube'
import type { BackendRef, MeshRoute, ParentRef, ReferenceGrant, RouteRule } from '../route.types.ts'
import { decodeMeta, specOf } from './decode-meta.ts'
import { decodeFilters } from './decode-route-filters.ts'
import { decodeGrpcMatch, decodeHttpMatch, type MatchDecoder } from './decode-route-match.ts'
import { durationMs } from './go-duration.ts'
import { isRecord, type Json, list, portNumber, record, text, texts, unsigned } from './json.ts'

/** Of a rule that asks for retries and does not say how many (Istio). */
const DEFAULT_RETRY_ATTEMPTS = 2
const GATEWAY_GROUP = 'gateway.networking.k8s.io'

/**
 * Reads an HTTPRoute. What is not understood stays as a problem of its rule, which is then answered 500: a rule that
 * vanishes would leave its requests to a wider one.
 */
export function decodeHttpRoute(object: KubeObject): MeshRoute {
  return decodeRoute(object, 'HTTPRoute', decodeHttpMatch)
}

export function decodeGrpcRoute(object: KubeObject): MeshRoute {
  return decodeRoute(object, 'GRPCRoute', decodeGrpcMatch)
}

function decodeRoute(object: KubeObject, kind: MeshRoute['kind'], decodeMatch: MatchDecoder): MeshRoute {
  const spec = specOf(object)
  const meta = decodeMeta(object)
  return {
    ...meta,
    kind,
    hostnames: texts(spec['hostnames']).map((host) => host.toLowerCase()),
    parents: list(spec['parentRefs']).map((value) => decodeParent(value, meta.namespace)),
    rules: list(spec['rules']).map((value, i) => decodeRule(value, `rules[${i}]`, meta.namespace, decodeMatch)),
  }
}

function decodeParent(value: unknown, namespace: string): ParentRef {
  const written = record(value)
  return {
    group: text(written['group']) ?? GATEWAY_GROUP,
    kind: text(written['kind']) ?? 'Gateway',
    namespace: text(written['namespace']) || namespace,
    name: text(written['name']) ?? '',
    port: portNumber(written['port']),
    section: text(written['sectionName']) ?? '',
    written,
  }
}

function decodeRule(value: unknown, path: string, namespace: string, decodeMatch: MatchDecoder): RouteRule {
  const rule = record(value)
  const problems: string[] = isRecord(value) ? [] : [`${path}: no rule`]
  const backendOf = (entry: unknown, at: string): BackendRef => decodeBackend(entry, at, namespace)
  const filters = decodeFilters(rule['filters'], `${path}.filters`, 'rule', backendOf)
  problems.push(...filters.problems)
  const written = list(rule['matches'])
  const matches = (written.length === 0 ? [{}] : written).map((match, i) =>
    decodeMatch(match, `${path}.matches[${i}]`, problems),
  )
  const timeouts = record(rule['timeouts'])
  const timeout = (field: string): number | undefined =>
    duration(timeouts[field], `${path}.timeouts.${field}`, problems)
  return {
    matches,
    ...filters.effects,
    backends: list(rule['backendRefs']).map((entry, i) => backendOf(entry, `${path}.backendRefs[${i}]`)),
    requestTimeoutMs: timeout('request'),
    backendTimeoutMs: timeout('backendRequest'),
    retry: decodeRetry(rule['retry'], `${path}.retry`, problems),
    problems,
  }
}

function decodeRetry(value: unknown, path: string, problems: string[]): RouteRule['retry'] {
  if (!isRecord(value)) return undefined
  return {
    attempts: unsigned(value['attempts']) ?? DEFAULT_RETRY_ATTEMPTS,
    codes: list(value['codes']).flatMap((code) => unsigned(code) ?? []),
    backoffMs: duration(value['backoff'], `${path}.backoff`, problems) ?? 0,
  }
}

function duration(value: unknown, path: string, problems: string[]): number | undefined {
  if (value === undefined || value === null) return undefined
  const ms = durationMs(text(value))
  if (ms === undefined) problems.push(`${path}: ${JSON.stringify(value)} is no duration such as 10s`)
  return ms
}

function decodeBackend(value: unknown, path: string, namespace: string): BackendRef {
  const backend = record(value)
  const filters = decodeFilters(backend['filters'], `${path}.filters`, 'backend', () =>
    decodeBackend({}, path, namespace),
  )
  return {
    group: text(backend['group']) ?? '',
    kind: text(backend['kind']) ?? 'Service',
    namespace: text(backend['namespace']) || namespace,
    name: text(backend['name']) ?? '',
    port: portNumber(backend['port']),
    weight: unsigned(backend['weight']) ?? 1,
    requestHeaders: filters.effects.requestHeaders,
    responseHeaders: filters.effects.responseHeaders,
    problems: filters.problems,
  }
}

export function decodeReferenceGrant(object: KubeObject): ReferenceGrant {
  const spec = specOf(object)
  const word = (entry: Json, field: string): string => text(entry[field]) ?? ''
  return {
    ...decodeMeta(object),
    from: list(spec['from']).map((value) => {
      const from = record(value)
      return { group: word(from, 'group'), kind: word(from, 'kind'), namespace: word(from, 'namespace') }
    }),
    to: list(spec['to']).map((value) => {
      const to = record(value)
      return { group: word(to, 'group'), kind: word(to, 'kind'), name: word(to, 'name') }
    }),
  }
}
