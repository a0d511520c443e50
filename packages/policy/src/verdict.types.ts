import type { SocketAddress, SpiffeId } from '@ambit/core'
import type { Workload } from '@ambit/state'

/** What is known about a connection when it is judged, and again when policies change. */
export interface ConnectionFacts {
  /** The real TCP peer. */
  readonly source: SocketAddress
  /** From the peer's certificate; absent for plaintext. */
  readonly sourceIdentity?: SpiffeId | undefined
  /** The chosen local address with the port the application is reached on, never the tunnel's port. */
  readonly destination: SocketAddress
  /** The workload connected to, as it was when the connection opened. */
  readonly workload: Workload
}

/** A dry-run policy that would have taken part. */
export interface DryRunMatch {
  readonly action: 'Allow' | 'Deny'
  readonly policy: string
  readonly rule: number
}

interface Evidence {
  /** Dry-run policies that matched; they never change the outcome. */
  readonly dryRun: readonly DryRunMatch[]
  /** Policies the workload lists that have not been received: they were skipped, as Istio does. */
  readonly missing: readonly string[]
}

export interface Permit extends Evidence {
  readonly allowed: true
  readonly reason: 'no-allow-policies' | 'allow-policy'
  readonly policy?: string
  readonly rule?: number
}

export interface Denial extends Evidence {
  readonly allowed: false
  /** As Istio words it in access logs. */
  readonly reason: string
  /** The DENY policy that matched; absent when no ALLOW policy did. */
  readonly policy?: string
  readonly rule?: number
  /** The ALLOW policies of which none matched; absent when a DENY policy did. */
  readonly unmatched?: readonly string[]
}

export type Verdict = Permit | Denial
