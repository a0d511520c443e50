import { AmbitError, messageOf } from '@ambit/core'

/** A CNI configuration that this agent cannot edit. It is left as it is. */
export class ConflistError extends AmbitError {
  override readonly code = 'INVALID_CNI_CONFIG'
}

export const PLUGIN_TYPE = 'istio-cni'

type Json = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The configuration with our plugin as the last of the chain, exactly once. A configuration of a single plugin becomes
 * a list of two. Unknown fields and other plugins stay as they are.
 */
export function insertPlugin(text: string, plugin: Json): string {
  const config = parse(text)
  const others = pluginsOf(config).filter((each) => !isOurs(each))
  if (others.length === 0) throw new ConflistError('the CNI configuration has no plugin to be chained to')
  if (Array.isArray(config['plugins'])) return format({ ...config, plugins: [...others, plugin] })
  const { cniVersion, name } = config
  return format({ cniVersion: cniVersion ?? '0.3.1', name: name ?? 'k8s-pod-network', plugins: [...others, plugin] })
}

/** The configuration without our plugin; unchanged text when it was not there. */
export function removePlugin(text: string): string {
  const config = parse(text)
  const plugins = config['plugins']
  if (!Array.isArray(plugins) || !plugins.some(isOurs)) return text
  return format({ ...config, plugins: plugins.filter((each) => !isOurs(each)) })
}

/** Whether the text is a configuration that holds exactly this plugin at its end. */
export function hasPlugin(text: string, plugin: Json): boolean {
  try {
    const plugins = pluginsOf(parse(text))
    const ours = plugins.filter(isOurs)
    return ours.length === 1 && JSON.stringify(plugins.at(-1)) === JSON.stringify(plugin)
  } catch (error) {
    if (error instanceof ConflistError) return false
    throw error
  }
}

/** The one the container runtime takes: first by name of those with the right ending, not our own. */
export function primaryConfig(names: readonly string[], own?: string): string | undefined {
  const usable = names.filter((name) => /\.conf(list)?$/.test(name) && name !== own)
  return [...usable].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))[0]
}

/** Name under which an edited configuration is stored: a chain has to be a `.conflist`. */
export function chainedName(name: string): string {
  return name.endsWith('.conf') ? `${name}list` : name
}

function parse(text: string): Json {
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch (cause) {
    throw new ConflistError(`the CNI configuration is not JSON: ${messageOf(cause)}`, { cause })
  }
  if (!isRecord(config)) throw new ConflistError('the CNI configuration is not a JSON object')
  return config
}

function pluginsOf(config: Json): readonly Json[] {
  const { plugins, type } = config
  if (Array.isArray(plugins)) {
    if (!plugins.every(isRecord)) throw new ConflistError('a plugin of the CNI configuration is not a JSON object')
    return plugins
  }
  if (typeof type === 'string') return [config]
  throw new ConflistError('the CNI configuration has neither plugins nor a type')
}

function isOurs(plugin: unknown): boolean {
  return isRecord(plugin) && plugin['type'] === PLUGIN_TYPE
}

function format(config: Json): string {
  return `${JSON.stringify(config, undefined, 2)}\n`
}
