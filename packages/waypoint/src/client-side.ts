import { type Ip, ip } from '@ambit/core'
import type { AppOverrides } from './app.types.ts'
import type { Config } from './config.types.ts'
import { Gateway, type GatewayComponents } from './gateway/gateway.ts'
import { MeshSide, type MeshSideComponents } from './tunnel/mesh-side.ts'

/** Ports and TLS of a gateway, as its settings say. */
export function gatewaySide(components: GatewayComponents, config: Config, overrides: AppOverrides): Gateway {
  const { maxConnections, tlsHandshakeTimeoutMs: handshakeTimeoutMs, listenerDrainMs } = overrides
  return new Gateway(
    { ...components, logger: components.logger.scope('gateway') },
    { address: everywhere(config, overrides), maxConnections, handshakeTimeoutMs, listenerDrainMs },
  )
}

/** HBONE of a waypoint, and the tunnels in it. */
export function meshSide(components: MeshSideComponents, config: Config, overrides: AppOverrides): MeshSide {
  const address = { ip: everywhere(config, overrides), port: config.ports.hbone }
  return new MeshSide(
    { ...components, logger: components.logger.scope('access') },
    { address, maxTunnels: overrides.maxTunnels },
  )
}

function everywhere({ ipv6Enabled }: Config, { adminIp }: AppOverrides): Ip {
  return adminIp ?? ip(ipv6Enabled ? '::' : '0.0.0.0')
}
