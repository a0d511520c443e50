import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Netns, spawnIn } from '@ambit/linux'

export interface Conflist {
  readonly cniVersion: string
  readonly name: string
  readonly plugins: readonly { readonly type: string; readonly [key: string]: unknown }[]
}

export interface Attachment {
  readonly containerId: string
  readonly netns: string
  readonly args: string
}

export interface Ran {
  readonly type: string
  readonly code: number
  readonly output: string
}

/** Where a plugin runs: as on a node all in its namespace, but ours where the test's API server is. */
export interface PluginHost {
  readonly path: readonly string[]
  readonly netnsFor: (type: string) => Netns
}

/** Runs plugins as a container runtime does: the protocol of the CNI specification, nothing of ours. */
export class Chain {
  readonly #host: PluginHost

  constructor(host: PluginHost) {
    this.#host = host
  }

  /** One after the other with each other's result, until one fails. */
  async add(list: Conflist, attachment: Attachment): Promise<{ ran: readonly Ran[]; result: unknown }> {
    const ran: Ran[] = []
    let prevResult: unknown
    for (const plugin of list.plugins) {
      const one = await this.run('ADD', list, plugin, attachment, prevResult)
      ran.push(one)
      if (one.code !== 0) return { ran, result: undefined }
      prevResult = JSON.parse(one.output)
    }
    return { ran, result: prevResult }
  }

  async check(list: Conflist, attachment: Attachment, prevResult: unknown): Promise<readonly Ran[]> {
    const ran: Ran[] = []
    for (const plugin of list.plugins) ran.push(await this.run('CHECK', list, plugin, attachment, prevResult))
    return ran
  }

  async del(list: Conflist, attachment: Attachment, prevResult: unknown): Promise<readonly Ran[]> {
    const ran: Ran[] = []
    for (const plugin of list.plugins.toReversed())
      ran.push(await this.run('DEL', list, plugin, attachment, prevResult))
    return ran
  }

  run(
    command: string,
    list: Conflist,
    plugin: Conflist['plugins'][number],
    attachment: Attachment,
    prevResult?: unknown,
  ): Promise<Ran> {
    const { capabilities, ...config } = plugin
    const wantsPorts = (capabilities as { portMappings?: boolean } | undefined)?.portMappings === true
    const input = {
      ...config,
      cniVersion: list.cniVersion,
      name: list.name,
      ...(wantsPorts ? { runtimeConfig: { portMappings: [] } } : {}),
      ...(prevResult === undefined ? {} : { prevResult }),
    }
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: attachment.containerId,
      CNI_NETNS: attachment.netns,
      CNI_IFNAME: 'eth0',
      CNI_ARGS: attachment.args,
    }
    return this.call(plugin.type, env, JSON.stringify(input))
  }

  /** Any variables and any input. */
  async call(type: string, env: Readonly<Record<string, string>>, input: string): Promise<Ran> {
    const child = spawnIn(this.#host.netnsFor(type), this.#find(type), [], {
      env: { PATH: process.env['PATH'], CNI_PATH: this.#host.path.join(':'), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const { stdin, stdout } = child
    if (stdin === null || stdout === null) throw new Error('no pipes')
    stdin.on('error', () => undefined)
    stdin.end(input)
    const [output, [code]] = await Promise.all([text(stdout), once(child, 'exit') as Promise<[number]>])
    return { type, code, output }
  }

  #find(type: string): string {
    for (const folder of this.#host.path) {
      try {
        accessSync(join(folder, type), constants.X_OK)
        return join(folder, type)
      } catch {
        // Not here; the next folder.
      }
    }
    throw new Error(
      `no CNI plugin ${type} in ${this.#host.path.join(':')}; Debian has it in containernetworking-plugins`,
    )
  }
}
