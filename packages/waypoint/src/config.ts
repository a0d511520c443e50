import { AmbitError, DEFAULT_TRUST_DOMAIN, PORTS, parseIp } from '@ambit/core'
import type { Config, RootSource, TokenSource } from './config.types.ts'
import { DRAIN_DEADLINE_MS, MIN_DRAIN_MS } from './limits.ts'

export type Env = Readonly<Record<string, string | undefined>>

export interface ConfigSources {
  readonly env: Env
  readonly args: readonly string[]
  readonly exists: (path: string) => boolean
  /** Text of the pod's labels as the downward API writes them; undefined when it is not mounted. */
  readonly podLabels: string | undefined
}

/** Something the process was started with that cannot be understood: it must not run with a guess. */
export class ConfigError extends AmbitError {
  override readonly code = 'config-invalid'

  constructor(name: string, value: string | undefined, want: string) {
    super(`${name}=${JSON.stringify(value ?? '')}: ${want}`)
  }
}

export const POD_LABELS_PATH = '/etc/istio/pod/labels'
const TOKEN_PATH = '/var/run/secrets/tokens/istio-token'
const ROOT_PATH = '/var/run/secrets/istio/root-cert.pem'
const GATEWAY_LABEL = 'gateway.networking.k8s.io/gateway-name'
/** Of Istio 1.18. */
const OLD_GATEWAY_LABEL = 'istio.io/gateway-name'
const DEFAULT_TTL_SECONDS = 86_400
const LEVELS: ReadonlySet<string> = new Set(['off', 'error', 'warn', 'info', 'debug', 'trace'])

/** Reads what a Deployment gives a waypoint or gateway; throws {@link ConfigError}. */
export function readConfig({ env, args, exists, podLabels }: ConfigSources): Config {
  const options = readArgs(args)
  const podName = required(env, 'POD_NAME')
  const namespace = required(env, 'POD_NAMESPACE')
  const instanceIp = parseIp(required(env, 'INSTANCE_IP').split(',')[0] ?? '')
  if (instanceIp === undefined) throw new ConfigError('INSTANCE_IP', env['INSTANCE_IP'], 'want an IP address')
  const proxyConfig = readProxyConfig(env['PROXY_CONFIG'])
  const metadata = { ...proxyConfig.metadata, ...metadataOf(env) }
  const clusterId = env['ISTIO_META_CLUSTER_ID'] || 'Kubernetes'
  const gateway =
    labelOf(podLabels, GATEWAY_LABEL) ?? labelOf(podLabels, OLD_GATEWAY_LABEL) ?? text(metadata['WORKLOAD_NAME'])
  if (gateway === undefined) {
    throw new ConfigError(
      GATEWAY_LABEL,
      '',
      `no such label in ${POD_LABELS_PATH}, and no ISTIO_META_WORKLOAD_NAME: which Gateway is this?`,
    )
  }
  return {
    role: options.role,
    podName,
    namespace,
    gateway,
    identity: {
      trustDomain: env['TRUST_DOMAIN'] || DEFAULT_TRUST_DOMAIN,
      namespace,
      serviceAccount: env['SERVICE_ACCOUNT'] || required(env, 'ISTIO_META_SERVICE_ACCOUNT'),
    },
    instanceIp,
    nodeName: env['ISTIO_META_NODE_NAME'] ?? '',
    network: env['ISTIO_META_NETWORK'] ?? env['NETWORK'] ?? '',
    clusterId,
    controlPlane: controlPlane(
      env['CA_ADDR'] || proxyConfig.discoveryAddress || `istiod.istio-system.svc:${PORTS.controlPlane}`,
    ),
    root: rootOf(env['CA_ROOT_CA']),
    token: tokenOf(env['AUTH_TOKEN'], exists),
    secretTtlSeconds: DEFAULT_TTL_SECONDS,
    ipv6Enabled: env['IPV6_ENABLED'] !== 'false',
    ports: { hbone: PORTS.hbone, admin: PORTS.admin, stats: PORTS.stats, readiness: PORTS.readiness },
    minDrainMs: MIN_DRAIN_MS,
    drainDeadlineMs: DRAIN_DEADLINE_MS,
    log: {
      format: options.logAsJson || env['LOG_FORMAT'] === 'json' ? 'json' : 'plain',
      level: env['RUST_LOG'] || options.logLevel,
    },
    nodeMetadata: { CLUSTER_ID: clusterId, ...metadata },
    version: text(metadata['ISTIO_VERSION']) ?? 'unknown',
  }
}

/** `proxy waypoint --flag value ...`, or `proxy router` for a gateway; flags of upstream's agent that mean nothing here are read over. */
function readArgs(args: readonly string[]): Pick<Config, 'role'> & {
  readonly logLevel: string | undefined
  readonly logAsJson: boolean
} {
  const [command, role = 'waypoint', ...flags] = args
  if ((command !== undefined && command !== 'proxy') || !['waypoint', 'router'].includes(role)) {
    throw new ConfigError('arguments', args.join(' '), 'want: proxy waypoint|router [flags]')
  }
  let logLevel: string | undefined
  let logAsJson = false
  for (let index = 0; index < flags.length; index++) {
    const [, name, inline] = /^--([A-Za-z_]+)(?:=(.*))?$/.exec(flags[index] ?? '') ?? []
    if (name === undefined) throw new ConfigError('arguments', flags[index], 'want --flag value')
    // A flag without a value is one that is set.
    const next = flags[index + 1]
    const value = inline ?? (next === undefined || next.startsWith('--') ? 'true' : next)
    if (inline === undefined && value === next) index++
    if (name === 'log_output_level') logLevel = levelOf(value)
    if (name === 'log_as_json') logAsJson = value === 'true'
  }
  return { role: role === 'router' ? 'gateway' : 'waypoint', logLevel, logAsJson }
}

/** Istio's `scope:level,...` in the words of our filter; the level named `default`, or a bare one, is for all. */
function levelOf(value: string): string | undefined {
  const clauses = value.split(',').flatMap((clause) => {
    const [scope, level] = clause.includes(':') ? clause.split(':') : ['default', clause]
    const known = level === 'warning' ? 'warn' : level === 'none' ? 'off' : level
    if (known === undefined || !LEVELS.has(known)) return []
    return [scope === 'default' || scope === 'all' ? known : `${scope ?? ''}=${known}`]
  })
  return clauses.length === 0 ? undefined : clauses.join(',')
}

/** Lines of `key="value"` with the value quoted as in Go. */
function labelOf(labels: string | undefined, key: string): string | undefined {
  for (const line of (labels ?? '').split('\n')) {
    if (!line.startsWith(`${key}=`)) continue
    try {
      const value: unknown = JSON.parse(line.slice(key.length + 1).trim())
      return typeof value === 'string' && value !== '' ? value : undefined
    } catch {
      throw new ConfigError(key, line, `cannot be read in ${POD_LABELS_PATH}`)
    }
  }
  return undefined
}

function controlPlane(address: string): string {
  const url = URL.parse(address.includes('://') ? address : `https://${address}`)
  if (url === null || url.protocol !== 'https:') {
    throw new ConfigError('CA_ADDR', address, 'want host:port; plain text is not supported')
  }
  return `https://${url.hostname}:${url.port === '' ? '443' : url.port}`
}

function rootOf(value: string | undefined): RootSource {
  if (value === undefined || value === '') return { file: ROOT_PATH }
  return value.includes('-----BEGIN') ? { pem: value } : { file: value }
}

function tokenOf(value: string | undefined, exists: (path: string) => boolean): TokenSource {
  if (value !== undefined && value !== '') return exists(value) ? { file: value } : { token: value }
  return exists(TOKEN_PATH) ? { file: TOKEN_PATH } : 'none'
}

function required(env: Env, name: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw new ConfigError(name, value, 'must be set')
  return value
}

function metadataOf(env: Env): Record<string, unknown> {
  const metadata: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith('ISTIO_META_') && value !== undefined) metadata[name.slice('ISTIO_META_'.length)] = value
  }
  return metadata
}

function readProxyConfig(value: string | undefined): {
  readonly discoveryAddress: string | undefined
  readonly metadata: Record<string, string>
} {
  if (value === undefined || value.trim() === '') return { discoveryAddress: undefined, metadata: {} }
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch (error) {
    throw new ConfigError('PROXY_CONFIG', value.slice(0, 200), `not JSON: ${(error as Error).message}`)
  }
  const config = record(parsed)
  const metadata: Record<string, string> = {}
  for (const [key, each] of Object.entries(record(config['proxyMetadata'])))
    metadata[key.replace(/^ISTIO_META_/, '')] = String(each)
  return { discoveryAddress: text(config['discoveryAddress']), metadata }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
