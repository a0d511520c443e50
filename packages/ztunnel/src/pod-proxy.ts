import type { Clock, Closable, Ip } from '@ambit/core'
import type { ProxyPorts } from './config.types.ts'
import type { Connections } from './connections.ts'
import type { CapturedConnection, PathListener, PodPath } from './data-path/data-path.types.ts'
import type { DnsServer } from './dns/server.ts'
import { ConnectionFailure } from './failures.ts'
import { HANDOVER_MS } from './limits.ts'

export interface PodProxyComponents {
  readonly connections: Connections
  readonly outbound: { accept(connection: CapturedConnection): void }
  readonly inboundPlaintext: { accept(connection: CapturedConnection): void }
  readonly path: PodPath
  /** Opens the DNS proxy of this pod; absent where DNS is not captured. */
  readonly startDns?: (() => Promise<DnsServer>) | undefined
  readonly clock: Clock
}

export interface PodProxyOptions {
  readonly ports: ProxyPorts
  readonly listenIp: Ip
  readonly reusePort: boolean
  /** Undefined: best effort. */
  readonly transparent: boolean
}

/** Everything ztunnel has open inside one pod's network namespace. */
export class PodProxy implements Closable {
  readonly #components: PodProxyComponents
  readonly #listeners: PathListener[] = []
  #dns: DnsServer | undefined
  #closed = false

  private constructor(components: PodProxyComponents) {
    this.#components = components
  }

  /** Opens all listeners; when one cannot be opened none stays open. */
  static async start(components: PodProxyComponents, options: PodProxyOptions): Promise<PodProxy> {
    const proxy = new PodProxy(components)
    try {
      await proxy.#listen(options)
      return proxy
    } catch (error) {
      await proxy.close()
      throw error
    }
  }

  get connections(): Connections {
    return this.#components.connections
  }

  get dns(): DnsServer | undefined {
    return this.#dns
  }

  /** Listeners end as soon as nothing is on its way to them; connections that are open may go on until the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    const { connections, path, clock } = this.#components
    const deadline = Promise.withResolvers<void>()
    using _timer = clock.after(deadlineMs, deadline.resolve)
    await Promise.race([this.#handOver(), deadline.promise])
    if (this.#closed) return
    this.#stopListening()
    const goaway = path.drain(deadlineMs)
    await Promise.race([Promise.all([connections.idle(), goaway]), deadline.promise])
    connections.cutAll(new ConnectionFailure('drained', 'connection closed due to connection drain'))
    await this.close()
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#stopListening()
    const { connections, path } = this.#components
    connections.cutAll(new ConnectionFailure('pod-removed', 'connection closed due to connection drain'))
    await Promise.all([path.close(), this.#dns?.close()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #listen({ ports, listenIp, reusePort, transparent }: PodProxyOptions): Promise<void> {
    const { path, outbound, inboundPlaintext, startDns } = this.#components
    const common = { ip: listenIp, reusePort, transparent }
    this.#listeners.push(await path.listenForPeers({ ...common, port: ports.hbone }))
    this.#listeners.push(
      await path.listen({ ...common, port: ports.inboundPlaintext }, (client) => inboundPlaintext.accept(client)),
    )
    this.#listeners.push(await path.listen({ ...common, port: ports.outbound }, (client) => outbound.accept(client)))
    this.#dns = await startDns?.()
  }

  /** New connections go to the ztunnel that follows; resolves when those that were promised to this one are here. */
  async #handOver(): Promise<void> {
    const { path, clock } = this.#components
    const shared = this.#listeners.filter((listener) => listener.preferNewer())
    if (shared.length === 0) return
    const passed = Promise.withResolvers<void>()
    using _timer = clock.after(HANDOVER_MS, passed.resolve)
    await passed.promise
    await path.untilTaken()
  }

  #stopListening(): void {
    for (const listener of this.#listeners.splice(0)) listener.close()
    if (this.#dns !== undefined) void this.#dns.close()
  }
}
