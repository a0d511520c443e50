import { principalOf } from '@ambit/core'
import type { HttpAuthorization, RequestCondition, RequestOperation, RequestRule, RequestSource } from '@ambit/state'
import type { CompiledPolicy, CompiledRule, JudgedRequest } from './compiled-policy.types.ts'
import {
  accountClause,
  audienceClause,
  claimClause,
  type FieldClause,
  headerClause,
  hostClause,
  methodClause,
  namespaceClause,
  networkClause,
  pathClause,
  portClause,
  presenterClause,
  principalClause,
  requestPrincipalClause,
  sniClause,
  trustDomainClause,
} from './field-clauses.ts'
import { requestConditions } from './request-literals.ts'
import type { RequestFacts } from './request-verdict.types.ts'
import type { TrustDomains } from './trust-domains.ts'

export function judgedRequest(facts: RequestFacts): JudgedRequest {
  const { sourceIdentity: identity, http } = facts
  const principal = identity && principalOf(identity)
  return { facts, identity, principal, http, authority: http?.authority.toLowerCase() }
}

/** Prepares a policy: what can be decided without a request is decided here. */
export function compileRequestPolicy(policy: HttpAuthorization, domains?: TrustDomains): CompiledPolicy {
  const { namespace, name, action, dryRun } = policy
  const rules = policy.rules.map((rule, i) => {
    const details = `rbac_access_denied_matched_policy[ns[${namespace}]-policy[${name}]-rule[${i}]]`
    return { ...compileRule(rule, action === 'Allow', domains), details }
  })
  return { key: `${namespace}/${name}`, action, dryRun, rules }
}

function compileRule(
  rule: RequestRule,
  allows: boolean,
  domains: TrustDomains | undefined,
): Omit<CompiledRule, 'details'> {
  const from = rule.from.map((source, i) => sourceClauses(source, `from[${i}].source`, domains))
  const to = rule.to.map((operation, i) => operationClauses(operation, `to[${i}].operation`))
  const when = rule.when.flatMap((condition, i) => conditionClause(condition, `when[${i}]`, domains))
  const http = [...from.flat(), ...to.flat(), ...when].some((clause) => clause.http)
  return {
    from,
    to,
    when,
    never: allows && (rule.unknown.length > 0 || rule.when.some(({ kind }) => kind === 'unknown')),
    httpOnly: allows && http,
    conditions: requestConditions(rule, domains),
  }
}

type HttpAwareClause = NonNullable<FieldClause[0]>

function sourceClauses(source: RequestSource, at: string, domains: TrustDomains | undefined): HttpAwareClause[] {
  return [
    ...principalClause(source.principals, `${at}.principals`, domains),
    ...requestPrincipalClause(source.requestPrincipals, `${at}.requestPrincipals`),
    ...namespaceClause(source.namespaces, `${at}.namespaces`),
    ...accountClause(source.serviceAccounts, `${at}.serviceAccounts`),
    ...trustDomainClause(source.trustDomains, `${at}.trustDomains`),
    ...networkClause(source.ipBlocks, `${at}.ipBlocks`, 'sourceIp'),
    ...networkClause(source.remoteIpBlocks, `${at}.remoteIpBlocks`, 'remoteIp'),
  ]
}

function operationClauses(operation: RequestOperation, at: string): HttpAwareClause[] {
  return [
    ...hostClause(operation.hosts, `${at}.hosts`),
    ...portClause(operation.ports, `${at}.ports`),
    ...methodClause(operation.methods, `${at}.methods`),
    ...pathClause(operation.paths, `${at}.paths`),
  ]
}

const IP_OF = { 'source.ip': 'sourceIp', 'remote.ip': 'remoteIp', 'destination.ip': 'destinationIp' } as const

function conditionClause(condition: RequestCondition, at: string, domains: TrustDomains | undefined): FieldClause {
  switch (condition.kind) {
    case 'ip':
      return networkClause(condition.values, `${at}[${condition.of}]`, IP_OF[condition.of])
    case 'port':
      return portClause(condition.values, `${at}[destination.port]`)
    case 'service-account':
      return accountClause(condition.values, `${at}[source.serviceAccount]`)
    case 'header':
      return headerClause(condition.name, condition.values, `${at}[request.headers[${condition.name}]]`)
    case 'claim':
      return claimClause(condition.path, condition.values, `${at}[request.auth.claims[${condition.path.join('][')}]]`)
    case 'text':
      return textClause(condition, `${at}[${condition.of}]`, domains)
    case 'unknown':
      // An ALLOW rule that has one never matches; from a DENY rule it excludes nothing.
      return []
  }
}

type TextCondition = Extract<RequestCondition, { readonly kind: 'text' }>

function textClause({ of, values }: TextCondition, field: string, domains: TrustDomains | undefined): FieldClause {
  switch (of) {
    case 'source.principal':
      return principalClause(values, field, domains)
    case 'source.namespace':
      return namespaceClause(values, field)
    case 'source.trustDomain':
      return trustDomainClause(values, field)
    case 'request.auth.principal':
      return requestPrincipalClause(values, field)
    case 'request.auth.audiences':
      return audienceClause(values, field)
    case 'request.auth.presenter':
      return presenterClause(values, field)
    case 'connection.sni':
      return sniClause(values, field)
  }
}
