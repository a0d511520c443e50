import { type Ip, ip, type Logger, messageOf, type SocketAddress } from '@ambit/core'
import { type AdminServer, listenAnywhere } from '@ambit/telemetry'
import type { Config } from './config.types.ts'

/** Addresses really bound, for tests and logs. */
export interface BoundPorts {
  readonly admin: SocketAddress
  readonly stats: SocketAddress
  readonly readiness: SocketAddress
}

export interface AdminServersOptions {
  readonly config: Config
  /** Address to listen on instead of the configured ones; any port becomes a free one then. */
  readonly adminIp?: Ip | undefined
}

/** The HTTP servers of the process, one for each audience: operators on loopback, Prometheus, the kubelet. */
export interface AdminServers {
  readonly admin: AdminServer
  readonly stats: AdminServer
  readonly readiness: AdminServer
}

/** Opens their ports; the servers stay the caller's. */
export async function listenForAdmins(
  { admin, stats, readiness }: AdminServers,
  { config, adminIp }: AdminServersOptions,
  logger: Logger,
): Promise<BoundPorts> {
  const at = (fallback: Ip, port: number): SocketAddress => ({
    ip: adminIp ?? fallback,
    port: adminIp === undefined ? port : 0,
  })
  const bound = {
    readiness: await listenAnywhere(readiness, at(config.listenIp, config.readinessPort)),
    stats: await listenAnywhere(stats, at(config.listenIp, config.statsPort)),
    admin: await admin.listen(at(ip('127.0.0.1'), config.adminPort)),
  }
  if (adminIp === undefined && config.ipv6Enabled) {
    // Nodes without IPv6 have no ::1, which is no reason not to start.
    await admin
      .listen({ ip: ip('::1'), port: config.adminPort })
      .catch((error: unknown) => logger.debug(messageOf(error)))
  }
  return bound
}
