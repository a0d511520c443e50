import { CNI_ERROR, PluginError } from './plugin-error.ts'

export const COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const
export type Command = (typeof COMMANDS)[number]

/** What the runtime says in variables; empty texts where the command has no use for them. */
export interface PluginEnvironment {
  readonly command: Command
  readonly netns: string
  readonly args: ReadonlyMap<string, string>
}

/** Which variables a command must come with. Ours needs no CNI_PATH: it calls no other plugin. */
const NEEDED: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: [],
  STATUS: [],
  VERSION: [],
}

const FORMS: Readonly<Record<string, RegExp>> = {
  CNI_CONTAINERID: /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
  // A name the kernel takes for an interface.
  CNI_IFNAME: /^(?!\.{1,2}$)[^/:\s]{1,15}$/,
}

/** Reads the variables of the CNI specification; a missing or malformed one is named in the error. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): PluginEnvironment {
  const command = COMMANDS.find((each) => each === env['CNI_COMMAND'])
  if (command === undefined) {
    const said = env['CNI_COMMAND'] ?? ''
    throw new PluginError(`unknown CNI_COMMAND ${JSON.stringify(said)}`, CNI_ERROR.invalidEnvironment)
  }
  const missing = NEEDED[command].filter((name) => (env[name] ?? '') === '')
  if (missing.length > 0)
    throw new PluginError(`required env variables [${missing.join(',')}] missing`, CNI_ERROR.invalidEnvironment)
  for (const name of NEEDED[command]) {
    if (FORMS[name]?.test(env[name] ?? '') === false)
      throw new PluginError(`invalid ${name} ${JSON.stringify(env[name])}`, CNI_ERROR.invalidEnvironment)
  }
  return { command, netns: env['CNI_NETNS'] ?? '', args: decodeCniArgs(env['CNI_ARGS'] ?? '') }
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
