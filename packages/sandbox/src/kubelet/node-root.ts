import { join } from 'node:path'
import { type BaseRoot, baseRootLines } from '../host/base-root.ts'
import { mountTableLines } from '../host/mount-table.ts'
import { runCommand } from '../host/run-command.ts'
import { shellQuote } from '../host/shell.ts'

/** Where a node keeps the files of its pods' network namespaces, as containerd does. */
export const NODE_NETNS_FOLDER = '/run/netns'
export const CNI_CONFIG_FOLDER = '/etc/cni/net.d'
export const CNI_PLUGIN_FOLDER = '/opt/cni/bin'
export const NODE_CACHE_FOLDER = '/var/cache/node'

/** Type name of the built-in main plugin in the configuration list; it has no file in the plugin folder. */
export const BUILTIN_PLUGIN = 'ambit-ptp'

const CONFLIST = {
  cniVersion: '1.0.0',
  name: 'ambit',
  plugins: [{ type: BUILTIN_PLUGIN, ipam: { type: 'host-local' } }],
}

/**
 * The root file system of one node: hostPath volumes are served from it and CNI plugins run in it.
 * It lives on the sandbox's tmpfs. Only the folder of namespaces propagates mounts into running containers.
 */
export async function createNodeRoot(
  folder: string,
  nodeName: string,
  base: BaseRoot,
  nodeNetns: string,
  /** Folders that all nodes show: where from on this machine, and at which path. */
  shared: readonly { readonly source: string; readonly path: string }[],
): Promise<void> {
  const netns = `${folder}${NODE_NETNS_FOLDER}`
  const script = [
    `mkdir -p ${shellQuote(folder)}`,
    ...baseRootLines(base, shellQuote(folder)),
    ...shared.map(({ path }) => `mkdir -p .${shellQuote(path)}`),
    ...mountTableLines(
      [
        ...base.mounts,
        { source: '/proc', target: '/proc' },
        ...shared.map(({ path, source }) => ({ source, target: path })),
      ],
      folder,
    ),
    'mount --rbind /sys sys || :',
    `mkdir -p .${CNI_CONFIG_FOLDER} .${CNI_PLUGIN_FOLDER} .${NODE_NETNS_FOLDER} var/lib/kubelet .${NODE_CACHE_FOLDER}`,
    `printf %s ${shellQuote(JSON.stringify(CONFLIST, undefined, 2))} > .${CNI_CONFIG_FOLDER}/10-ambit.conflist`,
    `printf '%s\\n' ${shellQuote(nodeName)} > etc/hostname`,
    `printf '127.0.0.1 localhost\\n::1 localhost\\n' > etc/hosts`,
    `mount --bind ${shellQuote(netns)} ${shellQuote(netns)}`,
    `mount --make-shared ${shellQuote(netns)}`,
    // Nodes share one process space, so a process number can't name the node's namespace: this name does.
    'rmdir .old',
    `: > ${shellQuote(`${netns}/node`)}; mount --bind ${shellQuote(nodeNetns)} ${shellQuote(`${netns}/node`)}`,
  ]
  await runCommand(['sh', '-euc', script.join('\n')])
}

/** A path of the node as seen from the sandbox; `..` can't leave the node. */
export function pathOnNode(nodeRoot: string, path: string): string {
  return join(nodeRoot, join('/', path))
}
