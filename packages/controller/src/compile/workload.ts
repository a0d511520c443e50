import { ANNOTATIONS, LABELS, workloadpb } from '@ambit/api'
import { DEFAULT_TRUST_DOMAIN, ipToBytes } from '@ambit/core'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { Locality, MeshContext, Named, Pod, WorkloadSpec } from '../domain.types.ts'
import { canonicalNameOf, canonicalRevisionOf } from './canonical-name.ts'
import { labelledLocality, NO_LOCALITY, parseLocality } from './locality.ts'
import type { ServiceMembership } from './membership.ts'

const { NetworkMode, TunnelProtocol, WorkloadStatus, WorkloadType } = workloadpb

type WorkloadInit = Extract<MessageInitShape<typeof workloadpb.WorkloadSchema>, { readonly $typeName?: never }>

type GatewayAddress = MessageInitShape<typeof workloadpb.GatewayAddressSchema>
type ApplicationTunnel = MessageInitShape<typeof workloadpb.ApplicationTunnelSchema>

/** What surrounds a workload, found by the index. */
export interface WorkloadSurroundings {
  readonly services: readonly ServiceMembership[]
  readonly policies: readonly string[]
  readonly waypoint?: GatewayAddress | undefined
  readonly applicationTunnel?: ApplicationTunnel | undefined
  readonly locality?: Locality | undefined
}

export function compilePod(pod: Pod, mesh: MeshContext, around: WorkloadSurroundings): workloadpb.Workload {
  const native = tunnelsHttp(pod.labels[LABELS.tunnel])
  const captured = pod.annotations[ANNOTATIONS.redirection] === 'enabled'
  return create(workloadpb.WorkloadSchema, {
    ...common(mesh, around),
    uid: `${mesh.clusterId}//Pod/${pod.namespace}/${pod.name}`,
    name: pod.name,
    namespace: pod.namespace,
    addresses: pod.ips.map(ipToBytes),
    network: pod.labels[LABELS.network] ?? mesh.network,
    tunnelProtocol: native || captured ? TunnelProtocol.HBONE : TunnelProtocol.NONE,
    nativeTunnel: native,
    serviceAccount: pod.serviceAccount,
    node: pod.node,
    workloadName: pod.workloadName,
    canonicalName: canonicalNameOf(pod.labels, pod.workloadName),
    canonicalRevision: canonicalRevisionOf(pod.labels),
    status: pod.ready ? WorkloadStatus.HEALTHY : WorkloadStatus.UNHEALTHY,
    networkMode: pod.hostNetwork ? NetworkMode.HOST_NETWORK : NetworkMode.STANDARD,
    ...localityField(labelledLocality(pod.labels) ?? around.locality ?? NO_LOCALITY),
  })
}

/** WorkloadEntry and ServiceEntry endpoint: always healthy, the control plane does not probe them. */
export function compileExternalWorkload(
  owner: Named & { readonly uidKind: string; readonly uidSuffix?: string },
  workload: WorkloadSpec,
  mesh: MeshContext,
  around: WorkloadSurroundings,
): workloadpb.Workload {
  const { labels } = workload
  const native = tunnelsHttp(labels[LABELS.tunnel])
  const workloadName = labels[LABELS.workloadName] || owner.name
  const path = [mesh.clusterId, owner.uidKind, owner.namespace, owner.name]
  return create(workloadpb.WorkloadSchema, {
    ...common(mesh, around),
    uid: [...path, ...(owner.uidSuffix === undefined ? [] : [owner.uidSuffix])].join('/'),
    name: owner.name,
    namespace: owner.namespace,
    addresses: workload.ip === undefined ? [] : [ipToBytes(workload.ip)],
    hostname: workload.hostname ?? '',
    network: workload.network || labels[LABELS.network] || mesh.network,
    tunnelProtocol: native ? TunnelProtocol.HBONE : TunnelProtocol.NONE,
    nativeTunnel: native,
    serviceAccount: workload.serviceAccount || 'default',
    workloadName,
    canonicalName: canonicalNameOf(labels, workloadName),
    canonicalRevision: canonicalRevisionOf(labels),
    status: WorkloadStatus.HEALTHY,
    ...(workload.weight === undefined ? {} : { capacity: workload.weight }),
    ...localityField(labelledLocality(labels) ?? parseLocality(workload.locality)),
  })
}

/** What every kind of workload says alike. */
export function common(mesh: MeshContext, around: WorkloadSurroundings): WorkloadInit {
  return {
    clusterId: mesh.clusterId,
    // Empty stands for the default domain.
    trustDomain: mesh.trustDomain === DEFAULT_TRUST_DOMAIN ? '' : mesh.trustDomain,
    workloadType: WorkloadType.POD,
    services: Object.fromEntries(around.services.map(({ key, ports }) => [key, { ports: [...ports] }])),
    authorizationPolicies: [...around.policies],
    ...(around.waypoint === undefined ? {} : { waypoint: around.waypoint }),
    ...(around.applicationTunnel === undefined ? {} : { applicationTunnel: around.applicationTunnel }),
  }
}

function tunnelsHttp(label: string | undefined): boolean {
  return label?.split(',').includes('http') ?? false
}

function localityField(locality: Locality): { readonly locality?: Locality } {
  return locality.region === '' && locality.zone === '' && locality.subzone === '' ? {} : { locality: { ...locality } }
}
