import type { Ip, SocketAddress, SpiffeId } from '@ambit/core'
import type { Workload } from '@ambit/state'

/** Who opens the connection of a leg. */
export interface Sender {
  readonly workload: Workload | undefined
  readonly identity: SpiffeId | undefined
  readonly ip: Ip
  readonly namespace: string
}

/** Where a leg ends, and how it is reached. */
export interface Arrival {
  readonly workload: Workload
  readonly destination: SocketAddress
  readonly transport: 'hbone' | 'plain'
  readonly because: string
}

export type End = 'arrived' | 'denied' | 'unreachable'
