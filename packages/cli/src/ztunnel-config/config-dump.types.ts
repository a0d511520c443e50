import type { JsonObject } from '../json.ts'

/** What the tables need of a ztunnel's `/config_dump`; absent members are empty. */
export interface ConfigDump {
  readonly workloads: readonly DumpedWorkload[]
  readonly services: readonly DumpedService[]
  readonly policies: readonly DumpedPolicy[]
  readonly certificates: readonly DumpedIdentity[]
  readonly pods: readonly DumpedPod[]
}

interface Dumped {
  /** The entry as it was dumped, with what the tables do not show. */
  readonly raw: JsonObject
}

export interface DumpedWorkload extends Dumped {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly addresses: readonly string[]
  readonly node: string
  /** `NS/hostname` or `network/ip`, empty when none. */
  readonly waypoint: string
  readonly protocol: string
  readonly status: string
  readonly serviceAccount: string
}

export interface DumpedService extends Dumped {
  readonly name: string
  readonly namespace: string
  readonly hostname: string
  readonly vips: readonly string[]
  readonly cidrVips: readonly string[]
  readonly waypoint: string
  readonly endpointUids: readonly string[]
}

export interface DumpedPolicy extends Dumped {
  readonly name: string
  readonly namespace: string
  readonly action: string
  readonly scope: string
}

export interface DumpedIdentity extends Dumped {
  readonly identity: string
  readonly state: string
  readonly chain: readonly DumpedCertificate[]
  readonly roots: readonly DumpedCertificate[]
}

export interface DumpedCertificate {
  readonly serialNumber: string
  readonly notBefore: string
  readonly notAfter: string
}

export interface DumpedPod extends Dumped {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly inbound: readonly DumpedConnection[]
  readonly outbound: readonly DumpedConnection[]
}

export interface DumpedConnection {
  readonly src: string
  readonly originalDst: string
  readonly actualDst: string
  readonly protocol: string
  readonly sourceIdentity: string
  readonly destinationIdentity: string
  readonly tlsVersion: string
  readonly keyExchange: string
}
