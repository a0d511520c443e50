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
  /** Told of the proxies themselves, for who shows all the time what is missing; gaps are told as well. */
  readonly states?: ProxyStates | undefined
  readonly signal: AbortSignal
}

export interface ProxyStates {
  /** It answers, for the first time or again. */
  reached(pod: string): void
  /** It is no more: nothing is missing for it. */
  gone(pod: string): void
  /** Gaps that are none of one proxy: all that there are now. */
  general(gaps: readonly string[]): void
}

/** A flow as one proxy tells it, or what is missing. */
export type FlowUpdate =
  | { readonly flow: Flow }
  | {
      /** For a person: which proxy can't be asked, or how much was lost. */
      readonly gap: string
      /** Pod of the proxy, `namespace/name`: what it told of as open may have ended since. Absent: none in particular. */
      readonly pod?: string | undefined
      /** The pod is no more: nothing is missing for it from now on. */
      readonly isGone?: true | undefined
    }
