import type { Closable } from '@ambit/core'

/** Where requests come in: tunnels of the mesh, or the listeners of a gateway. */
export interface ClientSide extends Closable {
  /** Tunnels or connections that are open. */
  readonly size: number
  /** Listens; for what it is told of later it listens by itself. */
  start(): Promise<void>
  /** Tells clients to go elsewhere, as far as that is possible before they ask for anything. */
  startDrain(deadlineMs: number): void
  /** Ends what nobody asked anything on yet. */
  closeSilent(): void
  /** Resolves when nothing is open. */
  idle(): Promise<void>
  cutAll(): void
}
