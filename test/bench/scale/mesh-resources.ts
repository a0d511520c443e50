import { TYPE_URLS } from '../../../packages/api/src/index.ts'
import { addressBytes, serviceResource, workloadResource } from '../../../packages/testing/src/index.ts'
import { type ResourceInput, ResourceTable } from '../../../packages/xds/src/index.ts'

export interface MeshSize {
  readonly pods: number
  readonly services: number
}

/** The mesh spreads over as many; the pods of one are local to the proxy. */
const NODES = 500
export const NODE_NAME = 'node-7'
const NAMESPACES = 100

export const vipOf = (service: number): string => `10.96.${service >> 8}.${service & 255}`
export const podIpOf = (pod: number): string => `10.${128 + (pod >> 16)}.${(pod >> 8) & 255}.${pod & 255}`
export const namespaceOf = (service: number): string => `team-${service % NAMESPACES}`
export const hostnameOf = (service: number): string => `service-${service}.${namespaceOf(service)}.svc.cluster.local`

const PORTS = [
  { servicePort: 80, targetPort: 8080 },
  { servicePort: 9090, targetPort: 9090 },
]

/** A mesh as a large cluster has it: pods spread evenly over services, names as long as Deployments make them. */
export function meshTable({ pods, services }: MeshSize): ResourceTable {
  const upserts: ResourceInput[] = []
  for (let i = 0; i < services; i++) upserts.push(service(i))
  for (let i = 0; i < pods; i++) upserts.push(workload(i, i % services))
  const table = new ResourceTable()
  table.replace(TYPE_URLS.address, upserts)
  table.replace(TYPE_URLS.authorization, [])
  return table
}

export function service(index: number): ResourceInput {
  return serviceResource({
    name: `service-${index}`,
    namespace: namespaceOf(index),
    hostname: hostnameOf(index),
    addresses: [{ network: '', address: addressBytes(vipOf(index)) }],
    ports: PORTS,
    canonical: true,
  })
}

export function workload(index: number, of: number): ResourceInput {
  const namespace = namespaceOf(of)
  const suffix = ((index * 2_654_435_761) >>> 0).toString(36).padStart(7, '0')
  const name = `service-${of}-6f7d9c5b8d-${suffix}`
  const key = `${namespace}/${hostnameOf(of)}`
  const resource = workloadResource({
    uid: `Kubernetes//Pod/${namespace}/${name}`,
    name,
    namespace,
    addresses: [addressBytes(podIpOf(index))],
    tunnelProtocol: 1,
    serviceAccount: `service-${of}`,
    node: `node-${index % NODES}`,
    workloadName: `service-${of}`,
    canonicalName: `service-${of}`,
    canonicalRevision: 'latest',
    clusterId: 'Kubernetes',
    services: { [key]: { ports: PORTS } },
    locality: { region: 'europe-west1', zone: `europe-west1-${'bcd'[index % 3]}` },
  })
  return { ...resource, belongsTo: [key] }
}
