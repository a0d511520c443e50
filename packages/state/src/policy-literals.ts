import type { Authorization, CidrMatch, Match, Rule, ServiceAccountMatch, StringMatch } from './authorization.types.ts'
import type { Alternative, AnyOf, Condition, Literal } from './literal-index.ts'

/** What an L4 policy can ask about. */
export type ConnectionField =
  | 'principal'
  | 'serviceAccount'
  | 'namespace'
  | 'sourceIp'
  | 'destinationIp'
  | 'destinationPort'

/** `namespace/name`, for a look-up; Kubernetes names hold no slash. */
export function accountKey(account: { readonly namespace: string; readonly serviceAccount: string }): string {
  return `${account.namespace}/${account.serviceAccount}`
}

/** What must hold for the rule to match, as far as literals say. A clause without matches always holds and is left out. */
export function ruleConditions({ clauses }: Rule): readonly Condition<ConnectionField>[] {
  return clauses.filter(({ matches }) => matches.length > 0).map(({ matches }) => matches.map(alternativeOf))
}

/** Names that a policy and its index agree on. */
export type Enforcement = 'deny' | 'allow' | 'dryRun'

export function enforcementOf({ action, dryRun }: Authorization): Enforcement {
  if (dryRun) return 'dryRun'
  return action === 'Deny' ? 'deny' : 'allow'
}

/** Only positive lists are of use: what must not be is no place to look under. */
function alternativeOf(match: Match): Alternative<ConnectionField> {
  const { principals, serviceAccounts, namespaces, sourceIps, destinationIps, destinationPorts } = match
  const constraints: readonly (AnyOf<ConnectionField> | undefined)[] = [
    literalsOf('principal', principals),
    accountLiterals('serviceAccount', serviceAccounts),
    networkLiterals('sourceIp', sourceIps),
    literalsOf('namespace', namespaces),
    networkLiterals('destinationIp', destinationIps),
    destinationPorts.map((value) => ({ field: 'destinationPort', form: 'number', value })),
  ]
  return constraints.filter((anyOf) => anyOf !== undefined && anyOf.length > 0) as Alternative<ConnectionField>
}

/** Undefined when the list has an entry that no literal stands for. */
export function literalsOf<F extends string>(
  field: F,
  patterns: readonly (StringMatch | undefined)[],
): AnyOf<F> | undefined {
  const literals: Literal<F>[] = []
  for (const pattern of patterns) {
    if (pattern === undefined || pattern.kind === 'any' || pattern.kind === 'presence') return undefined
    literals.push({ field, form: pattern.kind, value: pattern.value })
  }
  return literals
}

export function accountLiterals<F extends string>(field: F, accounts: readonly ServiceAccountMatch[]): AnyOf<F> {
  return accounts.map((account) => ({ field, form: 'exact', value: accountKey(account) }))
}

/** Everything (/0, and what stands for the unreadable) is no place to look under. */
export function networkLiterals<F extends string>(field: F, list: readonly CidrMatch[]): AnyOf<F> | undefined {
  const literals: Literal<F>[] = []
  for (const { cidr } of list) {
    if (cidr.length === 0) return undefined
    literals.push({ field, form: 'network', value: cidr })
  }
  return literals
}
