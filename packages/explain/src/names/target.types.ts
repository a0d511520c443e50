import type { SocketAddress } from '@ambit/core'

/** What the client dials. */
export interface Target {
  /** As people call it: `service shop/web`, `pod shop/web-1`, `example.com`. */
  readonly name: string
  /** The name in the URL: what stands in Host unless the question says otherwise. */
  readonly host: string
  /** Undefined: a name that nobody in the mesh has, with an address that is not known here. */
  readonly address: SocketAddress | undefined
  readonly port: number
  /** Of the object, if it is one of the cluster. */
  readonly object?: {
    readonly kind: 'Service' | 'ServiceEntry' | 'Pod'
    readonly namespace: string
    readonly name: string
  }
  readonly gaps: readonly string[]
}
