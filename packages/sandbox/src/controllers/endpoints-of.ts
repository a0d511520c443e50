import type { KubeObject } from '../apiserver/contract.types.ts'
import { LIMITS } from '../limits.ts'
import type { EndpointPort, Service } from '../objects/cluster.types.ts'
import type { Pod } from '../objects/pod.types.ts'
import type { EndpointsAddress, EndpointsSubset } from '../objects/workloads.types.ts'
import { addressOf, endpointPods, HEADLESS_LABEL, resolvePort } from './endpoint-slices-of.ts'
import { isReady } from './ownership.ts'

const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity'

/** The Endpoints object of a service, as clients from before EndpointSlices read it: one family, nothing that is ending. */
export function endpointsOf(service: Service, pods: Iterable<Pod>): KubeObject {
  const { name, namespace, labels } = service.metadata
  const [family = 'IPv4'] = service.spec.ipFamilies ?? []
  const anyway = service.spec.publishNotReadyAddresses === true
  const groups = new Map<string, { ports: EndpointPort[]; ready: EndpointsAddress[]; unready: EndpointsAddress[] }>()
  const all = endpointPods(service, pods).filter(({ metadata }) => anyway || metadata.deletionTimestamp === undefined)
  for (const pod of all.slice(0, LIMITS.addressesPerEndpoints)) {
    const ip = addressOf(pod, family)
    if (ip === undefined) continue
    const ports = (service.spec.ports ?? []).flatMap((port) => resolvePort(port, pod))
    if (ports.length === 0 && (service.spec.ports?.length ?? 0) > 0) continue
    const key = JSON.stringify(ports)
    const group = groups.get(key) ?? { ports, ready: [], unready: [] }
    groups.set(key, group)
    const { hostname, nodeName, subdomain } = pod.spec
    const address: EndpointsAddress = {
      ip,
      ...(hostname && subdomain === name ? { hostname } : {}),
      ...(nodeName === undefined ? {} : { nodeName }),
      targetRef: { kind: 'Pod', namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    }
    if (anyway || isReady(pod)) group.ready.push(address)
    else group.unready.push(address)
  }
  const subsets = [...groups.values()].map(
    ({ ports, ready, unready }): EndpointsSubset => ({
      ...(ready.length === 0 ? {} : { addresses: ready }),
      ...(unready.length === 0 ? {} : { notReadyAddresses: unready }),
      ...(ports.length === 0 ? {} : { ports: ports.map(plainPort) }),
    }),
  )
  const full = all.length > LIMITS.addressesPerEndpoints
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      namespace,
      labels: {
        ...labels,
        'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
        ...(service.spec.clusterIP === 'None' ? { [HEADLESS_LABEL]: '' } : {}),
      },
      ...(full ? { annotations: { [OVER_CAPACITY]: 'truncated' } } : {}),
    },
    ...(subsets.length === 0 ? {} : { subsets }),
  }
}

function plainPort({
  appProtocol,
  name,
  port = 0,
  protocol = 'TCP',
}: EndpointPort): NonNullable<EndpointsSubset['ports']>[number] {
  return { ...(name ? { name } : {}), port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }
}
