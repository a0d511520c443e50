import type { KubeObject } from '@ambit/kube'
import { completeHost, exportedTo } from '../compile/host-name.ts'
import type {
  ConnectionPool,
  DestinationRule,
  HashOf,
  LoadBalancer,
  OutlierDetection,
  PolicyBlocks,
  TrafficPolicy,
  UpstreamTls,
} from '../destination-rule.types.ts'
import { decodeMeta, specOf } from './decode-meta.ts'
import { durationMs } from './go-duration.ts'
import { isRecord, type Json, list, portNumber, record, stringMap, text, texts, unsigned } from './json.ts'

/** Reads a DestinationRule; what is not followed is among its notes. */
export function decodeDestinationRule(object: KubeObject, domain: string): DestinationRule {
  const spec = specOf(object)
  const meta = decodeMeta(object)
  const notes: string[] = []
  return {
    ...meta,
    host: completeHost(text(spec['host']) ?? '', meta.namespace, domain),
    exportTo: exportedTo(texts(spec['exportTo']), meta.namespace),
    policy: policyOf(spec['trafficPolicy'], 'trafficPolicy', notes),
    subsets: list(spec['subsets']).map((value, i) => {
      const subset = record(value)
      return {
        name: text(subset['name']) ?? '',
        labels: stringMap(subset['labels']),
        policy: policyOf(subset['trafficPolicy'], `subsets[${i}].trafficPolicy`, notes),
      }
    }),
    hasSelector: isRecord(spec['workloadSelector']),
    notes,
  }
}

function policyOf(value: unknown, path: string, notes: string[]): TrafficPolicy | undefined {
  if (!isRecord(value)) return undefined
  noteOthers(value, [...BLOCKS, 'portLevelSettings'], path, notes)
  return {
    ...blocksOf(value, path, notes),
    ports: list(value['portLevelSettings']).flatMap((entry, i) => {
      const settings = record(entry)
      const port = portNumber(record(settings['port'])['number'])
      return port === undefined ? [] : [{ port, ...blocksOf(settings, `${path}.portLevelSettings[${i}]`, notes) }]
    }),
  }
}

const BLOCKS = ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls']

function blocksOf(policy: Json, path: string, notes: string[]): PolicyBlocks {
  const block = <T>(name: string, read: (value: Json, at: string, notes: string[]) => T): T | undefined => {
    const value = policy[name]
    return isRecord(value) ? read(value, `${path}.${name}`, notes) : undefined
  }
  return {
    loadBalancer: block('loadBalancer', loadBalancerOf),
    connectionPool: block('connectionPool', connectionPoolOf),
    outlierDetection: block('outlierDetection', outlierDetectionOf),
    tls: block('tls', tlsOf),
  }
}

const ALGORITHMS: Readonly<Record<string, LoadBalancer['algorithm']>> = {
  UNSPECIFIED: 'LEAST_REQUEST',
  LEAST_CONN: 'LEAST_REQUEST',
  LEAST_REQUEST: 'LEAST_REQUEST',
  ROUND_ROBIN: 'ROUND_ROBIN',
  RANDOM: 'RANDOM',
  PASSTHROUGH: 'PASSTHROUGH',
}

function loadBalancerOf(value: Json, path: string, notes: string[]): LoadBalancer {
  noteOthers(value, ['simple', 'consistentHash'], path, notes)
  const simple = text(value['simple']) ?? 'UNSPECIFIED'
  const algorithm = ALGORITHMS[simple]
  if (algorithm === undefined) notes.push(`${path}.simple: ${simple} is not known`)
  const hash = value['consistentHash']
  return {
    algorithm: algorithm ?? 'LEAST_REQUEST',
    hash: isRecord(hash) ? hashOf(hash, `${path}.consistentHash`, notes) : undefined,
  }
}

function hashOf(value: Json, path: string, notes: string[]): HashOf | undefined {
  const { httpHeaderName: header, httpQueryParameterName: query, httpCookie: cookie } = value
  if (typeof header === 'string' && header !== '') return { kind: 'header', name: header }
  if (typeof query === 'string' && query !== '') return { kind: 'query', name: query }
  if (value['useSourceIp'] === true) return { kind: 'source-ip' }
  const name = text(record(cookie)['name'])
  if (name === undefined) {
    notes.push(`${path}: nothing to hash`)
    return undefined
  }
  const ttlMs = durationMs(text(record(cookie)['ttl']))
  const path_ = text(record(cookie)['path']) ?? ''
  return { kind: 'cookie', name, path: path_, ttlSeconds: ttlMs === undefined ? undefined : Math.floor(ttlMs / 1000) }
}

function connectionPoolOf(value: Json, path: string, notes: string[]): ConnectionPool {
  const [tcp, http] = [record(value['tcp']), record(value['http'])]
  noteOthers(value, ['tcp', 'http'], path, notes)
  noteOthers(tcp, ['maxConnections', 'connectTimeout'], `${path}.tcp`, notes)
  noteOthers(
    http,
    ['http1MaxPendingRequests', 'http2MaxRequests', 'maxRequestsPerConnection', 'maxRetries'],
    `${path}.http`,
    notes,
  )
  return {
    maxConnections: unsigned(tcp['maxConnections']) || undefined,
    connectTimeoutMs: durationMs(text(tcp['connectTimeout'])) || undefined,
    maxPendingRequests: unsigned(http['http1MaxPendingRequests']) || undefined,
    maxRequests: unsigned(http['http2MaxRequests']) || undefined,
    maxRequestsPerConnection: unsigned(http['maxRequestsPerConnection']) || undefined,
    maxRetries: unsigned(http['maxRetries']) || undefined,
  }
}

/** As long as the rule says nothing else (Istio). */
const OUTLIERS = { consecutive5xx: 5, intervalMs: 10_000, baseEjectionMs: 30_000, maxEjectionPercent: 10 }

function outlierDetectionOf(value: Json, path: string, notes: string[]): OutlierDetection {
  const known = [
    'consecutive5xxErrors',
    'consecutiveErrors',
    'consecutiveGatewayErrors',
    'interval',
    'baseEjectionTime',
    'maxEjectionPercent',
    'minHealthPercent',
  ]
  noteOthers(value, known, path, notes)
  const ms = (field: string): number | undefined => durationMs(text(value[field])) || undefined
  return {
    consecutive5xx: unsigned(value['consecutive5xxErrors']) ?? OUTLIERS.consecutive5xx,
    consecutiveGatewayErrors: unsigned(value['consecutiveGatewayErrors']) ?? unsigned(value['consecutiveErrors']) ?? 0,
    intervalMs: ms('interval') ?? OUTLIERS.intervalMs,
    baseEjectionMs: ms('baseEjectionTime') ?? OUTLIERS.baseEjectionMs,
    maxEjectionPercent: unsigned(value['maxEjectionPercent']) || OUTLIERS.maxEjectionPercent,
    minHealthPercent: unsigned(value['minHealthPercent']) ?? 0,
  }
}

/** Between proxies of the mesh it is the mesh that decides. Keys and authorities of one's own are in files no waypoint has. */
function tlsOf(value: Json, path: string, notes: string[]): UpstreamTls {
  const mode = text(value['mode']) ?? 'DISABLE'
  if (mode === 'DISABLE' || mode === 'ISTIO_MUTUAL') return { kind: 'mesh' }
  const own = ['credentialName', 'caCertificates', 'caCrl'].find((field) => value[field] && value[field] !== 'system')
  if (mode === 'SIMPLE' && own === undefined)
    return {
      kind: 'simple',
      serverName: text(value['sni']) ?? '',
      subjectAltNames: texts(value['subjectAltNames']),
      insecureSkipVerify: value['insecureSkipVerify'] === true,
    }
  const reason = own === undefined ? `${path}.mode: ${mode} is not supported` : `${path}.${own} is not supported`
  notes.push(`${reason}: requests are refused`)
  return { kind: 'refused', reason }
}

function noteOthers(value: Json, known: readonly string[], path: string, notes: string[]): void {
  for (const key of Object.keys(value)) if (!known.includes(key)) notes.push(`${path}.${key}: not followed`)
}
