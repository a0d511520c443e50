import type { Ip, SpiffeId } from '@ambit/core'
import type { CidrMatch, Either, PathPattern, ServiceAccountMatch, StringMatch } from '@ambit/state'
import type { Clause, JudgedRequest } from './compiled-policy.types.ts'
import { compileRequestPrincipals } from './match-request-principal.ts'
import { compileTemplate } from './match-template.ts'
import { compileTextLists, compileTexts } from './match-text.ts'
import type { HttpFacts, TokenFacts } from './request-verdict.types.ts'
import { spellAccount, spellNetwork, spellPath, spellText } from './spell-pattern.ts'
import { type TrustDomains, withAliases } from './trust-domains.ts'

/** What a field compiles to: one clause, or none when it lists nothing. */
export type FieldClause = readonly [] | readonly [Clause]

export function principalClause(values: Either<StringMatch>, field: string, domains?: TrustDomains): FieldClause {
  const test = compileTexts(withAliases(values, domains))
  return clause(values, field, ({ principal }) => test(principal), {
    spell: spellText,
    actual: ({ principal }) => principal,
  })
}

export function namespaceClause(values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTexts(values)
  return clause(values, field, ({ identity }) => test(identity?.namespace), {
    spell: spellText,
    actual: ({ identity }) => identity?.namespace,
  })
}

export function trustDomainClause(values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTexts(values)
  return clause(values, field, ({ identity }) => test(identity?.trustDomain), {
    spell: spellText,
    actual: ({ identity }) => identity?.trustDomain,
  })
}

/** The trust domain plays no part. */
export function accountClause(values: Either<ServiceAccountMatch>, field: string): FieldClause {
  return clause(values, field, ({ identity }) => either(values, isAccount, identity), {
    spell: spellAccount,
    actual: ({ identity }) => identity && spellAccount(identity),
  })
}

function isAccount(account: ServiceAccountMatch, identity: SpiffeId | undefined): boolean {
  return account.serviceAccount === identity?.serviceAccount && account.namespace === identity.namespace
}

export function networkClause(
  values: Either<CidrMatch>,
  field: string,
  of: 'sourceIp' | 'remoteIp' | 'destinationIp',
): FieldClause {
  return clause(values, field, ({ facts }) => either(values, contains, facts[of]), {
    spell: spellNetwork,
    actual: ({ facts }) => facts[of],
  })
}

function contains(network: CidrMatch, ip: Ip): boolean {
  return network.contains(ip)
}

export function portClause(values: Either<number>, field: string): FieldClause {
  return clause(values, field, ({ facts }) => either(values, isSame, facts.destinationPort), {
    spell: String,
    actual: ({ facts }) => String(facts.destinationPort),
  })
}

function isSame(a: number, b: number): boolean {
  return a === b
}

export function sniClause(values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTexts(values)
  return clause(values, field, ({ facts }) => test(facts.sni), { spell: spellText, actual: ({ facts }) => facts.sni })
}

export function hostClause(values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTexts({ some: values.some.map(inLowerCase), none: values.none.map(inLowerCase) })
  return clause(
    values,
    field,
    ({ authority }) => authority === undefined || test(authority),
    { spell: spellText, actual: ({ http }) => http?.authority },
    true,
  )
}

export function inLowerCase(pattern: StringMatch): StringMatch {
  return 'value' in pattern ? { ...pattern, value: pattern.value.toLowerCase() } : pattern
}

export function methodClause(values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTexts(values)
  return httpClause(values, field, ({ method }) => test(method), { spell: spellText, actual: ({ method }) => method })
}

export function pathClause(values: Either<PathPattern>, field: string): FieldClause {
  const wanted = compilePaths(values.some)
  const unwanted = compilePaths(values.none)
  const open = values.some.length === 0
  return httpClause(values, field, ({ path }) => (open || wanted(path)) && !unwanted(path), {
    spell: spellPath,
    actual: ({ path }) => path,
  })
}

function compilePaths(patterns: readonly PathPattern[]): (path: string) => boolean {
  const texts: StringMatch[] = []
  const templates: ((path: string) => boolean)[] = []
  for (const pattern of patterns) {
    if (pattern.kind === 'text') texts.push(pattern.text)
    else templates.push(compileTemplate(pattern.segments))
  }
  const text = compileTexts({ some: texts, none: [] })
  return (path) => {
    if (texts.length > 0 && text(path)) return true
    for (const template of templates) if (template(path)) return true
    return false
  }
}

/** A header that is sent empty is present (Envoy). */
export function headerClause(name: string, values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTexts(values, true)
  return httpClause(values, field, (http) => test(http.header(name)), {
    spell: spellText,
    actual: (http) => http.header(name),
  })
}

export function requestPrincipalClause(values: Either<StringMatch>, field: string): FieldClause {
  const test = compileRequestPrincipals(values)
  return httpClause(values, field, ({ token }) => test(token), {
    spell: spellText,
    actual: ({ token }) => token?.principal,
  })
}

export function presenterClause(values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTexts(values)
  return httpClause(values, field, ({ token }) => test(token?.presenter), {
    spell: spellText,
    actual: ({ token }) => token?.presenter,
  })
}

export function audienceClause(values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTextLists(values)
  return httpClause(values, field, ({ token }) => test(token?.audiences ?? NONE), {
    spell: spellText,
    actual: ({ token }) => token?.audiences.join(', '),
  })
}

const NONE: readonly string[] = []

/** Claims whose text is a list of words, by the specifications that define them. */
const SPACE_DELIMITED: ReadonlySet<string> = new Set(['scope', 'permission'])

/** A claim is hit as a text or as a list one of whose texts is hit; numbers, truth values and objects are not texts. */
export function claimClause(path: readonly string[], values: Either<StringMatch>, field: string): FieldClause {
  const test = compileTextLists(values)
  const [first = ''] = path
  const splits = path.length === 1 && SPACE_DELIMITED.has(first)
  return httpClause(
    values,
    field,
    ({ token }) => {
      const value = claimAt(token, path)
      if (Array.isArray(value)) return test(value)
      if (typeof value !== 'string') return test(NONE)
      return test(splits ? value.split(' ') : [value])
    },
    { spell: spellText, actual: ({ token }) => spellClaim(claimAt(token, path)) },
  )
}

function claimAt(token: TokenFacts | undefined, path: readonly string[]): unknown {
  let value: unknown = token?.claims
  for (const name of path) {
    const inside = typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    value = inside ? (value as Record<string, unknown>)[name] : undefined
  }
  return value
}

function spellClaim(value: unknown): string | undefined {
  return typeof value === 'string' ? value : value === undefined ? undefined : JSON.stringify(value)
}

interface Evident<T, F> {
  readonly spell: (entry: T) => string
  readonly actual: (facts: F) => string | undefined
}

/** What asks about HTTP holds where there is none: a rule of an ALLOW policy with such a clause is not asked then. */
function httpClause<T>(
  values: Either<T>,
  field: string,
  test: (http: HttpFacts) => boolean,
  { spell, actual }: Evident<T, HttpFacts>,
): FieldClause {
  const evident = { spell, actual: ({ http }: JudgedRequest) => http && actual(http) }
  return clause(values, field, ({ http }) => http === undefined || test(http), evident, true)
}

function clause<T>(
  { some, none }: Either<T>,
  field: string,
  holds: (request: JudgedRequest) => boolean,
  { spell, actual }: Evident<T, JudgedRequest>,
  http = false,
): FieldClause {
  if (some.length === 0 && none.length === 0) return []
  const written = (): ReturnType<Clause['written']> => ({ some: some.map(spell), none: none.map(spell) })
  return [{ field, holds, http, written, actual }]
}

/** One of `some` hits, or it is empty, and none of `none` does. */
function either<T, F>({ some, none }: Either<T>, hits: (entry: T, fact: F) => boolean, fact: F): boolean {
  return (some.length === 0 || anyHits(some, hits, fact)) && !anyHits(none, hits, fact)
}

function anyHits<T, F>(entries: readonly T[], hits: (entry: T, fact: F) => boolean, fact: F): boolean {
  for (const entry of entries) if (hits(entry, fact)) return true
  return false
}
