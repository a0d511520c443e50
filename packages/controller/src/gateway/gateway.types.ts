import type { Named } from '../domain.types.ts'
import type { Json, StringMap } from '../watch/json.ts'

export interface RequestedListener {
  readonly name: string
  readonly port: number
  readonly protocol: string
}

export interface GatewayAddress {
  /** Undefined is IPAddress. */
  readonly type: string | undefined
  readonly value: string
}

/** What a Gateway asks to be deployed. */
export interface GatewayRequest extends Named {
  readonly uid: string
  readonly className: string
  readonly labels: StringMap
  readonly annotations: StringMap
  readonly generation: number
  /** On its way out: nothing is made for it any more. */
  readonly deleting: boolean
  readonly listeners: readonly RequestedListener[]
  readonly addresses: readonly GatewayAddress[]
  readonly infrastructure: {
    /** Undefined: the Gateway's own. */
    readonly labels: StringMap | undefined
    readonly annotations: StringMap | undefined
  }
  readonly parametersRef: { readonly group: string; readonly kind: string; readonly name: string } | undefined
}

/** What the installation says about every waypoint and gateway. */
export interface InstallSettings {
  readonly image: string
  readonly imagePullPolicy: string | undefined
  readonly imagePullSecrets: readonly string[]
  readonly revision: string
  readonly clusterId: string
  readonly domain: string
  readonly network: string
  readonly meshId: string
  readonly trustDomain: string
  /** `host:port` of the control plane. */
  readonly caAddress: string
  readonly proxyConfig: Json
  readonly proxyMetadata: StringMap
  readonly logLevel: string
  readonly componentLogLevel: string
  readonly logging: string
  readonly logAsJson: boolean
  /** Of a waypoint's container. */
  readonly resources: Json
  /** Of an ingress gateway's container. */
  readonly gatewayResources: Json
  /** `affinity`, `nodeSelector`, `tolerations`, `topologySpreadConstraints` of a waypoint's pod, where set. */
  readonly placement: Json
}

/** A rendered object, complete but for what overlays change. */
export interface RenderedObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Json & { readonly namespace: string; readonly name: string; readonly labels: StringMap }
  readonly [field: string]: unknown
}
