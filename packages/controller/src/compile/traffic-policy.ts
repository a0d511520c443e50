import { waypointpb } from '@ambit/api'
import type { ResourceInput } from '@ambit/xds'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type {
  ConnectionPool,
  DestinationRule,
  LoadBalancer,
  PolicyBlocks,
  TrafficPolicy,
} from '../destination-rule.types.ts'

const { LoadBalancing_Algorithm: Algorithm } = waypointpb

type Treatment = Extract<MessageInitShape<typeof waypointpb.TreatmentSchema>, { readonly $typeName?: never }>

const NOTHING: PolicyBlocks = {
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
}

/** `RULES-NAMESPACE/NAMESPACE/HOSTNAME`. */
export function trafficPolicyName(
  rulesNamespace: string,
  service: { readonly namespace: string; readonly hostname: string },
): string {
  return `${rulesNamespace}/${service.namespace}/${service.hostname}`
}

/** What rules of one namespace for one host say together, oldest first: of policies and of subsets with one name the first counts. */
export function trafficPolicyResource(name: string, rules: readonly DestinationRule[]): ResourceInput {
  const policy = rules.find((rule) => rule.policy !== undefined)?.policy
  const message = create(waypointpb.TrafficPolicySchema, {
    treatment: treatmentOf(policy ?? NOTHING),
    ports: portsOf(policy),
    subsets: subsetsOf(rules).map((subset) => {
      const blocks = merged(policy ?? NOTHING, subset.policy)
      // What the top says of a port a subset overrides with blocks of its own, port by port.
      const ports = [...portBlocks(policy)].map(([port, top]) => [port, merged(top, subset.policy)] as const)
      const all = new Map([...ports, ...portBlocks(subset.policy)])
      return {
        name: subset.name,
        treatment: treatmentOf(blocks),
        ports: [...all].map(([port, own]) => ({ port, treatment: treatmentOf(own) })),
      }
    }),
  })
  return { name, bytes: toBinary(waypointpb.TrafficPolicySchema, message) }
}

export function subsetsOf(rules: readonly DestinationRule[]): DestinationRule['subsets'] {
  const byName = new Map<string, DestinationRule['subsets'][number]>()
  for (const { subsets } of rules)
    for (const subset of subsets) if (!byName.has(subset.name)) byName.set(subset.name, subset)
  return [...byName.values()]
}

function merged(outer: PolicyBlocks, inner: PolicyBlocks | undefined): PolicyBlocks {
  return {
    loadBalancer: inner?.loadBalancer ?? outer.loadBalancer,
    connectionPool: inner?.connectionPool ?? outer.connectionPool,
    outlierDetection: inner?.outlierDetection ?? outer.outlierDetection,
    tls: inner?.tls ?? outer.tls,
  }
}

/** Settings of a port inherit nothing (Istio). */
function portBlocks(policy: TrafficPolicy | undefined): ReadonlyMap<number, PolicyBlocks> {
  return new Map((policy?.ports ?? []).map(({ port, ...blocks }) => [port, blocks]))
}

function portsOf(policy: TrafficPolicy | undefined): { port: number; treatment: Treatment }[] {
  return [...portBlocks(policy)].map(([port, blocks]) => ({ port, treatment: treatmentOf(blocks) }))
}

function treatmentOf({ loadBalancer, connectionPool, outlierDetection, tls }: PolicyBlocks): Treatment {
  return {
    ...(loadBalancer && { loadBalancing: loadBalancingOf(loadBalancer) }),
    ...(connectionPool && limitsOf(connectionPool)),
    ...(outlierDetection && {
      outlierDetection: {
        consecutive5xx: outlierDetection.consecutive5xx,
        consecutiveGatewayErrors: outlierDetection.consecutiveGatewayErrors,
        intervalMs: outlierDetection.intervalMs,
        baseEjectionMs: outlierDetection.baseEjectionMs,
        maxEjectionPercent: outlierDetection.maxEjectionPercent,
        minHealthPercent: outlierDetection.minHealthPercent,
      },
    }),
    refused: tls?.kind === 'refused' ? tls.reason : '',
    ...(tls?.kind === 'simple' && {
      tls: {
        serverName: tls.serverName,
        subjectAltNames: [...tls.subjectAltNames],
        insecureSkipVerify: tls.insecureSkipVerify,
      },
    }),
  }
}

function loadBalancingOf({
  algorithm,
  hash,
}: LoadBalancer): MessageInitShape<typeof waypointpb.LoadBalancingSchema> & object {
  const by = Algorithm[algorithm]
  switch (hash?.kind) {
    case undefined:
      return { algorithm: by }
    case 'header':
      return { algorithm: by, hashOf: { case: 'header', value: hash.name } }
    case 'query':
      return { algorithm: by, hashOf: { case: 'queryParameter', value: hash.name } }
    case 'source-ip':
      return { algorithm: by, hashOf: { case: 'sourceIp', value: true } }
    case 'cookie': {
      const { name, path, ttlSeconds } = hash
      const value = { name, path, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) }
      return { algorithm: by, hashOf: { case: 'cookie', value } }
    }
  }
}

function limitsOf(pool: ConnectionPool): Treatment {
  const { maxPendingRequests, maxRetries } = pool
  return {
    maxConnections: pool.maxConnections ?? 0,
    maxRequests: pool.maxRequests ?? 0,
    maxRequestsPerConnection: pool.maxRequestsPerConnection ?? 0,
    connectTimeoutMs: pool.connectTimeoutMs ?? 0,
    ...(maxPendingRequests === undefined ? {} : { maxPendingRequests }),
    ...(maxRetries === undefined ? {} : { maxRetries }),
  }
}

/** Which subsets a workload is in; nothing where it is in none. */
export function subsetMemberResources(uid: string, subsets: readonly string[]): readonly ResourceInput[] {
  if (subsets.length === 0) return []
  const message = create(waypointpb.SubsetMemberSchema, { subsets: [...subsets] })
  return [{ name: uid, bytes: toBinary(waypointpb.SubsetMemberSchema, message) }]
}
