import type { HttpAuthorization, RequestCondition, RequestRule } from '@ambit/state'

/** What policies look at of a request that not every request is known by. */
export interface FieldsRead {
  /** Names in lower case. */
  readonly headers: readonly string[]
  /** Of claims at the top of a token, whatever they look at within. */
  readonly claims: readonly string[]
}

/** Claims that make a token's principal, `issuer/subject`. */
const PRINCIPAL: readonly string[] = ['iss', 'sub']

/** Headers and claims that at least one rule asks about; policies on trial and such that only leave a trace count too. */
export function fieldsRead(policies: Iterable<HttpAuthorization>): FieldsRead {
  const headers = new Set<string>()
  const claims = new Set<string>()
  for (const { rules } of policies) {
    for (const rule of rules) {
      for (const claim of claimsOfSources(rule)) claims.add(claim)
      for (const condition of rule.when) {
        if (condition.kind === 'header') headers.add(condition.name.toLowerCase())
        for (const claim of claimsOfCondition(condition)) claims.add(claim)
      }
    }
  }
  return { headers: [...headers].toSorted(), claims: [...claims].toSorted() }
}

function claimsOfSources({ from }: RequestRule): readonly string[] {
  const asks = from.some(({ requestPrincipals: { some, none } }) => some.length > 0 || none.length > 0)
  return asks ? PRINCIPAL : []
}

function claimsOfCondition(condition: RequestCondition): readonly string[] {
  if (condition.kind === 'claim') return condition.path.slice(0, 1)
  if (condition.kind !== 'text') return []
  switch (condition.of) {
    case 'request.auth.principal':
      return PRINCIPAL
    case 'request.auth.audiences':
      return ['aud']
    case 'request.auth.presenter':
      return ['azp']
    case 'source.namespace':
    case 'source.principal':
    case 'source.trustDomain':
    case 'connection.sni':
      return []
  }
}
