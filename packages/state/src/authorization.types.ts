import type { Cidr, Ip } from '@ambit/core'

/** A text pattern. `any` exists only in stand-ins for policies that could not be decoded: it hits whatever is asked. */
export type StringMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly value: string }
  | { readonly kind: 'presence' }
  | { readonly kind: 'any' }

export interface ServiceAccountMatch {
  readonly namespace: string
  readonly serviceAccount: string
}

/** A network, ready to be asked on the path of a connection. */
export interface CidrMatch {
  readonly cidr: Cidr
  contains(ip: Ip): boolean
}

/** Twelve lists, six dimensions of a positive and a negative list each. */
export interface Match {
  readonly namespaces: readonly StringMatch[]
  readonly notNamespaces: readonly StringMatch[]
  readonly principals: readonly StringMatch[]
  readonly notPrincipals: readonly StringMatch[]
  readonly serviceAccounts: readonly ServiceAccountMatch[]
  readonly notServiceAccounts: readonly ServiceAccountMatch[]
  readonly sourceIps: readonly CidrMatch[]
  readonly notSourceIps: readonly CidrMatch[]
  readonly destinationIps: readonly CidrMatch[]
  readonly notDestinationIps: readonly CidrMatch[]
  readonly destinationPorts: readonly number[]
  readonly notDestinationPorts: readonly number[]
}

/** Matches are alternatives. */
export interface Clause {
  readonly matches: readonly Match[]
}

/** Clauses must all hold. */
export interface Rule {
  readonly clauses: readonly Clause[]
}

export type PolicyScope = 'Global' | 'Namespace' | 'WorkloadSelector'

/** An L4 authorization policy; rules are alternatives. */
export interface Authorization {
  readonly name: string
  readonly namespace: string
  readonly scope: PolicyScope
  readonly action: 'Allow' | 'Deny'
  readonly dryRun: boolean
  readonly rules: readonly Rule[]
}

/** `namespace/name`, as denials and logs name a policy. */
export function policyKey(policy: Pick<Authorization, 'namespace' | 'name'>): string {
  return `${policy.namespace}/${policy.name}`
}
