import type { Either, StringMatch } from '@ambit/state'
import type { TokenFacts } from './request-verdict.types.ts'

type TokenTest = (token: TokenFacts | undefined) => boolean

/**
 * Compiles patterns of `issuer/subject`. A pattern is issuer and subject, split at its last slash, and each part is compared with the token's
 * own: a subject with a slash in it does not pass for another issuer's.
 */
export function compileRequestPrincipals({ some, none }: Either<StringMatch>): TokenTest {
  const wanted = some.map(compilePattern)
  const unwanted = none.map(compilePattern)
  const any = (tests: readonly TokenTest[], token: TokenFacts): boolean => {
    for (const test of tests) if (test(token)) return true
    return false
  }
  return (token) => {
    if (token === undefined) return some.length === 0
    return (some.length === 0 || any(wanted, token)) && !any(unwanted, token)
  }
}

function compilePattern(pattern: StringMatch): TokenTest {
  if (pattern.kind === 'any') return () => true
  if (pattern.kind === 'presence') return (token) => token !== undefined && token.principal !== ''
  const { kind, value } = pattern
  const slash = value.lastIndexOf('/')
  switch (kind) {
    case 'exact':
      return (token) => token?.principal === value && issuerLength(token) === slash
    case 'prefix':
      return (token) => token?.principal.startsWith(value) === true && (slash < 0 || issuerLength(token) === slash)
    case 'suffix':
      return (token) => {
        if (token?.principal.endsWith(value) !== true) return false
        const start = token.principal.length - value.length
        return slash < 0 ? start > issuerLength(token) : start + slash === issuerLength(token)
      }
  }
}

function issuerLength({ principal, claims }: TokenFacts): number {
  const issuer = Object.hasOwn(claims, 'iss') ? claims['iss'] : undefined
  return typeof issuer === 'string' && principal.startsWith(`${issuer}/`) ? issuer.length : principal.lastIndexOf('/')
}
