import { type Clock, type Logger, messageOf } from '@ambit/core'
import { runCommand } from '../host/run-command.ts'
import type { Tool } from '../host/tools.ts'
import type { EndpointSlice, Service } from '../objects/cluster.types.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import { servingPorts } from './frontends.ts'
import { servicesRuleset } from './ruleset.ts'

/** Changes that come together are applied together. */
const GATHER_MS = 3
const RETRY_MS = 500

export interface ProxyNamespace {
  /** Undefined stands for the namespace of this process. */
  readonly netns: string | undefined
  /** Name of the node; undefined where no pod runs. */
  readonly node: string | undefined
}

/** Keeps the service rules of every namespace in which processes live: the nodes' and the sandbox's own. */
export class ServiceProxy implements Disposable {
  readonly #o: ConstructorParameters<typeof ServiceProxy>[0]
  readonly #stack = new DisposableStack()
  /** What each namespace holds; none while that is not known. */
  readonly #applied = new Map<ProxyNamespace, { readonly rules: string; readonly names: ReadonlySet<string> }>()
  #running: Promise<void> | undefined
  #again = false
  #closed = false

  constructor(o: {
    readonly nft: Tool
    readonly namespaces: readonly ProxyNamespace[]
    readonly services: ObjectCache<Service>
    readonly endpointSlices: ObjectCache<EndpointSlice>
    readonly logger: Logger
    readonly clock: Clock
  }) {
    this.#o = o
    this.#stack.use(o.services.subscribe(() => void this.apply()))
    this.#stack.use(o.endpointSlices.subscribe(() => void this.apply()))
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#stack.dispose()
  }

  /** Brings all namespaces up to date; resolves when that is done. */
  apply(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true
      return this.#running
    }
    this.#running = this.#work().finally(() => (this.#running = undefined))
    return this.#running
  }

  async #work(): Promise<void> {
    do {
      this.#again = false
      await this.#o.clock.sleep(GATHER_MS)
      if (this.#closed) return
      const serving = servingPorts(this.#o.services.all(), this.#o.endpointSlices.all())
      const results = await Promise.allSettled(this.#o.namespaces.map((one) => this.#load(one, serving)))
      const failure = results.find((result) => result.status === 'rejected')
      if (failure === undefined) continue
      this.#o.logger.error('service rules not applied, will retry', { error: messageOf(failure.reason) })
      await this.#o.clock.sleep(RETRY_MS)
      this.#again = true
    } while (this.#again && !this.#closed)
  }

  async #load(namespace: ProxyNamespace, serving: ReturnType<typeof servingPorts>): Promise<void> {
    const before = this.#applied.get(namespace)
    const { text, names } = servicesRuleset(serving, { node: namespace.node, previous: before?.names })
    // The whole table as it is to be, whatever it holds now.
    const rules = text.slice(text.indexOf('{'))
    if (before?.rules === rules) return
    this.#applied.delete(namespace)
    const enter = namespace.netns === undefined ? [] : ['nsenter', `--net=${namespace.netns}`]
    const env = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...this.#o.nft.env }
    await runCommand([...enter, this.#o.nft.path, '-f', '-'], { input: text, env })
    this.#applied.set(namespace, { rules, names })
  }
}
