import type { KubeObject } from '../apiserver/contract.types.ts'
import type { LabelSelector } from './pod.types.ts'

export interface NetworkPolicyPort {
  readonly protocol?: string | undefined
  /** A number, or the name of a container's port; absent: every port of the protocol. */
  readonly port?: number | string | undefined
  readonly endPort?: number | undefined
}

export interface NetworkPolicyPeer {
  readonly podSelector?: LabelSelector | undefined
  readonly namespaceSelector?: LabelSelector | undefined
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] | undefined } | undefined
}

export interface NetworkPolicy extends KubeObject {
  readonly spec: {
    readonly podSelector?: LabelSelector | undefined
    readonly policyTypes?: readonly string[] | undefined
    readonly ingress?:
      | readonly { readonly ports?: readonly NetworkPolicyPort[]; readonly from?: readonly NetworkPolicyPeer[] }[]
      | undefined
    readonly egress?:
      | readonly { readonly ports?: readonly NetworkPolicyPort[]; readonly to?: readonly NetworkPolicyPeer[] }[]
      | undefined
  }
}
