import type { Ip, SpiffeId } from '@ambit/core'

/** Where a trust root comes from: a file that is read again, or the PEM itself. */
export type RootSource = { readonly file: string } | { readonly pem: string }

export type TokenSource = 'none' | { readonly file: string } | { readonly token: string }

/** Everything the process was told, validated; nothing else reads the environment. */
export interface Config {
  /** A gateway listens where its settings say, for clients outside the mesh; a waypoint takes HBONE. */
  readonly role: 'waypoint' | 'gateway'
  readonly podName: string
  readonly namespace: string
  /** The Gateway this process belongs to, else its Deployment. */
  readonly gateway: string
  readonly identity: SpiffeId
  readonly instanceIp: Ip
  readonly nodeName: string
  readonly network: string
  readonly clusterId: string
  /** Of xDS and CA, `https://host:port`. */
  readonly controlPlane: string
  readonly root: RootSource
  readonly token: TokenSource
  readonly secretTtlSeconds: number
  readonly ipv6Enabled: boolean
  readonly ports: {
    readonly hbone: number
    readonly admin: number
    readonly stats: number
    readonly readiness: number
  }
  readonly minDrainMs: number
  readonly drainDeadlineMs: number
  readonly log: { readonly format: 'plain' | 'json'; readonly level: string | undefined }
  /** `key → value` of the node message. */
  readonly nodeMetadata: Readonly<Record<string, unknown>>
  readonly version: string
}
