import { MAX_BAGGAGE_BYTES } from './limits.ts'

/** What one proxy tells the other about a workload, for telemetry only: it is a claim, never used for policy. */
export interface Baggage {
  readonly cluster?: string | undefined
  readonly namespace?: string | undefined
  /** Lower-case workload type, `deployment` and so on, with the name of the owner. */
  readonly workload?: { readonly type: string; readonly name: string } | undefined
  readonly service?: string | undefined
  readonly revision?: string | undefined
  readonly region?: string | undefined
  readonly zone?: string | undefined
}

const WORKLOAD_TYPES = ['deployment', 'cronjob', 'pod', 'job']

/** The `baggage` header of HBONE: comma joined, no spaces, empty values left out, fixed order. */
export function formatBaggage(baggage: Baggage): string {
  const pairs: readonly (readonly [string, string | undefined])[] = [
    ['k8s.cluster.name', baggage.cluster],
    ['k8s.namespace.name', baggage.namespace],
    [`k8s.${baggage.workload?.type ?? 'deployment'}.name`, baggage.workload?.name],
    ['service.name', baggage.service],
    ['service.version', baggage.revision],
    ['cloud.region', baggage.region],
    ['cloud.availability_zone', baggage.zone],
  ]
  return pairs
    .filter(([, value]) => value !== undefined && isHeaderSafe(value))
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}

/** Reads one or several headers; unknown keys and empty values are ignored. */
export function parseBaggage(header: string | readonly string[] | undefined): Baggage {
  const found = new Map<string, string>()
  const text = (typeof header === 'string' ? header : (header ?? []).join(',')).slice(0, MAX_BAGGAGE_BYTES)
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=')
    const value = pair.slice(equals + 1).trim()
    if (equals > 0 && value !== '') found.set(pair.slice(0, equals).trim(), value)
  }
  const type = WORKLOAD_TYPES.find((candidate) => found.has(`k8s.${candidate}.name`))
  return {
    cluster: found.get('k8s.cluster.name'),
    namespace: found.get('k8s.namespace.name'),
    workload: type === undefined ? undefined : { type, name: found.get(`k8s.${type}.name`) ?? '' },
    service: found.get('service.name'),
    revision: found.get('service.version'),
    region: found.get('cloud.region'),
    zone: found.get('cloud.availability_zone'),
  }
}

/** Names come from Kubernetes objects; one that could end the header or start another pair is not sent. */
function isHeaderSafe(value: string): boolean {
  return value !== '' && /^[\x21-\x2b\x2d-\x7e]+$/.test(value)
}
