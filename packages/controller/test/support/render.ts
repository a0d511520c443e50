import type { GatewayRequest, InstallSettings } from '../../src/gateway/gateway.types.ts'
import { WAYPOINT_KIND } from '../../src/gateway/gateway-classes.ts'
import { type RenderedGateway, renderGateway } from '../../src/gateway/render-gateway.ts'

export function renderWaypoint(
  gateway: GatewayRequest,
  settings: InstallSettings,
  presentSelector: Readonly<Record<string, string>> | undefined,
): RenderedGateway {
  return renderGateway(gateway, WAYPOINT_KIND, settings, presentSelector)
}
