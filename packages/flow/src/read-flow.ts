import type {
  Flow,
  FlowEnd,
  FlowReporter,
  FlowRequest,
  FlowService,
  FlowState,
  FlowTransport,
  FlowVerdict,
} from './flow.types.ts'
import { FlowLineError } from './flow-line-error.ts'

type Json = Readonly<Record<string, unknown>>

const STATES: readonly FlowState[] = ['open', 'closed', 'denied', 'failed']
const KINDS: readonly FlowReporter['kind'][] = ['ztunnel', 'waypoint', 'gateway']
const SIDES: readonly Flow['side'][] = ['source', 'destination', 'waypoint']
const PROTOCOLS: readonly Flow['protocol'][] = ['tcp', 'http']
const TRANSPORTS: readonly FlowTransport['kind'][] = ['hbone', 'tls', 'plain']
const MAX_PORT = 65_535
const MAX_STATUS = 999

/** A flow of which every member has the type that it should have; the first that has not is named. */
export function readFlow(json: Json): Flow {
  return {
    id: text(json, 'id'),
    state: oneOf(json, 'state', STATES),
    startedAt: time(json, 'startedAt'),
    at: time(json, 'at'),
    reporter: reporter(object(json, 'reporter')),
    side: oneOf(json, 'side', SIDES),
    protocol: oneOf(json, 'protocol', PROTOCOLS),
    client: end(object(json, 'client'), 'client'),
    server: end(object(json, 'server'), 'server'),
    service: optional(json, 'service', (value) => service(asObject(value, 'service'))),
    waypoint: maybeText(json, 'waypoint'),
    transport: transport(object(json, 'transport')),
    bytesFromClient: count(json, 'bytesFromClient'),
    bytesToClient: count(json, 'bytesToClient'),
    request: optional(json, 'request', (value) => request(asObject(value, 'request'))),
    verdict: optional(json, 'verdict', (value) => verdict(asObject(value, 'verdict'))),
    failure: optional(json, 'failure', (value) => {
      const failure = asObject(value, 'failure')
      return { code: text(failure, 'code', 'failure'), message: text(failure, 'message', 'failure') }
    }),
  }
}

/** How many lines are missing; undefined where the line says something else. */
export function readLost(json: Json): number | undefined {
  return json['lost'] === undefined ? undefined : count(json, 'lost')
}

function reporter(json: Json): FlowReporter {
  return {
    kind: oneOf(json, 'kind', KINDS, 'reporter'),
    pod: text(json, 'pod', 'reporter'),
    node: maybeText(json, 'node', 'reporter'),
    gateway: maybeText(json, 'gateway', 'reporter'),
  }
}

function end(json: Json, at: string): FlowEnd {
  return {
    address: text(json, 'address', at),
    identity: maybeText(json, 'identity', at),
    namespace: maybeText(json, 'namespace', at),
    workload: maybeText(json, 'workload', at),
    pod: maybeText(json, 'pod', at),
  }
}

function service(json: Json): FlowService {
  return {
    namespace: text(json, 'namespace', 'service'),
    hostname: text(json, 'hostname', 'service'),
    port: count(json, 'port', 'service', MAX_PORT),
  }
}

function transport(json: Json): FlowTransport {
  return {
    kind: oneOf(json, 'kind', TRANSPORTS, 'transport'),
    version: maybeText(json, 'version', 'transport'),
    cipher: maybeText(json, 'cipher', 'transport'),
    keyExchange: maybeText(json, 'keyExchange', 'transport'),
  }
}

function request(json: Json): FlowRequest {
  return {
    method: text(json, 'method', 'request'),
    path: text(json, 'path', 'request'),
    host: text(json, 'host', 'request'),
    headers: optional(json, 'headers', (value) => {
      const headers = asObject(value, 'request.headers')
      return Object.fromEntries(Object.keys(headers).map((name) => [name, text(headers, name, 'request.headers')]))
    }),
    claims: optional(json, 'claims', (value) => asObject(value, 'request.claims')),
    status: count(json, 'status', 'request', MAX_STATUS),
  }
}

function verdict(json: Json): FlowVerdict {
  const { allowed, unmatched } = json
  if (typeof allowed !== 'boolean') throw wrong('verdict.allowed', 'true or false')
  if (unmatched !== undefined && !(Array.isArray(unmatched) && unmatched.every((name) => typeof name === 'string')))
    throw wrong('verdict.unmatched', 'a list of texts')
  return {
    allowed,
    reason: text(json, 'reason', 'verdict'),
    policy: maybeText(json, 'policy', 'verdict'),
    rule: optional(json, 'rule', () => count(json, 'rule', 'verdict')),
    unmatched,
  }
}

function optional<T>(json: Json, name: string, read: (value: unknown) => T): T | undefined {
  const value = json[name]
  return value === undefined ? undefined : read(value)
}

function object(json: Json, name: string): Json {
  return asObject(json[name], name)
}

function asObject(value: unknown, at: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw wrong(at, 'an object')
}

function text(json: Json, name: string, at?: string): string {
  const value = json[name]
  if (typeof value === 'string') return value
  throw wrong(pathOf(name, at), 'a text')
}

function maybeText(json: Json, name: string, at?: string): string | undefined {
  return json[name] === undefined ? undefined : text(json, name, at)
}

function oneOf<T extends string>(json: Json, name: string, among: readonly T[], at?: string): T {
  const value = text(json, name, at)
  const found = among.find((each) => each === value)
  if (found === undefined) throw wrong(pathOf(name, at), `one of ${among.join(', ')}`)
  return found
}

function count(json: Json, name: string, at?: string, max = Number.MAX_SAFE_INTEGER): number {
  const value = json[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value
  throw wrong(pathOf(name, at), `a whole number from 0 to ${max}`)
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

function time(json: Json, name: string): string {
  const value = text(json, name)
  if (RFC_3339.test(value) && !Number.isNaN(Date.parse(value))) return value
  throw wrong(name, 'a time in UTC, as 2026-11-21T18:00:00Z')
}

function pathOf(name: string, at: string | undefined): string {
  return at === undefined ? name : `${at}.${name}`
}

function wrong(path: string, wanted: string): FlowLineError {
  return new FlowLineError('FLOW_LINE_INVALID', `not a flow: ${path} is not ${wanted}`)
}
