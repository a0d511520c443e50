import { workloadpb } from '@ambit/api'
import { ipToBytes } from '@ambit/core'
import { create } from '@bufbuild/protobuf'
import type { MeshContext, ServiceEntry, WorkloadSpec } from '../domain.types.ts'
import { isNetwork } from '../watch/decode-service-entry.ts'
import { appProtocolOf } from './app-protocol.ts'
import { loadBalancingOf, PASSTHROUGH, trafficDistributionOf } from './load-balancing.ts'
import { externalInServiceEntry } from './membership.ts'
import type { ServiceSurroundings } from './service.ts'
import { compileExternalWorkload, type WorkloadSurroundings } from './workload.ts'

const SE_UID_KIND = 'networking.istio.io/ServiceEntry'

/** One Service for each host. `canonical` tells which hosts no other namespace has a better claim on. */
export function compileServiceEntry(
  entry: ServiceEntry,
  mesh: MeshContext,
  around: ServiceSurroundings & { readonly canonical: (host: string) => boolean },
): readonly workloadpb.Service[] {
  const loadBalancing =
    entry.resolution === 'NONE'
      ? PASSTHROUGH
      : loadBalancingOf({
          distribution: trafficDistributionOf(undefined, entry.annotations, around.namespaceAnnotations),
        })
  return entry.hosts.map((host) =>
    create(workloadpb.ServiceSchema, {
      name: entry.name,
      namespace: entry.namespace,
      hostname: host,
      addresses: virtualAddresses(entry, host, mesh.network),
      ports: entry.ports.map(({ name, port, target, protocol }) => ({
        servicePort: port,
        targetPort: target ?? port,
        appProtocol: appProtocolOf(protocol, name),
      })),
      subjectAltNames: [...entry.subjectAltNames],
      canonical: around.canonical(host),
      ...(loadBalancing === undefined ? {} : { loadBalancing }),
      ...(around.waypoint === undefined ? {} : { waypoint: around.waypoint }),
      ingressUseWaypoint: around.ingressUseWaypoint ?? false,
    }),
  )
}

function virtualAddresses(
  entry: ServiceEntry,
  host: string,
  network: string,
): { network: string; address: Uint8Array; length?: number }[] {
  if (entry.addresses.length > 0) {
    return entry.addresses.map((address) => ({
      network,
      address: ipToBytes(address.ip),
      ...(isNetwork(address) ? { length: address.length } : {}),
    }))
  }
  return entry.allocated
    .filter((address) => address.host === host || address.host === '')
    .map(({ ip }) => ({ network, address: ipToBytes(ip) }))
}

/** Workloads of the endpoints written in the entry; a DNS entry without any has its host as the one endpoint. */
export function compileInlineEndpoints(
  entry: ServiceEntry,
  mesh: MeshContext,
  around: (labels: WorkloadSpec['labels']) => Omit<WorkloadSurroundings, 'services'>,
): readonly workloadpb.Workload[] {
  if (entry.workloadSelector !== undefined) return []
  return endpointsOf(entry).map(({ spec, onlyHost }) => {
    const all = externalInServiceEntry(spec, entry)
    const services = onlyHost === undefined ? all : all.filter(({ key }) => key === `${entry.namespace}/${onlyHost}`)
    const owner = { namespace: entry.namespace, name: entry.name, uidKind: SE_UID_KIND, uidSuffix: spec.address }
    return compileExternalWorkload(owner, spec, mesh, { ...around(spec.labels), services })
  })
}

function endpointsOf(entry: ServiceEntry): readonly { readonly spec: WorkloadSpec; readonly onlyHost?: string }[] {
  const resolvesNames = entry.resolution === 'DNS' || entry.resolution === 'DNS_ROUND_ROBIN'
  if (entry.endpoints.length === 0 && resolvesNames) {
    return entry.hosts
      .filter((host) => !host.startsWith('*'))
      .map((host) => ({ spec: implicitEndpoint(host), onlyHost: host }))
  }
  return entry.endpoints
    .filter((spec) => spec.ip !== undefined || (resolvesNames && spec.hostname !== undefined))
    .map((spec) => ({ spec }))
}

function implicitEndpoint(host: string): WorkloadSpec {
  return {
    ip: undefined,
    hostname: host,
    address: host,
    labels: {},
    ports: {},
    network: '',
    locality: '',
    weight: undefined,
    serviceAccount: '',
  }
}
