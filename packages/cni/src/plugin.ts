// The CNI plugin `istio-cni`: run by the container runtime, as root on the node, for every pod sandbox.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, systemClock } from '@ambit/core'
import {
  CNI_ERROR,
  cniError,
  cniVersions,
  decodeCniArgs,
  decodePluginConfig,
  type PluginConfig,
} from './cni-protocol.ts'
import { AGENT_SOCKET, PLUGIN_KUBECONFIG } from './file-names.ts'
import { PLUGIN_MAX_STDIN_BYTES } from './limits.ts'
import { addSandbox, PluginError } from './plugin-add.ts'
import { objectReader, reportPod } from './plugin-clients.ts'
import { parseKubeconfig } from './plugin-kubeconfig.ts'
import { decodeNamespace, decodePod } from './pod-facts.ts'

interface PluginEnv {
  readonly command: string
  readonly netns: string
  readonly args: string
}

function pluginEnv(env: NodeJS.ProcessEnv): PluginEnv {
  return { command: env['CNI_COMMAND'] ?? '', netns: env['CNI_NETNS'] ?? '', args: env['CNI_ARGS'] ?? '' }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > PLUGIN_MAX_STDIN_BYTES)
      throw new TypeError(`more than ${PLUGIN_MAX_STDIN_BYTES} bytes of configuration`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function add(config: PluginConfig, env: PluginEnv): Promise<string> {
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
    { netns: env.netns, args: decodeCniArgs(env.args) },
    {
      clock: systemClock,
      readPod: async (namespace, name) => decodePod(await readObject(`/api/v1/namespaces/${namespace}/pods/${name}`)),
      readNamespace: async (name) => decodeNamespace(await readObject(`/api/v1/namespaces/${name}`)),
      report: (event) => reportPod(join(config.agentRunDir, AGENT_SOCKET), event),
    },
  )
  return `${JSON.stringify(config.prevResult ?? { cniVersion: config.cniVersion })}\n`
}

/** Text for standard output. */
async function run(config: PluginConfig, env: PluginEnv): Promise<string> {
  switch (env.command) {
    case 'ADD':
      return await add(config, env)
    case 'VERSION':
      return cniVersions(config.cniVersion)
    // The rules vanish with the namespace, and the agent learns of the deletion from the API server.
    case 'DEL':
    case 'CHECK':
    case 'GC':
    case 'STATUS':
      return ''
    default:
      throw new PluginError(`unknown CNI_COMMAND ${JSON.stringify(env.command)}`, CNI_ERROR.invalidEnvironment)
  }
}

let cniVersion = '1.0.0'
try {
  const config = await readStdin()
    .then(decodePluginConfig)
    .catch((cause: unknown) => {
      throw new PluginError(`network configuration cannot be read: ${messageOf(cause)}`, CNI_ERROR.invalidConfig, {
        cause,
      })
    })
  cniVersion = config.cniVersion
  process.stdout.write(await run(config, pluginEnv(process.env)))
} catch (error) {
  const code = error instanceof PluginError ? error.cniCode : CNI_ERROR.enrollment
  process.stdout.write(cniError(cniVersion, code, messageOf(error)))
  process.exitCode = 1
}
