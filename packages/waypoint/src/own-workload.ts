import type { Workload, WorkloadLookup } from '@ambit/state'
import type { Config } from './config.types.ts'

/** The waypoint's own workload, which localities and networks are compared with; what the process was told, until it is known. */
export function ownWorkload(lookup: WorkloadLookup, config: Config): Workload {
  const known = lookup.workloadByIp(config.network, config.instanceIp)
  if (
    known !== undefined &&
    known.namespace === config.namespace &&
    known.serviceAccount === config.identity.serviceAccount
  )
    return known
  const { namespace, serviceAccount, trustDomain } = config.identity
  return {
    uid: `${config.clusterId}//Pod/${namespace}/${config.podName}`,
    name: config.podName,
    namespace,
    network: config.network,
    ips: [config.instanceIp],
    hostname: '',
    protocol: 'HBONE',
    trustDomain,
    serviceAccount,
    identity: config.identity,
    node: config.nodeName,
    workloadName: config.gateway,
    workloadType: 'deployment',
    canonicalName: config.gateway,
    canonicalRevision: 'latest',
    nativeTunnel: true,
    applicationTunnel: undefined,
    waypoint: undefined,
    networkGateway: undefined,
    networkMode: 'Standard',
    services: new Map(),
    authorizationPolicies: [],
    status: 'Healthy',
    clusterId: config.clusterId,
    locality: { region: '', zone: '', subzone: '' },
    capacity: 1,
  }
}
