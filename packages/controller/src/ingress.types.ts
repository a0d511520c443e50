import type { Meta, Named } from './domain.types.ts'
import type { StringMap } from './watch/json.ts'

/** What a Secret holds for listeners. Keys: never to be logged or shown. */
export interface Credential extends Named {
  /** False: it was looked for, and there is none. */
  readonly found: boolean
  readonly certificateChainPem: Uint8Array
  readonly privateKeyPem: Uint8Array
  /** Who signs certificates of clients. */
  readonly caPem: Uint8Array
  /** Why no server can use certificate and key; undefined: one can. */
  readonly certificateProblem: string | undefined
  /** Why certificates of clients can't be checked; undefined: they can. */
  readonly caProblem: string | undefined
}

/** A Gateway of Istio's own API. */
export interface IstioGateway extends Meta {
  /** Of pods; empty: every gateway's. */
  readonly selector: StringMap
  readonly servers: readonly IstioServer[]
}

export interface IstioServer {
  readonly name: string
  /** Of the Service, else of the pod. */
  readonly port: number
  /** Upper case. */
  readonly protocol: string
  readonly hosts: readonly ServerHost[]
  readonly tls: ServerTls | undefined
}

export interface ServerHost {
  /** Of the VirtualServices it is for: `*` is any. */
  readonly namespace: string
  readonly host: string
}

export interface ServerTls {
  readonly mode: string
  readonly httpsRedirect: boolean
  /** Names of Secrets in the namespace of the gateway's pods. */
  readonly credentialNames: readonly string[]
  /** Of the Secret with who signs clients' certificates, where named. */
  readonly caCredentialName: string
  readonly subjectAltNames: readonly string[]
  readonly minVersion: string
  readonly maxVersion: string
}
