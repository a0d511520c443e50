import type { Flow } from '@ambit/flow'

export interface FollowFlowsOptions {
  /** Go on with what happens; else what is open and what was refused lately, once. */
  readonly watch: boolean
  /** Only flows that a client or a server of these namespaces takes part in; absent: all. */
  readonly namespaces?: readonly string[] | undefined
  /** Denials and failures of so long ago, as `10m`, or since a time; absent: all that proxies remember. */
  readonly since?: string | undefined
  /** Of the control plane. */
  readonly istioNamespace?: string | undefined
  readonly signal: AbortSignal
}

/** A flow as one proxy tells it, or what is missing. */
export type FlowUpdate =
  | { readonly flow: Flow }
  | {
      /** For a person: which proxy can't be asked, or how much was lost. */
      readonly gap: string
      /** Pod of the proxy, `namespace/name`: what it told of as open may have ended since. Absent: none in particular. */
      readonly pod?: string | undefined
    }
