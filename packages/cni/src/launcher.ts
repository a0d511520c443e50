import { fileURLToPath } from 'node:url'
import { type PluginRuntime, RUNTIME_FOLDER } from './plugin-runtime.ts'

/** One word for a POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** The plugin's program, beside the module of that URL. */
export function pluginBeside(moduleUrl: string): string {
  return fileURLToPath(new URL('./plugin.ts', moduleUrl))
}

// These have nothing to do: a pod's rules vanish with its namespace. The runtime expects its configuration to be read.
const NOTHING = 'case "$CNI_COMMAND" in DEL|GC|STATUS) while read -r _; do :; done; exit 0 ;; esac'

/** The executable the container runtime finds under the plugin's name. */
export function launcherScript(o: {
  /** Words of a POSIX shell that start the plugin. */
  readonly command: string
  /** Folder on the node for compiled code, which halves the time to start. */
  readonly compileCache: string
}): string {
  return `#!/bin/sh
# Written by the node agent, which also keeps it up to date.
${NOTHING}
NODE_COMPILE_CACHE=${quote(o.compileCache)}
export NODE_COMPILE_CACHE
exec ${o.command} "$@"
`
}

/** The plugin in place, by the Node that runs the agent: for nodes that share the agent's files. */
export function inPlaceCommand(node: string, plugin: string): string {
  return [node, '--disable-warning=ExperimentalWarning', plugin].map(quote).join(' ')
}

/** The plugin out of the folder that {@link installRuntime} made, wherever the node has it. */
export function runtimeCommand({ id, loader, program }: PluginRuntime): string {
  // The shell's words for the folder of the script itself.
  const folder = `"\${0%/*}"/${RUNTIME_FOLDER}/${id}`
  return `${folder}/${loader} --library-path ${folder} ${folder}/node ${folder}/${program}`
}
