import { type Ip, messageOf, parseIp } from '@ambit/core'
import type { Command } from './plugin-environment.ts'
import { CNI_ERROR, PluginError } from './plugin-error.ts'

/** Versions of the CNI specification whose results this plugin passes on unchanged. */
export const CNI_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const
/** Of answers to configurations that name none or can't be read. */
export const DEFAULT_VERSION = '1.0.0'

/** First version of the specification that has the command. */
const SINCE: Readonly<Partial<Record<Command, string>>> = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' }

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

/** Reads the configuration; what is wrong with it is told with the specification's code. */
export function decodePluginConfig(input: string): PluginConfig {
  let value: unknown
  try {
    value = JSON.parse(input)
  } catch (cause) {
    throw new PluginError(`network configuration is not JSON: ${messageOf(cause)}`, CNI_ERROR.decode, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new PluginError('network configuration is not a JSON object', CNI_ERROR.decode)
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

/** Refuses versions we don't speak, and commands that the configuration's version doesn't have. */
export function requireVersion(cniVersion: string, command: Command): void {
  if (command === 'VERSION') return
  const index = (CNI_VERSIONS as readonly string[]).indexOf(cniVersion)
  if (index < 0)
    throw new PluginError('incompatible CNI versions', CNI_ERROR.incompatibleVersion, {
      details: `config is ${JSON.stringify(cniVersion)}, plugin supports ${JSON.stringify(CNI_VERSIONS)}`,
    })
  const since = SINCE[command]
  if (since !== undefined && index < (CNI_VERSIONS as readonly string[]).indexOf(since))
    throw new PluginError(`config version does not allow ${command}`, CNI_ERROR.incompatibleVersion, {
      details: `config is ${JSON.stringify(cniVersion)}, ${command} came with ${since}`,
    })
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

/** The result of the plugins before, as the specification wants a chained plugin to hand it on. */
export function passedOn({ cniVersion, prevResult }: PluginConfig): string {
  return `${JSON.stringify({ ...prevResult, cniVersion })}\n`
}

/** What the runtime reads from standard output after a failure. */
export function cniError(cniVersion: string, code: number, msg: string, details = ''): string {
  return `${JSON.stringify({ cniVersion, code, msg, details })}\n`
}

export function cniVersions(cniVersion: string): string {
  return `${JSON.stringify({ cniVersion, supportedVersions: CNI_VERSIONS })}\n`
}
