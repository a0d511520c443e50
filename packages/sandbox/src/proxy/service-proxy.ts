import { type Clock, type Logger, messageOf } from '@ambit/core'
import { runCommand } from '../host/run-command.ts'
import type { Tool } from '../host/tools.ts'
import type { EndpointSlice, Service } from '../objects/cluster.types.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import { frontendsOf, servicesRuleset } from './ruleset.ts'

/** Changes that come together are applied together. */
const GATHER_MS = 3
const RETRY_MS = 500

/** Keeps the service rules of every namespace in which processes live: the nodes' and the sandbox's own. */
export class ServiceProxy implements Disposable {
  readonly #o: ConstructorParameters<typeof ServiceProxy>[0]
  readonly #stack = new DisposableStack()
  #applied = ''
  #running: Promise<void> | undefined
  #again = false
  #closed = false

  constructor(o: {
    readonly nft: Tool
    /** Undefined stands for the namespace of this process. */
    readonly namespaces: readonly (string | undefined)[]
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
      const ruleset = servicesRuleset(frontendsOf(this.#o.services.all(), this.#o.endpointSlices.all()))
      if (ruleset === this.#applied) continue
      try {
        await Promise.all(this.#o.namespaces.map((netns) => this.#load(netns, ruleset)))
        this.#applied = ruleset
      } catch (error) {
        this.#o.logger.error('service rules not applied, will retry', { error: messageOf(error) })
        await this.#o.clock.sleep(RETRY_MS)
        this.#again = true
      }
    } while (this.#again && !this.#closed)
  }

  async #load(netns: string | undefined, ruleset: string): Promise<void> {
    const enter = netns === undefined ? [] : ['nsenter', `--net=${netns}`]
    const env = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...this.#o.nft.env }
    await runCommand([...enter, this.#o.nft.path, '-f', '-'], { input: ruleset, env })
  }
}
