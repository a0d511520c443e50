import type { Ip, SpiffeId } from '@ambit/core'
import type { Workload } from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'

/** The workload of somebody of whom nothing runs, as a proxy would know it. */
export function standIn({ mesh }: CompiledMesh, identity: SpiffeId, address: Ip): Workload {
  const { namespace, serviceAccount, trustDomain } = identity
  return {
    uid: `${mesh.clusterId}//Pod/${namespace}/${serviceAccount}`,
    name: serviceAccount,
    namespace,
    network: mesh.network,
    ips: [address],
    hostname: '',
    protocol: 'HBONE',
    trustDomain,
    serviceAccount,
    identity,
    node: '',
    workloadName: serviceAccount,
    workloadType: 'pod',
    canonicalName: serviceAccount,
    canonicalRevision: 'latest',
    nativeTunnel: false,
    applicationTunnel: undefined,
    waypoint: undefined,
    networkGateway: undefined,
    networkMode: 'Standard',
    services: new Map(),
    authorizationPolicies: [],
    status: 'Healthy',
    clusterId: mesh.clusterId,
    locality: { region: '', zone: '', subzone: '' },
    capacity: 1,
  }
}
