// The CNI plugin `istio-cni`: run by the container runtime, as root on the node, for every pod sandbox.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, systemClock } from '@ambit/core'
import {
  cniError,
  cniVersions,
  DEFAULT_VERSION,
  decodePluginConfig,
  type PluginConfig,
  passedOn,
  requireVersion,
  resultIps,
} from './cni-protocol.ts'
import { AGENT_SOCKET, PLUGIN_KUBECONFIG } from './file-names.ts'
import { PLUGIN_MAX_STDIN_BYTES, PLUGIN_STDIN_TIMEOUT_MS } from './limits.ts'
import { addSandbox } from './plugin-add.ts'
import { checkPod, objectReader, reportPod } from './plugin-clients.ts'
import { type PluginEnvironment, readEnvironment } from './plugin-environment.ts'
import { CNI_ERROR, PluginError } from './plugin-error.ts'
import { parseKubeconfig } from './plugin-kubeconfig.ts'
import { decodeNamespace, decodePod } from './pod-facts.ts'

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  const { stdin } = process
  const timer = setTimeout(() => stdin.destroy(new Error('it does not end')), PLUGIN_STDIN_TIMEOUT_MS)
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > PLUGIN_MAX_STDIN_BYTES) throw new Error(`it has more than ${PLUGIN_MAX_STDIN_BYTES} bytes`)
      chunks.push(chunk)
    }
  } catch (cause) {
    throw new PluginError(`network configuration cannot be read: ${messageOf(cause)}`, CNI_ERROR.io, { cause })
  } finally {
    clearTimeout(timer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function add(config: PluginConfig, { netns, args }: PluginEnvironment): Promise<string> {
  let reader: Promise<(path: string) => Promise<unknown>> | undefined
  const readObject = async (path: string): Promise<unknown> => {
    reader ??= readFile(join(config.agentRunDir, PLUGIN_KUBECONFIG), 'utf8').then((text) =>
      objectReader(parseKubeconfig(text)),
    )
    try {
      return await (await reader)(path)
    } catch (error) {
      // The agent may be writing another token just now.
      reader = undefined
      throw error
    }
  }
  await addSandbox(
    config,
    { netns, args },
    {
      clock: systemClock,
      readPod: async (namespace, name) => decodePod(await readObject(`/api/v1/namespaces/${namespace}/pods/${name}`)),
      readNamespace: async (name) => decodeNamespace(await readObject(`/api/v1/namespaces/${name}`)),
      report: (event) => reportPod(join(config.agentRunDir, AGENT_SOCKET), event),
    },
  )
  return passedOn(config)
}

async function check(config: PluginConfig, { netns, args }: PluginEnvironment): Promise<string> {
  if (config.prevResult === undefined)
    throw new PluginError('CHECK needs the prevResult of the ADD before it', CNI_ERROR.invalidConfig)
  const podName = args.get('K8S_POD_NAME') ?? ''
  const podNamespace = args.get('K8S_POD_NAMESPACE') ?? ''
  if (podName === '' || podNamespace === '') return ''
  const podUid = args.get('K8S_POD_UID')
  const event = { netns, podName, podNamespace, ips: resultIps(config.prevResult), ...(podUid && { podUid }) }
  const problem = await checkPod(join(config.agentRunDir, AGENT_SOCKET), event)
  if (problem !== undefined) throw new PluginError(problem, CNI_ERROR.enrollment)
  return ''
}

/** Text for standard output. */
async function run(config: PluginConfig, environment: PluginEnvironment): Promise<string> {
  requireVersion(config.cniVersion, environment.command)
  switch (environment.command) {
    case 'ADD':
      return await add(config, environment)
    case 'CHECK':
      return await check(config, environment)
    case 'VERSION':
      return cniVersions(config.cniVersion)
    // DEL and GC: the rules vanish with the namespace, and the agent learns of the deletion from the API server.
    // STATUS: a node whose plugin says no starts no pods at all, and the agent is one: it would never come.
    default:
      return ''
  }
}

let cniVersion = DEFAULT_VERSION
try {
  const environment = readEnvironment(process.env)
  const config = decodePluginConfig(await readStdin())
  cniVersion = config.cniVersion
  process.stdout.write(await run(config, environment))
} catch (error) {
  const code = error instanceof PluginError ? error.cniCode : CNI_ERROR.enrollment
  process.stdout.write(cniError(cniVersion, code, messageOf(error), error instanceof PluginError ? error.details : ''))
  process.exitCode = 1
}
