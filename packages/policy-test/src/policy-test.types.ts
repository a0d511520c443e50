import type { FilePlace, Position } from '@ambit/analyze'

/** What documents of tests say they are. */
export const TEST_API_VERSION = 'ambit.dev/v1'
export const TEST_KIND = 'PolicyTest'

/** A document of a test file, decoded; names are not looked up yet. */
export interface PolicyTest {
  readonly name: string
  readonly place: FilePlace
  readonly namespaces: readonly DeclaredNamespace[]
  readonly workloads: readonly DeclaredWorkload[]
  readonly services: readonly DeclaredService[]
  readonly cases: readonly CaseSpec[]
}

/** `namespace/name`. */
export interface FullName {
  readonly namespace: string
  readonly name: string
}

export type Labels = Readonly<Record<string, string>>

/** What the manifests do not have; it exists for this test only. */
export interface DeclaredNamespace {
  readonly name: string
  readonly labels: Labels
  readonly at: Position
}

export interface DeclaredWorkload extends FullName {
  readonly serviceAccount: string
  readonly labels: Labels
  readonly ip: string | undefined
  readonly ports: readonly number[]
  /** Whether its traffic is captured. */
  readonly inMesh: boolean
  readonly at: Position
}

export interface DeclaredService extends FullName {
  readonly ports: readonly DeclaredPort[]
  readonly selector: Labels
  readonly labels: Labels
  readonly at: Position
}

export interface DeclaredPort {
  readonly name: string | undefined
  readonly port: number
  readonly targetPort: number
  readonly appProtocol: string | undefined
}

export type ClientSpec =
  /** An account or a workload of this name, whichever there is. */
  | ({ readonly kind: 'name' } & FullName)
  | ({ readonly kind: 'account' } & FullName)
  | ({ readonly kind: 'pod' } & FullName)
  | { readonly kind: 'identity'; readonly identity: string }
  | { readonly kind: 'outside'; readonly ip: string | undefined }

/** A number, or the name of a service's port. */
export type PortSpec = number | string

export type TargetSpec =
  /** A service or a workload of this name, whichever there is. */
  | ({ readonly kind: 'name'; readonly port: PortSpec | undefined } & FullName)
  | ({ readonly kind: 'service'; readonly port: PortSpec | undefined } & FullName)
  | ({ readonly kind: 'pod'; readonly port: PortSpec | undefined } & FullName)
  | { readonly kind: 'host'; readonly host: string; readonly port: number | undefined }

export interface RequestSpec {
  readonly methods: readonly string[]
  readonly paths: readonly string[]
  readonly host: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly claims: Readonly<Record<string, unknown>> | undefined
}

export const OUTCOMES = ['allow', 'deny', 'unreachable'] as const
export type ExpectedOutcome = (typeof OUTCOMES)[number]

export const PLACES = ['waypoint', 'ztunnel', 'gateway'] as const
export type ExpectedPlace = (typeof PLACES)[number]

export interface PolicyRef extends FullName {
  readonly rule: number | undefined
  readonly at: Position
}

export interface Expectation {
  readonly outcome: ExpectedOutcome
  readonly by: PolicyRef | undefined
  readonly place: ExpectedPlace | undefined
  /** Some of the words of the reason. */
  readonly reason: string | undefined
}

/** Something written in a test, as it is written there, and where. */
export interface Written<T> {
  readonly value: T
  readonly text: string
  readonly at: Position
}

/** One entry of `cases`: each of the rows with each request, and so on. */
export interface CaseSpec {
  readonly name: string | undefined
  readonly at: Position
  readonly rows: readonly Row[]
  /** Absent: a connection of which only the bytes are known. */
  readonly requests: readonly Written<RequestSpec>[] | undefined
  readonly sni: string | undefined
  readonly sourceIps: readonly string[] | undefined
}

/** Who to whom, and what is to come out; a row may ask a request of its own. */
export interface Row {
  readonly from: Written<ClientSpec>
  readonly to: Written<TargetSpec>
  readonly request?: Written<RequestSpec> | undefined
  readonly expected: Expectation
}
