import type { Question } from './question.types.ts'

/** Format of `ambit explain -o json`; docs/explain.md describes it. */
export const EXPLANATION_FORMAT = 'ambit.explanation/v1'

/** What happens, without the reasons: for those who ask by the thousand. */
export interface Answer {
  readonly outcome: Outcome
  /** The point that decided; absent where nothing stood in the way. */
  readonly point?: PointName | undefined
  /** In the proxies' own words. */
  readonly reason: string
  /** `namespace/name` and the index of the rule that decided. */
  readonly policy?: string | undefined
  readonly rule?: number | undefined
  /** ALLOW policies of which none matched. */
  readonly unmatched?: readonly string[] | undefined
  /** Of what is allowed: each policy that let it pass, in the order of the points. */
  readonly allowedBy?: readonly PolicyPermit[] | undefined
  /** Endpoints that might be chosen as well and answer otherwise; absent: all answer alike. */
  readonly mixed?: readonly OtherEndpoint[] | undefined
}

export interface PolicyPermit {
  readonly point: PointName
  /** `namespace/name`. */
  readonly policy: string
  readonly rule?: number | undefined
}

export interface OtherEndpoint {
  /** `namespace/name`. */
  readonly endpoint: string
  readonly outcome: Outcome
  readonly reason: string
  readonly policy?: string | undefined
}

/** `unreachable`: no policy refused it, and yet it does not arrive. */
export type Outcome = 'allowed' | 'denied' | 'unreachable'

/** Where something is enforced, in the order a request meets it. */
export type PointName = 'source-ztunnel' | 'gateway' | 'waypoint' | 'destination-ztunnel'

export interface Explanation extends Answer {
  readonly format: typeof EXPLANATION_FORMAT
  readonly question: Question
  /** From the client to the endpoint. */
  readonly path: readonly Hop[]
  readonly points: readonly EnforcementPoint[]
  /** For a denial that no rule decided: the rule that came closest. */
  readonly nearest?: NearestMiss | undefined
  /** Policies that look as if they applied and are not enforced. */
  readonly notEnforced: readonly NotEnforced[]
  /** What could not be read, and what the answer leaves out for it. */
  readonly gaps: readonly string[]
}

export interface Hop {
  readonly kind: 'client' | 'ztunnel' | 'waypoint' | 'gateway' | 'endpoint' | 'outside'
  /** `namespace/name`, or an address. */
  readonly name: string
  readonly node?: string | undefined
  readonly identity?: string | undefined
  /** How it is reached from the hop before; absent for the first. */
  readonly by?: { readonly transport: 'hbone' | 'plain' | 'local'; readonly address?: string | undefined } | undefined
  /** Why this hop: the label that names a waypoint, why it is plain text. */
  readonly because: string
}

export interface EnforcementPoint {
  readonly name: PointName
  /** `namespace/name` of the pod or waypoint. */
  readonly at: string
  /** `unreachable`: something else than a policy ended it here. */
  readonly verdict: 'allowed' | 'denied' | 'unreachable' | 'not-reached'
  readonly reason: string
  /** In the order they are asked. */
  readonly policies: readonly PolicyTrace[]
}

export interface PolicyTrace {
  /** `namespace/name`. */
  readonly policy: string
  readonly kind: 'AuthorizationPolicy' | 'PeerAuthentication' | 'RequestAuthentication'
  readonly action: string
  readonly dryRun: boolean
  readonly matched: boolean
  readonly rules: readonly RuleTrace[]
}

export interface RuleTrace {
  readonly rule: number
  readonly matched: boolean
  /** Why it was not asked at all. */
  readonly excluded?: string | undefined
  readonly clauses: readonly ClauseTrace[]
}

export interface ClauseTrace {
  /** As it stands in the policy: `from[0].source.principals`. */
  readonly field: string
  readonly holds: boolean
  /** It asks about HTTP where there is none, and so restricts nothing. */
  readonly ignored?: true | undefined
  /** What the policy asks for. */
  readonly wanted: readonly string[]
  readonly notWanted: readonly string[]
  /** What was there; absent: nothing. */
  readonly actual?: string | undefined
}

export interface NearestMiss {
  readonly policy: string
  readonly rule: number
  /** The clauses that would have to hold. */
  readonly failed: readonly ClauseTrace[]
}

export interface NotEnforced {
  readonly policy: string
  readonly kind: PolicyTrace['kind']
  /** Stable; docs/explain.md lists them. */
  readonly code:
    | 'l7-without-waypoint'
    | 'wrong-target'
    | 'other-namespace'
    | 'waypoint-not-ready'
    | 'waypoint-bypassed'
    | 'not-captured'
    | 'dry-run'
    | 'not-accepted'
  readonly because: string
}
