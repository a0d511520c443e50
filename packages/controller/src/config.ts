import { PORTS, parsePort } from '@ambit/core'
import type { ControllerEnv } from './env.ts'
import { ConfigError } from './errors.ts'
import { MAX_CONNECTION_AGE_MS } from './limits.ts'
import { DEFAULT_ROOT_NAMESPACE } from './mesh/mesh-config.ts'
import { durationMs } from './watch/go-duration.ts'

/** Istio's. */
const WEBHOOK_PORT = 15_017

export interface ControllerConfig {
  readonly podName: string
  readonly namespace: string
  readonly revision: string
  readonly clusterId: string
  readonly domain: string
  /** Path of a kubeconfig, used when the file is there. */
  readonly kubeconfig: string | undefined
  /** `namespace/serviceaccount` of node proxies that may ask for their pods' certificates. */
  readonly trustedNodeAccounts: readonly string[]
  readonly defaultCertTtlSeconds: number
  readonly maxCertTtlSeconds: number
  readonly pluggedCaFolder: string
  readonly statusEnabled: boolean
  readonly dryRunPolicies: boolean
  readonly ipAutoallocate: boolean
  /** Whether Gateways are deployed, not only described. */
  readonly deployGateways: boolean
  /** Istio's own Gateways are for gateways of their namespace only. */
  readonly gatewaysStayInNamespace: boolean
  readonly ports: {
    readonly http: number
    readonly tls: number
    readonly monitoring: number
    /** Of the validation webhook. */
    readonly webhook: number
  }
  readonly logLevel: string
  readonly logJson: boolean
  readonly maxConnectionAgeMs: number
  readonly version: string
}

/** Istio's environment and flags of `pilot-discovery discovery`; what it does not know is ignored. */
export function readConfig({ variables, args }: ControllerEnv): ControllerConfig {
  const flags = parseFlags(args)
  const namespace = variables['POD_NAMESPACE'] || DEFAULT_ROOT_NAMESPACE
  return {
    podName: variables['POD_NAME'] || variables['HOSTNAME'] || 'istiod',
    namespace,
    revision: variables['REVISION'] || 'default',
    clusterId: variables['CLUSTER_ID'] || 'Kubernetes',
    domain: flags.get('domain') || 'cluster.local',
    kubeconfig: variables['KUBECONFIG'] || undefined,
    trustedNodeAccounts: (variables['CA_TRUSTED_NODE_ACCOUNTS'] ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
    defaultCertTtlSeconds: seconds(variables, 'DEFAULT_WORKLOAD_CERT_TTL', 24 * 3600),
    maxCertTtlSeconds: seconds(variables, 'MAX_WORKLOAD_CERT_TTL', 90 * 24 * 3600),
    pluggedCaFolder: variables['ROOT_CA_DIR'] || '/etc/cacerts',
    dryRunPolicies: variables['AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY'] === 'true',
    statusEnabled: variables['AMBIENT_ENABLE_STATUS'] !== 'false',
    ipAutoallocate: variables['PILOT_ENABLE_IP_AUTOALLOCATE'] !== 'false',
    gatewaysStayInNamespace: variables['PILOT_SCOPE_GATEWAY_TO_NAMESPACE'] === 'true',
    deployGateways: variables['PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER'] !== 'false',
    ports: {
      http: portOf(flags.get('httpAddr'), 8080),
      tls: portOf(flags.get('secureGRPCAddr'), PORTS.controlPlane),
      monitoring: portOf(flags.get('monitoringAddr'), PORTS.controlPlaneMonitoring),
      webhook: portOf(flags.get('httpsAddr'), WEBHOOK_PORT),
    },
    logLevel: logLevelOf(flags.get('log_output_level')),
    logJson: flags.get('log_as_json') === 'true',
    maxConnectionAgeMs: durationMs(flags.get('keepaliveMaxServerConnectionAge')) ?? MAX_CONNECTION_AGE_MS,
    version: variables['AMBIT_VERSION'] || '0.1.0',
  }
}

/** `--name value`, `--name=value` and `--name`. */
function parseFlags(args: readonly string[]): ReadonlyMap<string, string> {
  const flags = new Map<string, string>()
  args.forEach((arg, i) => {
    if (!arg.startsWith('--')) return
    const equals = arg.indexOf('=')
    const next = args[i + 1]
    if (equals > 0) flags.set(arg.slice(2, equals), arg.slice(equals + 1))
    else flags.set(arg.slice(2), next === undefined || next.startsWith('--') ? 'true' : next)
  })
  return flags
}

function seconds(variables: ControllerEnv['variables'], name: string, fallback: number): number {
  const text = variables[name]
  if (!text) return fallback
  const ms = durationMs(text)
  if (ms === undefined || ms < 1000)
    throw new ConfigError(
      `${name}=${JSON.stringify(text)} is no duration such as 24h or 30m: correct the environment of istiod`,
    )
  return Math.floor(ms / 1000)
}

/** `:15014`, `0.0.0.0:15014`. */
function portOf(address: string | undefined, fallback: number): number {
  if (address === undefined) return fallback
  const port = parsePort(address.slice(address.lastIndexOf(':') + 1))
  if (port === undefined) throw new ConfigError(`${JSON.stringify(address)} is no address such as :15014`)
  return port
}

/** `default:info,ads:debug` of Istio, as our logger writes it. */
function logLevelOf(text: string | undefined): string {
  if (!text) return 'info'
  return text
    .split(',')
    .map((clause) => {
      const [scope = '', level = ''] = clause.split(':')
      if (level === '') return scope
      return scope === 'default' || scope === 'all' ? level : `${scope}=${level}`
    })
    .filter((clause) => /^[\w.=-]+$/.test(clause))
    .map((clause) => clause.replace('=none', '=off').replace('=fatal', '=error'))
    .join(',')
}
