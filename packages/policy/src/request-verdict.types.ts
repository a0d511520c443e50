import type { Ip, SpiffeId } from '@ambit/core'
import type { CompiledPolicy } from './compiled-policy.types.ts'

/** What is known about a request when it is judged. Header names in lower case, several values of one name as sent. */
export interface RequestFacts {
  /** From the certificate of the tunnel's client; absent only where plaintext is accepted. */
  readonly sourceIdentity?: SpiffeId | undefined
  /** Of the pod the tunnel came from. */
  readonly sourceIp: Ip
  /** Of the client as trusted hops report it; the pod's own when there are none. */
  readonly remoteIp: Ip
  /** The same as a hop says it that nobody vouches for. It can only take a permission away. */
  readonly claimedIp?: Ip | undefined
  /** As the client addressed it: the service's address and port. */
  readonly destinationIp: Ip
  readonly destinationPort: number
  /** Absent for TCP: then what concerns HTTP is dropped from ALLOW rules with the rule and ignored in others. */
  readonly http?: HttpFacts | undefined
  readonly sni?: string | undefined
}

export interface HttpFacts {
  readonly method: string
  /** Normalised, without query. */
  readonly path: string
  /** Host or `:authority` as sent, with its port. */
  readonly authority: string
  header(name: string): string | undefined
  /** Of a token that was checked; absent without one. */
  readonly token?: TokenFacts | undefined
}

export interface TokenFacts {
  /** `issuer/subject`. */
  readonly principal: string
  readonly audiences: readonly string[]
  readonly presenter: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
}

export interface RequestMatch {
  readonly action: 'Allow' | 'Deny' | 'Audit' | 'Custom'
  readonly policy: string
  readonly rule: number
}

interface RequestEvidence {
  /** Dry-run policies that matched; they never change the outcome. */
  readonly dryRun: readonly RequestMatch[]
  /** AUDIT policies that matched. */
  readonly audited: readonly RequestMatch[]
}

export interface RequestPermit extends RequestEvidence {
  readonly allowed: true
  readonly reason: 'no-allow-policies' | 'allow-policy'
  readonly policy?: string
  readonly rule?: number
}

export interface RequestDenial extends RequestEvidence {
  readonly allowed: false
  /**
   * `missing-policy`: a policy in force has not been received. `unavailable`: it asks for a check that this proxy can
   * not make (CUSTOM). `not-allowed`: ALLOW policies exist and none matches.
   */
  readonly reason: 'deny-policy' | 'not-allowed' | 'missing-policy' | 'unavailable'
  /** As Envoy words it in access logs: `rbac_access_denied_matched_policy[…]`. */
  readonly details: string
  readonly policy?: string
  readonly rule?: number
  /** The ALLOW policies of which none matched. */
  readonly unmatched?: readonly string[]
}

export type RequestVerdict = RequestPermit | RequestDenial

/**
 * Where `authorizeRequest` takes the policies of a destination from, compiled once per change and sorted by action.
 * A name that is listed and not known denies.
 */
export interface RequestPolicyLookup {
  policiesFor(names: readonly string[]): RequestPolicies
}

export interface RequestPolicies {
  /** Names that are listed and not known. */
  readonly missing: readonly string[]
  readonly custom: readonly CompiledPolicy[]
  readonly audit: readonly CompiledPolicy[]
  readonly deny: readonly CompiledPolicy[]
  readonly allow: readonly CompiledPolicy[]
  /** Of any action; they are in none of the lists above. */
  readonly dryRun: readonly CompiledPolicy[]
}
