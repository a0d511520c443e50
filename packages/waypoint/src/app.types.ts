import type { Clock, Ip, SocketAddress, SocketFactory } from '@ambit/core'
import type { CaClient } from '@ambit/identity'
import type { LeveledLogger } from '@ambit/telemetry'

/** Parts that a test, or another host program, brings itself. */
export interface AppOverrides {
  readonly clock?: Clock
  readonly ca?: CaClient
  readonly sockets?: SocketFactory
  readonly logger?: LeveledLogger
  readonly random?: () => number
  /** Takes the lines of the access log. */
  readonly accessLog?: (line: string) => void
  /** How long a client may take for a header block. */
  readonly headersTimeoutMs?: number
  /** Tunnels open at once. */
  readonly maxTunnels?: number
  /** Connections to a gateway open at once. */
  readonly maxConnections?: number
  /** Of clients of a gateway. */
  readonly tlsHandshakeTimeoutMs?: number
  /** For connections of listeners that are gone. */
  readonly listenerDrainMs?: number
  /** Address the administration ports listen on; any port becomes 0 where this is given. */
  readonly adminIp?: Ip
}

/** Addresses really bound, for tests and logs. */
export interface BoundPorts {
  readonly admin: SocketAddress
  readonly stats: SocketAddress
  readonly readiness: SocketAddress
}
