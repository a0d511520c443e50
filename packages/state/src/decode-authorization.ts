import { authorizationpb as pb } from '@ambit/api'
import { ip, ipFamily, ipFromBytes, MAX_PORT } from '@ambit/core'
import { fromBinary } from '@bufbuild/protobuf'
import type {
  Authorization,
  CidrMatch,
  Clause,
  Match,
  PolicyScope,
  Rule,
  ServiceAccountMatch,
  StringMatch,
} from './authorization.types.ts'
import { compileCidr } from './cidr-match.ts'
import { enumWord } from './decode-enum.ts'
import { EMPTY_MATCH } from './empty-match.ts'
import { decoding, type Rejection, RejectionSignal, reject } from './rejection.ts'

const SCOPES: Readonly<Record<number, PolicyScope>> = { 0: 'Global', 1: 'Namespace', 2: 'WorkloadSelector' }
const ACTIONS: Readonly<Record<number, Authorization['action']>> = { 0: 'Allow', 1: 'Deny' }

/**
 * A policy, or why it was refused. `standIn` is the strictest reading of a policy parts of which were not understood: what
 * an ALLOW lists and cannot be read permits nobody, what a DENY lists and cannot be read denies everybody the rest of
 * its rule describes, and an action that is not known denies what it matches. It is for a proxy that has no earlier good
 * version to keep, for example after a restart. There is none when it is not known whom the policy is about: in every
 * scope it would deny workloads its author never meant.
 */
export type DecodedAuthorization =
  | { readonly ok: true; readonly value: Authorization }
  | { readonly ok: false; readonly rejection: Rejection; readonly standIn: Authorization | undefined }

/**
 * Reads an `istio.security.Authorization` resource. Unlike upstream, which drops parts it cannot read and so may leave a
 * list empty that means "anyone", one unreadable part rejects the policy.
 */
export function decodeAuthorization(bytes: Uint8Array): DecodedAuthorization {
  const parsed = decoding(() => fromBinary(pb.AuthorizationSchema, bytes))
  if (!parsed.ok) return { ...parsed, standIn: undefined }
  const scope = decoding(() => enumWord('scope', parsed.value.scope, SCOPES))
  if (!scope.ok) return { ...scope, standIn: undefined }
  const problems: Rejection[] = []
  const known = decoding(() => enumWord('action', parsed.value.action, ACTIONS))
  if (!known.ok) problems.push(known.rejection)
  const action = known.ok ? known.value : 'Deny'
  const reader = new MatchReader(action, problems)
  const { name, namespace, dryRun, rules: messages } = parsed.value
  const rules = messages.map((rule, index) => reader.rule(rule, `rules[${index}]`))
  const value: Authorization = { name, namespace, scope: scope.value, action, dryRun, rules }
  const [first] = problems
  return first === undefined ? { ok: true, value } : { ok: false, rejection: first, standIn: value }
}

const ANY: StringMatch = { kind: 'any' }

class MatchReader {
  /** What cannot be read hits nobody (ALLOW) rather than everybody (DENY). */
  readonly #strict: boolean
  readonly #problems: Rejection[]

  constructor(action: Authorization['action'], problems: Rejection[]) {
    this.#strict = action === 'Allow'
    this.#problems = problems
  }

  rule(message: pb.Rule, path: string): Rule {
    if (this.#unknown(message, path)) return this.#strict ? NEVER_RULE : { clauses: [] }
    return { clauses: message.clauses.map((clause, index) => this.#clause(clause, `${path}.clauses[${index}]`)) }
  }

  #clause(message: pb.Clause, path: string): Clause {
    if (this.#unknown(message, path)) return this.#strict ? NEVER_CLAUSE : { matches: [] }
    return { matches: message.matches.map((match, index) => this.#match(match, `${path}.matches[${index}]`)) }
  }

  #match(message: pb.Match, path: string): Match {
    const before = this.#problems.length
    this.#unknown(message, path)
    const match: Match = {
      namespaces: this.#strings(message.namespaces, `${path}.namespaces`, true),
      notNamespaces: this.#strings(message.notNamespaces, `${path}.not_namespaces`, false),
      principals: this.#strings(message.principals, `${path}.principals`, true),
      notPrincipals: this.#strings(message.notPrincipals, `${path}.not_principals`, false),
      serviceAccounts: message.serviceAccounts.map(serviceAccountOf),
      notServiceAccounts: message.notServiceAccounts.map(serviceAccountOf),
      sourceIps: this.#networks(message.sourceIps, `${path}.source_ips`, true),
      notSourceIps: this.#networks(message.notSourceIps, `${path}.not_source_ips`, false),
      destinationIps: this.#networks(message.destinationIps, `${path}.destination_ips`, true),
      notDestinationIps: this.#networks(message.notDestinationIps, `${path}.not_destination_ips`, false),
      destinationPorts: this.#ports(message.destinationPorts, `${path}.destination_ports`, true),
      notDestinationPorts: this.#ports(message.notDestinationPorts, `${path}.not_destination_ports`, false),
    }
    if (this.#problems.length === before) return match
    if (this.#strict) return EMPTY_MATCH
    // Nothing readable left: a match without lists would never hold, this one must always.
    return Object.values(match).every((list) => list.length === 0) ? ALWAYS : match
  }

  #strings(list: readonly pb.StringMatch[], path: string, positive: boolean): readonly StringMatch[] {
    return this.#each(list, path, positive, stringMatchOf, () => ANY)
  }

  #networks(list: readonly pb.Address[], path: string, positive: boolean): readonly CidrMatch[] {
    return this.#each(list, path, positive, networkOf, () => ANYWHERE)
  }

  /** An unreadable positive port leaves the dimension open: no port stands for all of them. */
  #ports(list: readonly number[], path: string, positive: boolean): readonly number[] {
    const before = this.#problems.length
    const ports = this.#each<number, number | undefined>(list, path, positive, portOf, () => undefined)
    return this.#problems.length > before && positive ? [] : ports.filter((port) => port !== undefined)
  }

  /** Reads a list; an unreadable entry is noted, replaced in a positive list, left out of a negative one. */
  #each<M, T>(list: readonly M[], path: string, positive: boolean, read: (m: M, path: string) => T, all: () => T): T[] {
    const one = (message: M, index: number): T[] => {
      try {
        return [read(message, `${path}[${index}]`)]
      } catch (error) {
        if (!(error instanceof RejectionSignal)) throw error
        this.#problems.push(error.rejection)
        return positive ? [all()] : []
      }
    }
    return list.flatMap(one)
  }

  /** A field added later may narrow what it sits in; ignoring it would read the policy wider than it was written. */
  #unknown(message: { readonly $unknown?: readonly { readonly no: number }[] | undefined }, path: string): boolean {
    const [field] = message.$unknown ?? []
    if (field === undefined) return false
    this.#problems.push({ code: 'unknown-field', message: `${path}: unknown field ${field.no}` })
    return true
  }
}

const NEVER_CLAUSE: Clause = { matches: [EMPTY_MATCH] }
const NEVER_RULE: Rule = { clauses: [NEVER_CLAUSE] }
const ANYWHERE: CidrMatch = { cidr: { ip: ip('::'), length: 0 }, contains: () => true }
const ALWAYS: Match = { ...EMPTY_MATCH, sourceIps: [ANYWHERE] }

function stringMatchOf({ matchType }: pb.StringMatch, path: string): StringMatch {
  switch (matchType.case) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return { kind: matchType.case, value: matchType.value }
    case 'presence':
      return { kind: 'presence' }
    default:
      return reject('bad-match', `${path}: a string match without a kind this version knows`)
  }
}

function networkOf({ address, length }: pb.Address, path: string): CidrMatch {
  const network = ipFromBytes(address) ?? reject('bad-address', `${path}: ${address.length} bytes, want 4 or 16`)
  const sent = address.length * 8
  const own = length - (sent - (ipFamily(network) === 4 ? 32 : 128))
  if (length > sent || own < 0) reject('bad-cidr', `${path}: length ${length} does not fit the address`)
  return compileCidr({ ip: network, length: own })
}

function portOf(port: number, path: string): number {
  return port <= MAX_PORT ? port : reject('bad-port', `${path}: ${port} is not a port`)
}

function serviceAccountOf({ namespace, serviceAccount }: pb.ServiceAccountMatch): ServiceAccountMatch {
  return { namespace, serviceAccount }
}
