import { workloadpb } from '@ambit/api'
import { ipToBytes } from '@ambit/core'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { KubeService, MeshContext } from '../domain.types.ts'
import type { StringMap } from '../watch/json.ts'
import { appProtocolOf } from './app-protocol.ts'
import { loadBalancingOf, trafficDistributionOf } from './load-balancing.ts'

type GatewayAddress = MessageInitShape<typeof workloadpb.GatewayAddressSchema>

export interface ServiceSurroundings {
  readonly namespaceAnnotations: StringMap
  readonly waypoint?: GatewayAddress | undefined
  readonly ingressUseWaypoint?: boolean | undefined
}

/** Undefined for ExternalName: it is a DNS alias, nothing to route. */
export function compileService(
  service: KubeService,
  mesh: MeshContext,
  around: ServiceSurroundings,
): workloadpb.Service | undefined {
  if (service.externalName) return undefined
  const loadBalancing = loadBalancingOf({
    ...service,
    distribution: trafficDistributionOf(service.trafficDistribution, service.annotations, around.namespaceAnnotations),
  })
  return create(workloadpb.ServiceSchema, {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    addresses: service.clusterIps.map((ip) => ({ network: mesh.network, address: ipToBytes(ip) })),
    ports: service.ports.map(({ name, port, target, appProtocol }) => ({
      servicePort: port,
      targetPort: typeof target === 'number' ? target : 0,
      appProtocol: appProtocolOf(appProtocol, name),
    })),
    ipFamilies: ipFamiliesOf(service.ipFamilies),
    canonical: true,
    ...(loadBalancing === undefined ? {} : { loadBalancing }),
    ...(around.waypoint === undefined ? {} : { waypoint: around.waypoint }),
    ingressUseWaypoint: around.ingressUseWaypoint ?? false,
  })
}

function ipFamiliesOf(families: readonly string[]): workloadpb.IPFamilies {
  const v4 = families.includes('IPv4')
  const v6 = families.includes('IPv6')
  if (v4 && v6) return workloadpb.IPFamilies.DUAL
  if (v4) return workloadpb.IPFamilies.IPV4_ONLY
  return v6 ? workloadpb.IPFamilies.IPV6_ONLY : workloadpb.IPFamilies.AUTOMATIC
}
