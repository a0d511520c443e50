import type { HttpAuthorization, RequestCondition, RequestOperation, RequestSource } from '@ambit/state'
import {
  type Alternative,
  type AnyOf,
  accountKey,
  accountLiterals,
  type Condition,
  literalsOf,
  networkLiterals,
} from '@ambit/state'
import type { JudgedRequest } from './compiled-policy.types.ts'
import { inLowerCase } from './field-clauses.ts'
import { type TrustDomains, withAliases } from './trust-domains.ts'

/** What request policies are looked up by. */
export type RequestField =
  | 'principal'
  | 'serviceAccount'
  | 'namespace'
  | 'sourceIp'
  | 'remoteIp'
  | 'destinationIp'
  | 'destinationPort'
  | 'authority'
  | 'path'

/** What must hold for the rule to match a request of HTTP, as far as literals say. */
export function requestConditions(
  { from, to, when }: HttpAuthorization['rules'][number],
  domains: TrustDomains | undefined,
): readonly Condition<RequestField>[] {
  const conditions: Condition<RequestField>[] = []
  if (from.length > 0) conditions.push(from.map((source) => present(sourceLiterals(source, domains))))
  if (to.length > 0) conditions.push(to.map((operation) => present(operationLiterals(operation))))
  for (const condition of when) conditions.push([present([conditionLiterals(condition, domains)])])
  return conditions
}

type Constraint = AnyOf<RequestField> | undefined

function present(constraints: readonly Constraint[]): Alternative<RequestField> {
  return constraints.filter((anyOf) => anyOf !== undefined && anyOf.length > 0) as Alternative<RequestField>
}

function sourceLiterals(source: RequestSource, domains: TrustDomains | undefined): readonly Constraint[] {
  return [
    literalsOf('principal', withAliases(source.principals, domains).some),
    accountLiterals('serviceAccount', source.serviceAccounts.some),
    networkLiterals('sourceIp', source.ipBlocks.some),
    networkLiterals('remoteIp', source.remoteIpBlocks.some),
    literalsOf('namespace', source.namespaces.some),
  ]
}

function operationLiterals({ hosts, ports, paths }: RequestOperation): readonly Constraint[] {
  const texts = paths.some.map((path) => (path.kind === 'text' ? path.text : undefined))
  return [
    literalsOf('path', texts),
    literalsOf('authority', hosts.some.map(inLowerCase)),
    ports.some.map((value) => ({ field: 'destinationPort', form: 'number', value })),
  ]
}

const IP_OF = { 'source.ip': 'sourceIp', 'remote.ip': 'remoteIp', 'destination.ip': 'destinationIp' } as const

function conditionLiterals(condition: RequestCondition, domains: TrustDomains | undefined): Constraint {
  switch (condition.kind) {
    case 'ip':
      return networkLiterals(IP_OF[condition.of], condition.values.some)
    case 'port':
      return condition.values.some.map((value) => ({ field: 'destinationPort', form: 'number', value }))
    case 'service-account':
      return accountLiterals('serviceAccount', condition.values.some)
    case 'text':
      if (condition.of === 'source.principal') {
        return literalsOf('principal', withAliases(condition.values, domains).some)
      }
      return condition.of === 'source.namespace' ? literalsOf('namespace', condition.values.some) : undefined
    case 'header':
    case 'claim':
    case 'unknown':
      return undefined
  }
}

/** It must say of each field what the clauses compare, and undefined only for what nothing hits. */
export function requestField(
  { facts, identity, principal, http, authority }: JudgedRequest,
  field: RequestField,
): string | number | undefined {
  switch (field) {
    case 'principal':
      return principal
    case 'serviceAccount':
      return identity && accountKey(identity)
    case 'namespace':
      return identity?.namespace
    case 'sourceIp':
    case 'remoteIp':
    case 'destinationIp':
    case 'destinationPort':
      return facts[field]
    case 'authority':
      return authority
    case 'path':
      return http?.path
  }
}
