import type { Ip, SocketAddress, SpiffeId } from '@ambit/core'

export interface WorkloadInfo {
  readonly name: string
  readonly namespace: string
  readonly serviceAccount: string
}

/** Where a trust root comes from: the system's store, a file that is read again, or the PEM itself. */
export type RootSource = 'SYSTEM' | { readonly file: string } | { readonly pem: string }

export type TokenSource = 'none' | { readonly file: string } | { readonly token: string }

/** One gRPC endpoint of the control plane. */
export interface ControlPlane {
  readonly address: string
  readonly root: RootSource
  readonly token: TokenSource
  readonly headers: Readonly<Record<string, string>>
  readonly altHostname: string | undefined
}

export type ProxyMode =
  | { readonly kind: 'shared' }
  /** One proxy in ztunnel's own network namespace. */
  | { readonly kind: 'dedicated'; readonly workload: WorkloadInfo }

/** Ports of one pod's proxy; another set than Istio's lets tests run several on one loopback. */
export interface ProxyPorts {
  readonly outbound: number
  readonly inboundPlaintext: number
  readonly hbone: number
  readonly dns: number
}

/** Everything the process was told, validated; nothing else reads the environment. */
export interface Config {
  readonly proxyEnabled: boolean
  readonly mode: ProxyMode
  readonly nodeName: string
  readonly podName: string
  readonly podNamespace: string
  readonly serviceAccount: string
  readonly instanceIp: string
  readonly trustDomain: string
  readonly network: string
  readonly clusterId: string
  readonly clusterDomain: string
  /** Undefined: no control plane, only the local file. */
  readonly xds: ControlPlane | undefined
  readonly xdsOnDemand: boolean
  readonly ca: ControlPlane | undefined
  readonly localXds: { readonly file: string } | { readonly text: string } | undefined
  readonly secretTtlSeconds: number
  readonly ipv6Enabled: boolean
  readonly zdsSocket: string
  readonly portReuse: boolean
  readonly packetMark: number | undefined
  /** Undefined: keep the client's address where the system allows it. */
  readonly originalSource: boolean | undefined
  readonly pool: { readonly maxStreamsPerConnection: number; readonly unusedReleaseMs: number }
  readonly http2: { readonly streamWindow: number; readonly connectionWindow: number; readonly frameSize: number }
  readonly drainDeadlineMs: number
  readonly localhostAppTunnel: boolean
  readonly responseBaggage: boolean
  readonly preferredServiceNamespace: string | undefined
  readonly tls12Enabled: boolean
  readonly pqcOnly: boolean
  readonly authorizationInfoLogging: boolean
  /** What carries the bytes; `auto`: the reactor where this Node can do it. */
  readonly dataPath: 'auto' | 'reactor' | 'node'
  /** Of the reactor. */
  readonly workerThreads: number
  readonly log: { readonly format: 'plain' | 'json'; readonly level: string | undefined }
  readonly dns: { readonly enabled: boolean; readonly address: SocketAddress | undefined }
  readonly adminPort: number
  readonly statsPort: number
  readonly readinessPort: number
  readonly ports: ProxyPorts
  /** Address 15001, 15006 and 15008 listen on. */
  readonly listenIp: Ip
  /** `key → value` of the node message, strings and structured values. */
  readonly nodeMetadata: Readonly<Record<string, unknown>>
  readonly version: string
  /** Identity of ztunnel's own HBONE port, when everything it consists of is known. */
  readonly ownIdentity: SpiffeId | undefined
  /** Settings of upstream that this program does not have, found set. */
  readonly ignored: readonly string[]
}
