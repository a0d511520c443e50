import { type Ip, parseIp } from '@ambit/core'

/** Versions of the CNI specification whose results this plugin passes on unchanged. */
export const CNI_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const
const DEFAULT_VERSION = '1.0.0'

/** Error codes of the CNI specification; from 100 on they are the plugin's own. */
export const CNI_ERROR = { invalidEnvironment: 4, invalidConfig: 7, tryAgain: 11, enrollment: 100 } as const

/** The network configuration a runtime hands a plugin on standard input. */
export interface PluginConfig {
  readonly cniVersion: string
  readonly agentRunDir: string
  readonly ambientEnabled: boolean
  readonly excludeNamespaces: readonly string[]
  readonly podNamespace: string
  /** As configured, to be read as label selectors. */
  readonly enablementSelectors: unknown
  /** Result of the plugin before, to be passed on. */
  readonly prevResult: Readonly<Record<string, unknown>> | undefined
}

const text = (value: unknown, otherwise: string): string =>
  typeof value === 'string' && value !== '' ? value : otherwise

/** Throws TypeError when it is not a JSON object. */
export function decodePluginConfig(input: string): PluginConfig {
  const value: unknown = JSON.parse(input)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not a JSON object')
  const config = value as Record<string, unknown>
  const excluded = config['exclude_namespaces']
  const previous = config['prevResult']
  return {
    cniVersion: text(config['cniVersion'], DEFAULT_VERSION),
    agentRunDir: text(config['cni_agent_run_dir'], '/var/run/istio-cni'),
    ambientEnabled: config['ambient_enabled'] === true,
    excludeNamespaces: Array.isArray(excluded) ? excluded.filter((each) => typeof each === 'string') : [],
    podNamespace: text(config['pod_namespace'], ''),
    enablementSelectors: config['enablement_selectors'],
    prevResult: typeof previous === 'object' && previous !== null ? (previous as Record<string, unknown>) : undefined,
  }
}

/** `K8S_POD_NAME=x;K8S_POD_NAMESPACE=y` of CNI_ARGS. */
export function decodeCniArgs(args: string): ReadonlyMap<string, string> {
  return new Map(
    args.split(';').flatMap((pair) => {
      const equals = pair.indexOf('=')
      return equals < 0 ? [] : [[pair.slice(0, equals), pair.slice(equals + 1)] as const]
    }),
  )
}

/** Addresses of a CNI result, whose entries are `{address: "10.0.0.1/24"}`. */
export function resultIps(result: Readonly<Record<string, unknown>> | undefined): readonly Ip[] {
  const ips = result?.['ips']
  if (!Array.isArray(ips)) return []
  return ips.flatMap((entry: unknown) => {
    const address = (entry as { address?: unknown } | null)?.address
    return (typeof address === 'string' ? parseIp(address.split('/')[0] ?? '') : undefined) ?? []
  })
}

/** What the runtime reads from standard output after a failure. */
export function cniError(cniVersion: string, code: number, msg: string, details = ''): string {
  return `${JSON.stringify({ cniVersion, code, msg, details })}\n`
}

export function cniVersions(cniVersion: string): string {
  return `${JSON.stringify({ cniVersion, supportedVersions: CNI_VERSIONS })}\n`
}
