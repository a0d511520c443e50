import { fileURLToPath } from 'node:url'

/** One word for a POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** The plugin's program, beside the module of that URL. */
export function pluginBeside(moduleUrl: string): string {
  return fileURLToPath(new URL('./plugin.ts', moduleUrl))
}

/** The executable the container runtime finds under the plugin's name. `command` replaces the whole default. */
export function launcherScript(o: {
  readonly node: string
  readonly plugin: string
  /** Folder on the node for compiled code, which halves the time to start. */
  readonly compileCache: string
  readonly command?: string | undefined
}): string {
  const command = o.command ?? [o.node, '--disable-warning=ExperimentalWarning', o.plugin].map(quote).join(' ')
  // These have nothing to do: a pod's rules vanish with its namespace. The runtime expects its configuration to be read.
  const nothing = 'case "$CNI_COMMAND" in DEL|GC|STATUS) while read -r _; do :; done; exit 0 ;; esac'
  return `#!/bin/sh\n# Written by the node agent, which also keeps it up to date.\n${nothing}\nNODE_COMPILE_CACHE=${quote(o.compileCache)}\nexport NODE_COMPILE_CACHE\nexec ${command} "$@"\n`
}
