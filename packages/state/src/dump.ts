import type { Authorization, CidrMatch, Match, StringMatch } from './authorization.types.ts'
import type { PolicyStore } from './policy-store.ts'
import { formatGateway } from './resolve-waypoint.ts'
import type { Endpoint, GatewayAddress, PortMap, Service, Workload } from './workload.types.ts'
import type { WorkloadStore } from './workload-store.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }

/** The store in the shape of `/config_dump` and of local xDS files, which istioctl reads. */
export function dumpState(
  workloads: WorkloadStore,
  policies: PolicyStore,
): {
  readonly workloads: JsonObject[]
  readonly services: JsonObject[]
  readonly policies: JsonObject[]
  readonly stagedServices: JsonObject
} {
  return {
    workloads: [...workloads.workloads()].map(dumpWorkload),
    services: [...workloads.services()].map((service) => dumpService(service, workloads.usableEndpoints(service))),
    policies: [...policies.policies()].map(dumpPolicy),
    stagedServices: Object.fromEntries(
      [...workloads.stagedEndpoints()].map(([key, list]) => [key, dumpEndpoints(list)]),
    ),
  }
}

export function dumpWorkload(workload: Workload): JsonObject {
  return {
    uid: workload.uid,
    workloadIps: workload.ips,
    ...defined('waypoint', workload.waypoint, dumpGateway),
    ...defined('networkGateway', workload.networkGateway, dumpGateway),
    protocol: workload.protocol,
    networkMode: workload.networkMode,
    name: workload.name,
    namespace: workload.namespace,
    trustDomain: workload.trustDomain,
    serviceAccount: workload.serviceAccount,
    network: workload.network,
    workloadName: workload.workloadName,
    workloadType: workload.workloadType,
    canonicalName: workload.canonicalName,
    canonicalRevision: workload.canonicalRevision,
    hostname: workload.hostname,
    node: workload.node,
    nativeTunnel: workload.nativeTunnel,
    ...defined('applicationTunnel', workload.applicationTunnel, ({ protocol, port }) => ({
      protocol,
      ...defined('port', port, (number) => number),
    })),
    authorizationPolicies: workload.authorizationPolicies,
    status: workload.status,
    clusterId: workload.clusterId,
    locality: { ...workload.locality },
    services: Object.fromEntries([...workload.services].map(([key, ports]) => [key, dumpPorts(ports)])),
    capacity: workload.capacity,
  }
}

export function dumpService(service: Service, endpoints: readonly Endpoint[]): JsonObject {
  const { mode, routingPreferences, healthPolicy } = service.loadBalancing
  return {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    vips: service.vips.map(({ network, ip }) => `${network}/${ip}`),
    ...(service.cidrVips.length === 0
      ? {}
      : { cidrVips: service.cidrVips.map(({ network, cidr }) => ({ network, cidr: `${cidr.ip}/${cidr.length}` })) }),
    ports: dumpPorts(service.ports),
    endpoints: dumpEndpoints(endpoints),
    subjectAltNames: service.subjectAltNames,
    ...defined('waypoint', service.waypoint, dumpGateway),
    ...(service.weightedWaypoints.length === 0
      ? {}
      : {
          weightedWaypoints: service.weightedWaypoints.map(({ destination, weight }) => ({
            destination: dumpGateway(destination),
            weight,
          })),
        }),
    loadBalancer: { routingPreferences, mode, healthPolicy },
    ...defined('ipFamilies', service.ipFamilies, (families) => families),
    canonical: service.canonical,
    visibility: service.visibility,
  }
}

export function dumpPolicy(policy: Authorization): JsonObject {
  return {
    name: policy.name,
    namespace: policy.namespace,
    scope: policy.scope,
    action: policy.action,
    dryRun: policy.dryRun,
    rules: policy.rules.map((rule) => rule.clauses.map((clause) => clause.matches.map(dumpMatch))),
  }
}

/** Empty lists are left out, as they constrain nothing. */
function dumpMatch(match: Match): JsonObject {
  const lists: readonly (readonly [string, readonly Json[]])[] = [
    ['namespaces', match.namespaces.map(dumpString)],
    ['notNamespaces', match.notNamespaces.map(dumpString)],
    ['serviceAccounts', match.serviceAccounts.map((account) => ({ ...account }))],
    ['notServiceAccounts', match.notServiceAccounts.map((account) => ({ ...account }))],
    ['principals', match.principals.map(dumpString)],
    ['notPrincipals', match.notPrincipals.map(dumpString)],
    ['sourceIps', match.sourceIps.map(dumpCidr)],
    ['notSourceIps', match.notSourceIps.map(dumpCidr)],
    ['destinationIps', match.destinationIps.map(dumpCidr)],
    ['notDestinationIps', match.notDestinationIps.map(dumpCidr)],
    ['destinationPorts', match.destinationPorts],
    ['notDestinationPorts', match.notDestinationPorts],
  ]
  return Object.fromEntries(lists.filter(([, list]) => list.length > 0))
}

function dumpString(match: StringMatch): Json {
  switch (match.kind) {
    case 'exact':
      return { Exact: match.value }
    case 'prefix':
      return { Prefix: match.value }
    case 'suffix':
      return { Suffix: match.value }
    case 'presence':
      return { Presence: [] }
    case 'any':
      return { Unreadable: [] }
  }
}

function dumpCidr({ cidr }: CidrMatch): string {
  return `${cidr.ip}/${cidr.length}`
}

function dumpEndpoints(endpoints: readonly Endpoint[]): JsonObject {
  return Object.fromEntries(
    endpoints.map(({ workloadUid, ports, status }) => [workloadUid, { workloadUid, port: dumpPorts(ports), status }]),
  )
}

function dumpPorts(ports: PortMap): JsonObject {
  return Object.fromEntries([...ports].map(([from, to]) => [String(from), to]))
}

function dumpGateway(gateway: GatewayAddress): JsonObject {
  return { destination: formatGateway(gateway), hboneMtlsPort: gateway.hboneMtlsPort }
}

function defined<T>(key: string, value: T | undefined, dump: (value: T) => Json): JsonObject {
  return value === undefined ? {} : { [key]: dump(value) }
}
