import { workloadpb } from '@ambit/api'
import { ipToBytes } from '@ambit/core'
import { create } from '@bufbuild/protobuf'
import type { EndpointSlice, KubeService, MeshContext } from '../domain.types.ts'
import { common } from './workload.ts'

/** Workloads for endpoints that are no pods. Nothing is known of them, their address may be shared with others. */
export function compileEndpointSlice(
  slice: EndpointSlice,
  service: KubeService,
  mesh: MeshContext,
): readonly workloadpb.Workload[] {
  const ports = slice.ports
    .filter(({ protocol }) => protocol === 'TCP')
    .flatMap(({ name, port }) =>
      service.ports
        .filter((servicePort) => servicePort.name === name)
        .map((servicePort) => ({ servicePort: servicePort.port, targetPort: port })),
    )
  const services = [{ key: `${service.namespace}/${service.hostname}`, ports }]
  return slice.endpoints.flatMap(({ ips, ready, podName }) => {
    const [first] = ips
    if (podName !== undefined || first === undefined) return []
    return [
      create(workloadpb.WorkloadSchema, {
        ...common(mesh, { services, policies: [] }),
        uid: `${mesh.clusterId}/discovery.k8s.io/EndpointSlice/${slice.namespace}/${slice.name}/${first}`,
        name: slice.name,
        namespace: slice.namespace,
        addresses: ips.map(ipToBytes),
        network: mesh.network,
        status: ready ? workloadpb.WorkloadStatus.HEALTHY : workloadpb.WorkloadStatus.UNHEALTHY,
        networkMode: workloadpb.NetworkMode.HOST_NETWORK,
      }),
    ]
  })
}
