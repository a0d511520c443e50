import type { SocketAddress } from '@ambit/core'
import { AmbitError, DEFAULT_TRUST_DOMAIN, ip, PACKET_MARK, PORTS, parsePort, parseSocketAddress } from '@ambit/core'
import { parse as parseYaml } from 'yaml'
import type { Config, ControlPlane, ProxyMode, RootSource, TokenSource, WorkloadInfo } from './config.types.ts'
import { parseDuration } from './duration.ts'
import { workerThreads } from './worker-threads.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** What the configuration depends on besides variables. */
export interface ConfigFiles {
  readonly exists: (path: string) => boolean
  /** Content of the mesh configuration mounted into the pod, if it is. */
  readonly meshConfig: string | undefined
  /** CPUs this process may use; by default 1. */
  readonly cpus?: number
}

/** A variable that cannot be understood: the process must not start with a guess. */
export class ConfigError extends AmbitError {
  override readonly code = 'config-invalid'

  constructor(name: string, value: string | undefined, want: string) {
    super(`${name}=${JSON.stringify(value ?? '')}: ${want}`)
  }
}

export const MESH_CONFIG_PATH = './etc/istio/config/mesh'
const DEFAULT_TOKEN_PATH = './var/run/secrets/tokens/istio-token'
const DEFAULT_ROOT_PATH = './var/run/secrets/istio/root-cert.pem'
const DEFAULT_ZDS_SOCKET = '/var/run/ztunnel/ztunnel.sock'
const DEFAULT_DRAIN_MS = 5_000
const DEFAULT_DATA_PATH = 'node'
const DEFAULT_SECRET_TTL_MS = 86_400_000

/** Variables of upstream without a counterpart here; being set is worth a warning, not a failure. */
const IGNORED = [
  'UNSTABLE_ENABLE_SOCKS5',
  'CRL_PATH',
  'USER_TIMEOUT_ENABLED',
  'TLS12_ENABLED',
  'HTTP2_STREAM_WINDOW_SIZE',
  'HTTP2_CONNECTION_WINDOW_SIZE',
  'HTTP2_FRAME_SIZE',
  'FAKE_CA',
  'KEEPALIVE_TIME',
  'KEEPALIVE_INTERVAL',
  'KEEPALIVE_RETRIES',
]

/** Reads upstream's environment into the configuration; throws {@link ConfigError}. */
export function readConfig(env: Env, files: ConfigFiles): Config {
  const proxyConfig = readProxyConfig(env['PROXY_CONFIG'], files.meshConfig)
  const metadata = { ...proxyConfig.metadata, ...metadataOf(env) }
  const mode = modeOf(env)
  const clusterId = env['ISTIO_META_CLUSTER_ID'] || env['CLUSTER_ID'] || 'Kubernetes'
  const fallback = `https://${env['KUBERNETES_SERVICE_HOST'] ? 'istiod.istio-system.svc' : 'localhost'}:${PORTS.controlPlane}`
  const ipv6Enabled = flag(env, 'IPV6_ENABLED', true)
  const dnsEnabled = dnsCapture(metadata)
  const proxyEnabled = flag(env, 'ENABLE_PROXY', true)
  const xdsOnDemand = flag(env, 'XDS_ON_DEMAND', false)
  if (xdsOnDemand && dnsEnabled)
    throw new ConfigError('XDS_ON_DEMAND', 'true', 'cannot be combined with the DNS proxy (ISTIO_META_DNS_CAPTURE)')
  if (!proxyEnabled && !dnsEnabled)
    throw new ConfigError('ENABLE_PROXY', 'false', 'neither proxy nor DNS proxy would run')
  const trustDomain = env['TRUST_DOMAIN'] || DEFAULT_TRUST_DOMAIN
  const [podName, podNamespace, serviceAccount] = [
    env['POD_NAME'] ?? '',
    env['POD_NAMESPACE'] ?? '',
    env['SERVICE_ACCOUNT'] ?? '',
  ]
  return {
    proxyEnabled,
    mode,
    nodeName: env['NODE_NAME'] ?? '',
    podName,
    podNamespace,
    serviceAccount,
    instanceIp: env['INSTANCE_IP'] || '1.1.1.1',
    trustDomain,
    network: env['NETWORK'] ?? '',
    clusterId,
    clusterDomain: env['CLUSTER_DOMAIN'] || 'cluster.local',
    xds: controlPlane('XDS', env, files, env['XDS_ADDRESS'] ?? proxyConfig.discoveryAddress ?? fallback),
    xdsOnDemand,
    ca: controlPlane('CA', env, files, env['CA_ADDRESS'] ?? proxyConfig.discoveryAddress ?? fallback),
    localXds: localXdsOf(env),
    secretTtlSeconds: Math.floor(duration(env, 'SECRET_TTL', DEFAULT_SECRET_TTL_MS) / 1000),
    ipv6Enabled,
    zdsSocket: env['INPOD_UDS'] || DEFAULT_ZDS_SOCKET,
    portReuse: flag(env, 'INPOD_PORT_REUSE', true),
    packetMark: env['PACKET_MARK']
      ? integer(env, 'PACKET_MARK', PACKET_MARK)
      : mode.kind === 'shared'
        ? PACKET_MARK
        : undefined,
    originalSource: env['ENABLE_ORIG_SRC'] ? flag(env, 'ENABLE_ORIG_SRC', true) : undefined,
    pool: {
      maxStreamsPerConnection: integer(env, 'POOL_MAX_STREAMS_PER_CONNECTION', 100),
      unusedReleaseMs: duration(env, 'POOL_UNUSED_RELEASE_TIMEOUT', 300_000),
    },
    http2: {
      streamWindow: integer(env, 'HTTP2_STREAM_WINDOW_SIZE', 4 * 1024 * 1024),
      connectionWindow: integer(env, 'HTTP2_CONNECTION_WINDOW_SIZE', 16 * 1024 * 1024),
      frameSize: integer(env, 'HTTP2_FRAME_SIZE', 1024 * 1024),
    },
    drainDeadlineMs: drainDeadline(env),
    localhostAppTunnel: flag(env, 'LOCALHOST_APP_TUNNEL', true),
    responseBaggage: flag(env, 'ENABLE_RESPONSE_BAGGAGE', true),
    preferredServiceNamespace: env['PREFERED_SERVICE_NAMESPACE'] || undefined,
    tls12Enabled: flag(env, 'TLS12_ENABLED', false),
    pqcOnly: env['COMPLIANCE_POLICY'] === 'pqc',
    authorizationInfoLogging: flag(env, 'AUTHZ_POLICY_INFO_LOGGING', false),
    dataPath: dataPathOf(env),
    workerThreads: workerThreadsOf(env, proxyConfig.concurrency, files.cpus ?? 1),
    log: { format: env['LOG_FORMAT'] === 'json' ? 'json' : 'plain', level: env['RUST_LOG'] || undefined },
    dns: { enabled: dnsEnabled, address: dnsAddress(metadata) },
    adminPort: proxyConfig.adminPort ?? PORTS.admin,
    statsPort: proxyConfig.statsPort ?? PORTS.stats,
    readinessPort: PORTS.readiness,
    ports: { outbound: PORTS.outbound, inboundPlaintext: PORTS.inboundPlaintext, hbone: PORTS.hbone, dns: PORTS.dns },
    listenIp: ip(ipv6Enabled ? '::' : '0.0.0.0'),
    nodeMetadata: { CLUSTER_ID: clusterId, ...metadata },
    version: text(metadata['ISTIO_VERSION']) ?? 'unknown',
    ownIdentity:
      podName !== '' && podNamespace !== '' && serviceAccount !== ''
        ? { trustDomain, namespace: podNamespace, serviceAccount }
        : undefined,
    ignored: IGNORED.filter((name) => (env[name] ?? '') !== '' && env[name] !== 'false'),
  }
}

function dataPathOf(env: Env): Config['dataPath'] {
  const value = env['AMBIT_DATA_PATH']?.toLowerCase() || DEFAULT_DATA_PATH
  if (value === 'auto' || value === 'reactor' || value === 'node') return value
  throw new ConfigError('AMBIT_DATA_PATH', env['AMBIT_DATA_PATH'], 'want auto, reactor or node')
}

function workerThreadsOf(env: Env, concurrency: number | undefined, cpus: number): number {
  const wanted = env['ZTUNNEL_WORKER_THREADS']
  const threads = workerThreads({
    wanted,
    concurrency,
    cpus: optionalInteger(env, 'ZTUNNEL_CPU_LIMIT') ?? cpus,
    limit: optionalInteger(env, 'ZTUNNEL_RESOURCE_CPU_LIMIT'),
    requested: optionalInteger(env, 'ZTUNNEL_RESOURCE_CPU_REQUEST'),
  })
  if (threads === undefined) throw new ConfigError('ZTUNNEL_WORKER_THREADS', wanted, 'want a number or a percentage')
  return threads
}

function modeOf(env: Env): ProxyMode {
  const mode = env['PROXY_MODE']?.toLowerCase() || 'shared'
  if (mode === 'shared') return { kind: 'shared' }
  if (mode !== 'dedicated') throw new ConfigError('PROXY_MODE', env['PROXY_MODE'], 'want shared or dedicated')
  return { kind: 'dedicated', workload: workloadInfo(env['PROXY_WORKLOAD_INFO']) }
}

function workloadInfo(value: string | undefined): WorkloadInfo {
  const [namespace, name, serviceAccount, ...rest] = (value ?? '').split('/')
  if (!namespace || !name || !serviceAccount || rest.length > 0) {
    throw new ConfigError('PROXY_WORKLOAD_INFO', value, 'want <namespace>/<name>/<service account>')
  }
  return { namespace, name, serviceAccount }
}

function controlPlane(kind: 'XDS' | 'CA', env: Env, files: ConfigFiles, address: string): ControlPlane | undefined {
  if (address === '') return undefined
  const url = URL.parse(address.includes('://') ? address : `https://${address}`)
  if (url === null || url.protocol !== 'https:') {
    throw new ConfigError(`${kind}_ADDRESS`, address, 'want https://host:port; plain text is not supported')
  }
  return {
    address: `https://${url.hostname}:${url.port === '' ? '443' : url.port}`,
    root: rootOf(env[`${kind}_ROOT_CA`]),
    token: tokenOf(env['AUTH_TOKEN'], files),
    headers: prefixed(env, `${kind}_HEADER_`),
    altHostname: env[`ALT_${kind}_HOSTNAME`] || undefined,
  }
}

function rootOf(value: string | undefined): RootSource {
  if (value === undefined || value === '') return { file: DEFAULT_ROOT_PATH }
  if (value === 'SYSTEM') return 'SYSTEM'
  return value.includes('-----BEGIN') ? { pem: value } : { file: value }
}

function tokenOf(value: string | undefined, files: ConfigFiles): TokenSource {
  if (value !== undefined && value !== '') return files.exists(value) ? { file: value } : { token: value }
  return files.exists(DEFAULT_TOKEN_PATH) ? { file: DEFAULT_TOKEN_PATH } : 'none'
}

function localXdsOf(env: Env): Config['localXds'] {
  const [file, literal] = [env['LOCAL_XDS_PATH'], env['LOCAL_XDS']]
  if (file && literal) throw new ConfigError('LOCAL_XDS', literal, 'set LOCAL_XDS or LOCAL_XDS_PATH, not both')
  if (file) return { file }
  return literal ? { text: literal } : undefined
}

/** Istio: five seconds before the pod is killed, or one where there is little time. */
function drainDeadline(env: Env): number {
  if (env['CONNECTION_TERMINATION_DEADLINE']) return duration(env, 'CONNECTION_TERMINATION_DEADLINE', DEFAULT_DRAIN_MS)
  if (!env['TERMINATION_GRACE_PERIOD_SECONDS']) return DEFAULT_DRAIN_MS
  const seconds = integer(env, 'TERMINATION_GRACE_PERIOD_SECONDS', 0)
  return Math.max(1, seconds > 10 ? seconds - 5 : seconds - 1) * 1000
}

function dnsCapture(metadata: Readonly<Record<string, unknown>>): boolean {
  const value = metadata['DNS_CAPTURE']
  return value === undefined || value === true || text(value)?.toLowerCase() === 'true'
}

function dnsAddress(metadata: Readonly<Record<string, unknown>>): SocketAddress | undefined {
  const value = text(metadata['DNS_PROXY_ADDR'])
  if (value === undefined || value === '') return undefined
  const address = parseSocketAddress(value.replace(/^localhost:/, '127.0.0.1:'))
  if (address === undefined) throw new ConfigError('ISTIO_META_DNS_PROXY_ADDR', value, 'want ip:port')
  return address
}

/** `ISTIO_META_<K>` as text, `ISTIO_METAJSON_<K>` as the value it spells. */
function metadataOf(env: Env): Record<string, unknown> {
  const metadata: Record<string, unknown> = prefixed(env, 'ISTIO_META_')
  for (const [key, value] of Object.entries(prefixed(env, 'ISTIO_METAJSON_'))) {
    try {
      metadata[key] = JSON.parse(value) as unknown
    } catch (error) {
      throw new ConfigError(`ISTIO_METAJSON_${key}`, value, `not JSON: ${(error as Error).message}`)
    }
  }
  return metadata
}

function prefixed(env: Env, prefix: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [key, value] of Object.entries(env)) {
    if (key.startsWith(prefix) && value !== undefined) found[key.slice(prefix.length)] = value
  }
  return found
}

interface ProxyConfig {
  readonly concurrency: number | undefined
  readonly discoveryAddress: string | undefined
  readonly adminPort: number | undefined
  readonly statsPort: number | undefined
  readonly metadata: Record<string, string>
}

/** `PROXY_CONFIG` over the mesh's `defaultConfig`; keys this program does not use are left alone. */
function readProxyConfig(own: string | undefined, mesh: string | undefined): ProxyConfig {
  const base = record(yaml('mesh config', mesh)['defaultConfig'])
  const merged = { ...base, ...yaml('PROXY_CONFIG', own) }
  const metadata: Record<string, string> = {}
  for (const source of [record(base['proxyMetadata']), record(merged['proxyMetadata'])]) {
    for (const [key, value] of Object.entries(source)) metadata[key.replace(/^ISTIO_META_/, '')] = String(value)
  }
  return {
    discoveryAddress: text(merged['discoveryAddress']),
    adminPort: portOf(merged['proxyAdminPort']),
    statsPort: portOf(merged['statsPort']),
    concurrency: wholeNumber(merged['concurrency']),
    metadata,
  }
}

function yaml(name: string, value: string | undefined): Record<string, unknown> {
  if (value === undefined || value.trim() === '') return {}
  try {
    return record(parseYaml(value))
  } catch (error) {
    throw new ConfigError(name, value.slice(0, 200), `not YAML: ${(error as Error).message}`)
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function portOf(value: unknown): number | undefined {
  return typeof value === 'number' ? parsePort(String(value)) : undefined
}

function flag(env: Env, name: string, fallback: boolean): boolean {
  const value = env[name]?.toLowerCase()
  if (value === undefined || value === '') return fallback
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0' || value === 'auto') return value === 'auto' ? fallback : false
  throw new ConfigError(name, env[name], 'want true or false')
}

function integer(env: Env, name: string, fallback: number): number {
  const value = env[name]
  if (value === undefined || value === '') return fallback
  const number = Number(value)
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(value) || !Number.isSafeInteger(number)) {
    throw new ConfigError(name, value, 'want a whole number')
  }
  return number
}

/** Zero says nothing: it is what the downward API gives where there is no such thing. */
function optionalInteger(env: Env, name: string): number | undefined {
  const number = integer(env, name, 0)
  return number === 0 ? undefined : number
}

function duration(env: Env, name: string, fallback: number): number {
  const value = env[name]
  if (value === undefined || value === '') return fallback
  const ms = parseDuration(value)
  if (ms === undefined) throw new ConfigError(name, value, 'want a duration such as 30s, 5m, 1h30m')
  return ms
}
