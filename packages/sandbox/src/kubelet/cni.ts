import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AmbitError, messageOf } from '@ambit/core'
import { CommandError, runCommand } from '../host/run-command.ts'
import { LIMITS } from '../limits.ts'
import type { PodAddresses } from '../net/addresses.ts'
import type { PodNetwork } from '../net/pod-network.ts'
import type { StartingPod } from '../policy/network-policies.ts'
import { BUILTIN_PLUGIN, CNI_CONFIG_FOLDER, CNI_PLUGIN_FOLDER, NODE_CACHE_FOLDER } from './node-root.ts'
import { Semaphore } from './semaphore.ts'

/** A pod's network could not be set up; retried, and told as FailedCreatePodSandBox. */
export class CniError extends AmbitError {
  readonly code = 'SANDBOX_CNI'
}

export interface CniPod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly sandboxId: string
  /** Path of the namespace as the sandbox's own processes see it. */
  readonly netns: string
  /** The same namespace on the node's root. */
  readonly netnsOnNode: string
}

/** What decides whom a pod may talk to, told of it before its first process. */
export interface PodPolicies {
  isolate(pod: StartingPod): Promise<void>
  release(uid: string): void
}

interface NetworkConfig {
  readonly cniVersion: string
  readonly name: string
  readonly plugins: readonly (Readonly<Record<string, unknown>> & { readonly type: string })[]
}

const DEFAULT_CNI_VERSION = '1.0.0'

/** Runs the node's CNI chain: the built-in main plugin, then whatever the node's configuration chains behind it. */
export class CniChain {
  readonly #nodeRoot: string
  readonly #nodeNetns: string
  readonly #network: PodNetwork
  readonly #policies: PodPolicies
  readonly #plugins = new Semaphore(LIMITS.cniPluginsAtOnce)

  constructor(o: {
    readonly nodeRoot: string
    readonly nodeNetns: string
    readonly network: PodNetwork
    readonly policies: PodPolicies
  }) {
    this.#policies = o.policies
    this.#nodeRoot = o.nodeRoot
    this.#nodeNetns = o.nodeNetns
    this.#network = o.network
  }

  async add(pod: CniPod): Promise<PodAddresses> {
    const config = await readNetworkConfig(`${this.#nodeRoot}${CNI_CONFIG_FOLDER}`)
    let addresses: PodAddresses | undefined
    let result: unknown
    for (const plugin of config.plugins) {
      if (plugin.type === BUILTIN_PLUGIN) {
        addresses = await this.#network.add(pod.uid, pod.netns)
        await this.#policies.isolate({ ...pod, node: this.#network.node, ips: this.#ipsOf(addresses) })
        result = builtinResult(config.cniVersion, pod, addresses, this.#network.ipv6)
        continue
      }
      const output = await this.#execute('ADD', pod, config, plugin, result)
      result = parseResult(output) ?? result
    }
    if (addresses === undefined)
      throw new CniError(`the CNI configuration has no plugin of type ${BUILTIN_PLUGIN}, so pods get no address`)
    return addresses
  }

  /** Best effort and in reverse order, as the specification wants DEL. */
  async remove(pod: CniPod, onError: (error: unknown) => void): Promise<void> {
    const config = await readNetworkConfig(`${this.#nodeRoot}${CNI_CONFIG_FOLDER}`).catch(() => undefined)
    for (const plugin of config?.plugins.toReversed() ?? []) {
      if (plugin.type === BUILTIN_PLUGIN || config === undefined) continue
      await this.#execute('DEL', pod, config, plugin, undefined).catch(onError)
    }
    await this.#network.remove(pod.uid)
    this.#policies.release(pod.uid)
  }

  #ipsOf({ ip, ipV6 }: PodAddresses): readonly string[] {
    return this.#network.ipv6 ? [ip, ipV6] : [ip]
  }

  async #execute(
    command: 'ADD' | 'DEL',
    pod: CniPod,
    config: NetworkConfig,
    plugin: Readonly<Record<string, unknown>> & { readonly type: string },
    prevResult: unknown,
  ): Promise<string> {
    const path = join(CNI_PLUGIN_FOLDER, join('/', plugin.type))
    const input = JSON.stringify({
      ...plugin,
      cniVersion: config.cniVersion,
      name: config.name,
      ...(prevResult === undefined ? {} : { prevResult }),
    })
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      // Plugins run once per pod: one written for Node starts twice as fast with its compiled code at hand.
      NODE_COMPILE_CACHE: NODE_CACHE_FOLDER,
      CNI_COMMAND: command,
      CNI_CONTAINERID: pod.sandboxId,
      CNI_NETNS: pod.netnsOnNode,
      CNI_IFNAME: 'eth0',
      CNI_PATH: CNI_PLUGIN_FOLDER,
      CNI_ARGS: [
        'IgnoreUnknown=1',
        `K8S_POD_NAMESPACE=${pod.namespace}`,
        `K8S_POD_NAME=${pod.name}`,
        `K8S_POD_INFRA_CONTAINER_ID=${pod.sandboxId}`,
        `K8S_POD_UID=${pod.uid}`,
      ].join(';'),
    }
    const words = ['nsenter', `--net=${this.#nodeNetns}`, 'chroot', this.#nodeRoot, path]
    try {
      return await this.#plugins.run(() => runCommand(words, { input, env, timeoutMs: LIMITS.cniPluginTimeoutMs }))
    } catch (error) {
      const said = error instanceof CommandError ? pluginMessage(error) : messageOf(error)
      throw new CniError(`plugin type="${plugin.type}" failed (${command.toLowerCase()}): ${said}`, { cause: error })
    }
  }
}

/** What the plugin says went wrong: the `msg` of its error object (CNI specification, section 5). */
function pluginMessage(error: CommandError): string {
  try {
    const { msg, details } = JSON.parse(error.stdout) as { msg?: unknown; details?: unknown }
    if (typeof msg === 'string') return typeof details === 'string' && details !== '' ? `${msg}; ${details}` : msg
  } catch {
    // No error object; standard error and the exit code are all there is.
  }
  return error.message
}

/** The first configuration file by name, as container runtimes choose it. */
export async function readNetworkConfig(folder: string): Promise<NetworkConfig> {
  const names = (await readdir(folder)).filter((name) => /\.(conflist|conf|json)$/.test(name)).sort()
  for (const name of names) {
    const config = decodeNetworkConfig(await readFile(join(folder, name), 'utf8'))
    if (config !== undefined) return config
  }
  throw new CniError(`no valid CNI network configuration in ${CNI_CONFIG_FOLDER} of the node`)
}

/** Reads a configuration list, or a single plugin's configuration as a list of one. */
export function decodeNetworkConfig(text: string): NetworkConfig | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { cniVersion, name, plugins, type } = value as Record<string, unknown>
  const list: unknown[] = Array.isArray(plugins) ? plugins : type === undefined ? [] : [value]
  if (list.length === 0 || !list.every(isPlugin)) return undefined
  return {
    cniVersion: typeof cniVersion === 'string' ? cniVersion : DEFAULT_CNI_VERSION,
    name: typeof name === 'string' ? name : 'ambit',
    plugins: list,
  }
}

function isPlugin(value: unknown): value is Record<string, unknown> & { type: string } {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

function parseResult(output: string): unknown {
  try {
    const value: unknown = JSON.parse(output)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function builtinResult(cniVersion: string, pod: CniPod, addresses: PodAddresses, ipv6: boolean): unknown {
  const ips = [
    { address: `${addresses.ip}/32`, interface: 0 },
    ...(ipv6 ? [{ address: `${addresses.ipV6}/128`, interface: 0 }] : []),
  ]
  return {
    cniVersion,
    interfaces: [{ name: 'eth0', sandbox: pod.netnsOnNode }],
    ips,
    routes: [{ dst: '0.0.0.0/0' }],
    dns: {},
  }
}
