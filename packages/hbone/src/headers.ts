import { randomUUID } from 'node:crypto'
import { formatSocketAddress, type SocketAddress } from '@ambit/core'
import { MAX_HEADER_VALUE_LENGTH } from './limits.ts'

/** Lower-case workload types as they stand in a baggage key. */
export type BaggageWorkloadType = 'deployment' | 'cronjob' | 'pod' | 'job'

/** What one side tells the other about a workload, for telemetry only. */
export interface Baggage {
  readonly clusterName?: string | undefined
  readonly namespace?: string | undefined
  readonly workloadType?: BaggageWorkloadType | undefined
  readonly workloadName?: string | undefined
  readonly serviceName?: string | undefined
  readonly serviceVersion?: string | undefined
  readonly region?: string | undefined
  readonly zone?: string | undefined
}

const WORKLOAD_TYPES: readonly BaggageWorkloadType[] = ['deployment', 'cronjob', 'pod', 'job']
/** A value that would break the list, or the header, is left out: Istio writes without escapes. */
const SAFE_VALUE = /^[\x21-\x2b\x2d-\x3a\x3c-\x7e]+$/

/** `key=value` joined by commas, in Istio's order; empty fields are left out. */
export function formatBaggage(baggage: Baggage): string {
  const { workloadType, workloadName } = baggage
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['k8s.cluster.name', baggage.clusterName],
    ['k8s.namespace.name', baggage.namespace],
    [`k8s.${workloadType ?? 'pod'}.name`, workloadType === undefined ? undefined : workloadName],
    ['service.name', baggage.serviceName],
    ['service.version', baggage.serviceVersion],
    ['cloud.region', baggage.region],
    ['cloud.availability_zone', baggage.zone],
  ]
  return fields
    .flatMap(([key, value]) => (value !== undefined && SAFE_VALUE.test(value) ? [`${key}=${value}`] : []))
    .join(',')
}

/** Reads one or several baggage headers. Unknown keys are ignored, empty values unset. */
export function parseBaggage(header: string | readonly string[] | undefined): Baggage {
  const text = typeof header === 'string' ? header : (header ?? []).join(',')
  const values = new Map<string, string>()
  for (const member of text.slice(0, MAX_HEADER_VALUE_LENGTH).split(',')) {
    const equals = member.indexOf('=')
    const value = member.slice(equals + 1).trim()
    if (equals > 0 && value !== '') values.set(member.slice(0, equals).trim(), value)
  }
  const workloadType = WORKLOAD_TYPES.find((type) => values.has(`k8s.${type}.name`))
  return {
    clusterName: values.get('k8s.cluster.name'),
    namespace: values.get('k8s.namespace.name'),
    workloadType,
    workloadName: workloadType && values.get(`k8s.${workloadType}.name`),
    serviceName: values.get('service.name'),
    serviceVersion: values.get('service.version'),
    region: values.get('cloud.region'),
    zone: values.get('cloud.availability_zone'),
  }
}

/** `for="10.0.0.1:80"`, and the service's hostname where one is known. */
export function formatForwarded(client: SocketAddress, serviceHostname?: string): string {
  const quoted = `for="${formatSocketAddress(client)}"`
  return serviceHostname === undefined || !SAFE_VALUE.test(serviceHostname)
    ? quoted
    : `${quoted};host=${serviceHostname}`
}

/** The `host=` parameter, a hint for telemetry. `for=` is not even looked at: nothing may be decided by it (T20). */
export function parseForwardedHost(header: string | undefined): string | undefined {
  if (header === undefined || header.length > MAX_HEADER_VALUE_LENGTH) return undefined
  for (const parameter of header.split(';')) {
    const [, value] = /^\s*host=(.*)$/i.exec(parameter) ?? []
    const host = value?.trim().replace(/^"(.*)"$/, '$1')
    if (host !== undefined) return /^[\x21-\x7e]+$/.test(host) ? host : undefined
  }
  return undefined
}

export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/i

/** A new trace, made once per downstream connection (Istio: never sampled). */
export function newTraceParent(): string {
  // Version 4 UUIDs: Node draws their randomness for many at once, which a system call per connection does not.
  return `00-${randomUUID().replaceAll('-', '')}-${randomUUID().replaceAll('-', '').slice(16)}-00`
}

/** Undefined, to be replaced by a new one, unless it is exactly 55 characters of the W3C form. */
export function parseTraceParent(header: string | undefined): TraceParent | undefined {
  const [, traceId, spanId] = TRACEPARENT.exec(header ?? '') ?? []
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId }
}
