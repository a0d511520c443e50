import { AmbitError, messageOf } from '@ambit/core'
import { parse } from 'yaml'
import { DEFAULT_SELECTORS, type EnablementSelector, parseEnablementSelectors } from './enrollment.ts'
import { flag } from './redirect-options.ts'

/** A setting of the environment cannot be understood; guessing could enrol the wrong pods. */
export class ConfigError extends AmbitError {
  override readonly code = 'INVALID_CONFIG'
}

export interface Config {
  readonly nodeName: string
  readonly podNamespace: string
  readonly kubeconfig: string | undefined
  readonly ambientEnabled: boolean
  readonly selectors: readonly EnablementSelector[]
  /** The same as configured, for the plugin; undefined for the defaults. */
  readonly selectorSource: unknown
  readonly excludeNamespaces: readonly string[]
  readonly dnsCapture: boolean
  readonly ipv6: boolean
  readonly reconcileRulesOnStart: boolean
  readonly detectionRetry: boolean
  readonly probeIpv4: string
  readonly probeIpv6: string
  readonly ztunnelSocket: string
  /** Path of the node's network namespace; undefined when this process is in it. */
  readonly hostNetns: string | undefined
  readonly hostRoot: string
  readonly procDir: string
  readonly netnsDir: string
  readonly runDir: string
  /** The run folder as the plugin, which runs on the node, sees it. */
  readonly runDirOnNode: string
  readonly binDir: string
  readonly configDir: string
  readonly configName: string | undefined
  readonly ownedConfigName: string | undefined
  readonly compileCacheOnNode: string
  /** Words that start the plugin on the node, instead of the usual ones. */
  readonly pluginCommand: string | undefined
  /** Whether the node gets a Node of its own to run the plugin with. */
  readonly copyRuntime: boolean
  readonly serviceAccountDir: string
  readonly logLevel: string
  readonly logFormat: 'plain' | 'json'
  readonly healthPort: number
  readonly monitoringPort: number
}

/** The environment of the DaemonSet, under Istio's names; what Istio has no name for is marked. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const text = (name: string, otherwise: string): string => env[name] || otherwise
  const optional = (name: string): string | undefined => env[name] || undefined
  const bool = (name: string, otherwise: boolean): boolean => {
    const value = env[name]
    if (value === undefined || value === '') return otherwise
    const parsed = flag(value)
    if (parsed === undefined) throw new ConfigError(`${name} must be true or false, not ${JSON.stringify(value)}`)
    return parsed
  }
  const port = (name: string, otherwise: number): number => {
    const value = Number(text(name, String(otherwise)))
    if (!Number.isInteger(value) || value < 0 || value > 65535) throw new ConfigError(`${name} must be a port`)
    return value
  }
  const nodeName = optional('NODE_NAME') ?? optional('K8S_NODE_NAME')
  if (nodeName === undefined) throw new ConfigError('NODE_NAME is not set; the DaemonSet takes it from spec.nodeName')
  const selectorSource = readSelectorSource(env['AMBIENT_ENABLEMENT_SELECTOR'])
  const runDir = text('CNI_AGENT_RUN_DIR', '/var/run/istio-cni')
  const runDirOnNode = text('CNI_AGENT_RUN_DIR_ON_NODE', runDir)
  const ambientEnabled = bool('AMBIENT_ENABLED', true)
  return {
    nodeName,
    podNamespace: text('POD_NAMESPACE', 'istio-system'),
    kubeconfig: optional('KUBECONFIG'),
    ambientEnabled,
    selectors: readSelectors(ambientEnabled, selectorSource),
    selectorSource,
    excludeNamespaces: list(env['EXCLUDE_NAMESPACES'] ?? 'kube-system'),
    dnsCapture: bool('AMBIENT_DNS_CAPTURE', true),
    ipv6: bool('AMBIENT_IPV6', true),
    reconcileRulesOnStart: bool('AMBIENT_RECONCILE_POD_RULES_ON_STARTUP', true),
    detectionRetry: bool('ENABLE_AMBIENT_DETECTION_RETRY', false),
    probeIpv4: text('HOST_PROBE_SNAT_IP', '169.254.7.127'),
    probeIpv6: text('HOST_PROBE_SNAT_IPV6', 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff'),
    ztunnelSocket: text('ZTUNNEL_UDS_ADDRESS', '/var/run/ztunnel/ztunnel.sock'),
    // HOST_NETNS_PATH is ours: nodes that are namespaces themselves have no process 1 of their own.
    hostNetns: bool('ALLOW_SWITCH_TO_HOST_NS', false) ? text('HOST_NETNS_PATH', '/host/proc/1/ns/net') : undefined,
    // These folders are fixed in Istio's image; the names are ours.
    hostRoot: text('HOST_ROOT', '/host'),
    procDir: text('HOST_PROC_DIR', '/host/proc'),
    netnsDir: text('HOST_NETNS_DIR', '/host/var/run/netns'),
    runDir,
    runDirOnNode,
    binDir: text('MOUNTED_CNI_BIN_DIR', '/host/opt/cni/bin'),
    configDir: text('MOUNTED_CNI_NET_DIR', '/host/etc/cni/net.d'),
    configName: optional('CNI_CONF_NAME'),
    ownedConfigName: bool('ISTIO_OWNED_CNI_CONFIG', false)
      ? text('ISTIO_OWNED_CNI_CONF_FILENAME', '02-istio-cni.conflist')
      : undefined,
    compileCacheOnNode: `${runDirOnNode}/compile-cache`,
    // Both are ours. Images say that nodes have none of their files.
    pluginCommand: optional('CNI_PLUGIN_COMMAND'),
    copyRuntime: bool('CNI_PLUGIN_COPY_RUNTIME', false),
    serviceAccountDir: text('SERVICE_ACCOUNT_DIR', '/var/run/secrets/kubernetes.io/serviceaccount'),
    logLevel: text('LOG_LEVEL', 'info'),
    logFormat: env['LOG_FORMAT'] === 'json' ? 'json' : 'plain',
    healthPort: port('HEALTH_PORT', 8000),
    monitoringPort: port('MONITORING_PORT', 15014),
  }
}

/** With ambient mode off no pod is selected, and those that were are let go. */
function readSelectors(ambientEnabled: boolean, source: unknown): readonly EnablementSelector[] {
  if (!ambientEnabled) return []
  return source === undefined ? DEFAULT_SELECTORS : parseEnablementSelectors(source)
}

function readSelectorSource(text: string | undefined): unknown {
  if (text === undefined || text.trim() === '') return undefined
  try {
    return parse(text)
  } catch (cause) {
    throw new ConfigError(`AMBIENT_ENABLEMENT_SELECTOR is not YAML: ${messageOf(cause)}`, { cause })
  }
}

function list(text: string): readonly string[] {
  return text.split(',').flatMap((each) => each.trim() || [])
}
