import type { AuthorizationPolicy, ClauseOrigin } from '@ambit/controller/judgement'
import {
  type ClauseEvidence,
  type ConnectionClause,
  type PolicyEvidence,
  type RuleEvidence,
  traceConnection,
  traceRequest,
} from '@ambit/policy'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { ClauseTrace, PolicyTrace, RuleTrace } from '../explanation.types.ts'
import type { Check, ConnectionCheck } from '../journey/journey.types.ts'
import { publishedRulesOf, writtenAuthentication, writtenPolicy } from './written-policies.ts'

/** A rule that did not match, with what it lacks. */
export interface Lacking {
  readonly policy: string
  readonly rule: number
  readonly failed: readonly ClauseTrace[]
}

export interface CheckTrace {
  readonly policies: readonly PolicyTrace[]
  /** Of ALLOW policies that count, in their order. */
  readonly lacking: readonly Lacking[]
}

/** What every policy said at one point, in the words of the policies as they are written. */
export function traceCheck(compiled: CompiledMesh, check: Check): CheckTrace {
  switch (check.kind) {
    case 'plain':
      return { policies: [], lacking: [] }
    case 'request': {
      const { policies } = traceRequest(check.facts, check.proxy.compiled.policiesFor(check.names))
      return collect(policies.map((policy) => ({ evidence: policy, trace: plainTrace(policy) })))
    }
    case 'connection': {
      const { policies } = traceConnection(check.facts, compiled.policies)
      return collect(policies.map((policy) => ({ evidence: policy, trace: connectionTrace(compiled, check, policy) })))
    }
  }
}

interface Traced {
  readonly trace: PolicyTrace
  readonly lacking: readonly Lacking[]
}

function collect(
  traced: readonly { readonly evidence: Pick<PolicyEvidence, 'action' | 'dryRun'>; readonly trace: Traced }[],
): CheckTrace {
  const allows = traced.filter(({ evidence }) => evidence.action === 'Allow' && !evidence.dryRun)
  return {
    policies: traced.map(({ trace }) => trace.trace),
    lacking: allows.flatMap(({ trace }) => trace.lacking),
  }
}

function plainTrace({ policy, action, dryRun, matched, rules }: PolicyEvidence): Traced {
  return {
    trace: {
      policy,
      kind: 'AuthorizationPolicy',
      action: action.toUpperCase(),
      dryRun,
      matched,
      rules: rules.map((rule) => ruleTrace(rule, rule.rule, rule.clauses.map(clauseTrace))),
    },
    lacking: rules.flatMap((rule) =>
      rule.matched || rule.excluded !== undefined
        ? []
        : [{ policy, rule: rule.rule, failed: rule.missing.map(clauseTrace) }],
    ),
  }
}

function clauseTrace({ field, holds, ignored, wanted, notWanted, actual }: ClauseEvidence): ClauseTrace {
  return { field, holds, ...(ignored && { ignored }), wanted, notWanted, ...(actual === undefined ? {} : { actual }) }
}

const EXCLUDED: Readonly<Record<NonNullable<RuleEvidence['excluded']>, string>> = {
  'not-understood': 'something of it is not understood',
  'not-http': 'it asks about HTTP, and this is a connection',
}

function ruleTrace(
  { matched, excluded }: Pick<RuleEvidence, 'matched' | 'excluded'>,
  rule: number,
  clauses: readonly ClauseTrace[],
): RuleTrace {
  return { rule, matched, ...(excluded === undefined ? {} : { excluded: EXCLUDED[excluded] }), clauses }
}

function connectionTrace(
  compiled: CompiledMesh,
  check: ConnectionCheck,
  evidence: PolicyEvidence<ConnectionClause>,
): Traced {
  const written = writtenPolicy(compiled, evidence.policy)
  return written === undefined ? authenticationTrace(compiled, check, evidence) : authorizationTrace(written, evidence)
}

/** Rules that ztunnel was not sent are shown as such. */
function authorizationTrace(
  written: AuthorizationPolicy,
  { policy, action, dryRun, matched, rules }: PolicyEvidence<ConnectionClause>,
): Traced {
  const published = publishedRulesOf(written)
  const traced = rules.map((rule) => {
    const { rule: index = rule.rule, clauses = [] } = published[rule.rule] ?? {}
    const named = (one: ConnectionClause): ClauseTrace => ({ ...clauseTrace(one), field: fieldOf(one, clauses) })
    return { index, rule, trace: ruleTrace(rule, index, rule.clauses.map(named)), failed: rule.missing.map(named) }
  })
  const sent = new Set(traced.map(({ index }) => index))
  const left = written.rules.flatMap((_, rule): readonly RuleTrace[] =>
    sent.has(rule) || rules.length < published.length
      ? []
      : [
          {
            rule,
            matched: false,
            excluded: 'it asks about HTTP, or is not understood: ztunnel is not sent it',
            clauses: [],
          },
        ],
  )
  return {
    trace: {
      policy,
      kind: 'AuthorizationPolicy',
      action: action.toUpperCase(),
      dryRun,
      matched,
      rules: [...traced.map(({ trace }) => trace), ...left].sort((a, b) => a.rule - b.rule),
    },
    lacking: traced.flatMap(({ index, rule, failed }) => (rule.matched ? [] : [{ policy, rule: index, failed }])),
  }
}

const SOURCE_FIELDS: Readonly<Record<ConnectionClause['dimension'], string>> = {
  principals: 'source.principals',
  namespaces: 'source.namespaces',
  serviceAccounts: 'source.serviceAccounts',
  sourceIps: 'source.ipBlocks',
  destinationIps: 'source.ipBlocks',
  destinationPorts: 'operation.ports',
  empty: 'source',
}
const CONDITIONS: Readonly<Record<ConnectionClause['dimension'], string>> = {
  principals: 'source.principal',
  namespaces: 'source.namespace',
  serviceAccounts: 'source.serviceAccount',
  sourceIps: 'source.ip',
  destinationIps: 'destination.ip',
  destinationPorts: 'destination.port',
  empty: '',
}

function fieldOf({ clause, match, dimension, field }: ConnectionClause, origins: readonly ClauseOrigin[]): string {
  const origin = origins[clause]
  if (origin === undefined) return field
  if (typeof origin === 'number') return `when[${origin}][${CONDITIONS[dimension]}]`
  if (dimension === 'empty') return `${origin}[${match}] (asks about HTTP alone, which ztunnel never matches)`
  return `${origin}[${match}].${SOURCE_FIELDS[dimension]}`
}

/** The denial of plain text that a PeerAuthentication is. */
function authenticationTrace(
  compiled: CompiledMesh,
  { workload, facts }: ConnectionCheck,
  { policy, dryRun, matched, rules }: PolicyEvidence<ConnectionClause>,
): Traced {
  const written = writtenAuthentication(compiled, policy, workload)
  const actual = facts.sourceIdentity === undefined ? 'plain text' : 'mutual TLS'
  const clauseOf = (one: ConnectionClause): ClauseTrace =>
    one.dimension === 'destinationPorts'
      ? { ...clauseTrace(one), field: 'portLevelMtls' }
      : { field: 'mtls.mode', holds: one.holds, wanted: ['plain text'], notWanted: [], actual }
  const clauses = (rule: RuleEvidence<ConnectionClause>): readonly ClauseTrace[] => rule.clauses.map(clauseOf)
  return {
    trace: {
      policy: written === undefined ? policy : `${written.namespace}/${written.name}`,
      kind: 'PeerAuthentication',
      action: 'DENY',
      dryRun,
      matched,
      rules: rules.map((rule) => ruleTrace(rule, rule.rule, clauses(rule))),
    },
    lacking: [],
  }
}
