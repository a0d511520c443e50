import type { Clock, SocketAddress, SocketFactory } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import type { ClientSide } from '../client-side.types.ts'
import { HboneListener } from './hbone-listener.ts'
import { Tunnels, type TunnelsComponents } from './tunnels.ts'

export interface MeshSideComponents extends TunnelsComponents {
  readonly sockets: SocketFactory
  readonly certificate: () => Promise<WorkloadCertificate>
  readonly clock: Clock
}

/** The side of a waypoint that clients see: HBONE, and the tunnels in it. */
export class MeshSide implements ClientSide {
  readonly #tunnels: Tunnels
  readonly #listener: HboneListener
  readonly #address: SocketAddress

  constructor(
    components: MeshSideComponents,
    options: { readonly address: SocketAddress; readonly maxTunnels?: number | undefined },
  ) {
    this.#address = options.address
    this.#tunnels = new Tunnels(components, options)
    this.#listener = new HboneListener({ ...components, onRequest: this.#tunnels.serve })
  }

  get size(): number {
    return this.#tunnels.size
  }

  async start(): Promise<void> {
    await this.#listener.listen(this.#address)
  }

  startDrain(deadlineMs: number): void {
    this.#listener.startDrain(deadlineMs)
  }

  /** Some are silent because their server speaks first. */
  closeSilent(): void {}

  async idle(): Promise<void> {
    await this.#tunnels.idle()
  }

  cutAll(): void {
    this.#tunnels.cutAll()
  }

  async close(): Promise<void> {
    this.cutAll()
    await this.#listener.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
