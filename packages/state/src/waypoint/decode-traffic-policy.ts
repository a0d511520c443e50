import { waypointpb as pb } from '@ambit/api'
import { fromBinary } from '@bufbuild/protobuf'
import { enumWord } from '../decode-enum.ts'
import { MAX_TIMEOUT_MS } from '../limits.ts'
import { type Decoded, decoding, reject } from '../rejection.ts'
import type {
  HashOf,
  OutlierDetection,
  TrafficPolicy,
  Treatment,
  Treatments,
  UpstreamTls,
} from './traffic-policy.types.ts'
import { unknownFieldIn } from './unknown-field.ts'

const ALGORITHMS = { 0: 'least-request', 1: 'round-robin', 2: 'random', 3: 'passthrough' } as const

/** Reads an `ambit.waypoint.TrafficPolicy` resource, whole or not at all. */
export function decodeTrafficPolicy(bytes: Uint8Array): Decoded<TrafficPolicy> {
  return decoding(() => {
    const message = fromBinary(pb.TrafficPolicySchema, bytes)
    const unknown = unknownFieldIn(message, 'traffic_policy')
    if (unknown !== undefined) reject('unknown-field', unknown)
    return {
      ...treatmentsOf(message, ''),
      subsets: new Map(
        message.subsets.map((subset, i) => {
          if (subset.name === '') reject('empty', `subsets[${i}].name: required`)
          return [subset.name, treatmentsOf(subset, `subsets[${i}].`)]
        }),
      ),
    }
  })
}

/** Reads an `ambit.waypoint.SubsetMember` resource: names of subsets, `traffic-policy/subset`. */
export function decodeSubsetMember(bytes: Uint8Array): Decoded<readonly string[]> {
  return decoding(() => {
    const message = fromBinary(pb.SubsetMemberSchema, bytes)
    const unknown = unknownFieldIn(message, 'subset_member')
    if (unknown !== undefined) reject('unknown-field', unknown)
    return message.subsets
  })
}

function treatmentsOf(
  { treatment, ports }: { readonly treatment?: pb.Treatment | undefined; readonly ports: readonly pb.PortTreatment[] },
  path: string,
): Treatments {
  return {
    treatment: treatmentOf(treatment, `${path}treatment`),
    ports: new Map(
      ports.map(({ port, treatment: own }, i) => [port, treatmentOf(own, `${path}ports[${i}].treatment`)]),
    ),
  }
}

function treatmentOf(message: pb.Treatment | undefined, path: string): Treatment {
  const { loadBalancing, outlierDetection: outliers } = message ?? {}
  const connectTimeoutMs = Math.min(message?.connectTimeoutMs ?? 0, MAX_TIMEOUT_MS)
  return {
    algorithm: enumWord(`${path}.load_balancing.algorithm`, loadBalancing?.algorithm ?? 0, ALGORITHMS),
    hashOf: hashOf(loadBalancing?.hashOf),
    maxConnections: message?.maxConnections || undefined,
    maxPendingRequests: message?.maxPendingRequests,
    maxRequests: message?.maxRequests || undefined,
    maxRetries: message?.maxRetries,
    maxRequestsPerConnection: message?.maxRequestsPerConnection || undefined,
    connectTimeoutMs: connectTimeoutMs || undefined,
    outlierDetection: outliers && outlierDetectionOf(outliers),
    refused: message?.refused || undefined,
    tls: message?.tls && upstreamTlsOf(message.tls),
  }
}

function upstreamTlsOf({ serverName, subjectAltNames, insecureSkipVerify }: pb.UpstreamTls): UpstreamTls {
  return { serverName, subjectAltNames, insecureSkipVerify }
}

function outlierDetectionOf(message: pb.OutlierDetection): OutlierDetection {
  return {
    consecutive5xx: message.consecutive5xx,
    consecutiveGatewayErrors: message.consecutiveGatewayErrors,
    intervalMs: Math.min(message.intervalMs, MAX_TIMEOUT_MS),
    baseEjectionMs: Math.min(message.baseEjectionMs, MAX_TIMEOUT_MS),
    maxEjectionPercent: Math.min(message.maxEjectionPercent, 100),
    minHealthPercent: Math.min(message.minHealthPercent, 100),
  }
}

function hashOf(hash: pb.LoadBalancing['hashOf'] | undefined): HashOf | undefined {
  switch (hash?.case) {
    case 'header':
      return { kind: 'header', name: hash.value.toLowerCase() }
    case 'queryParameter':
      return { kind: 'query-parameter', name: hash.value }
    case 'sourceIp':
      return { kind: 'source-ip' }
    case 'cookie': {
      const { name, path, ttlSeconds } = hash.value
      if (!COOKIE_TEXT.test(name) || !/^[ -:<-~]*$/.test(path)) reject('bad-header', 'cookie: no name or path of one')
      return { kind: 'cookie', name, path, ttlSeconds }
    }
    case undefined:
      return undefined
  }
}

/** RFC 6265 §4.1.1: a token. */
const COOKIE_TEXT = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
