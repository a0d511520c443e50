import type { LocalReply } from '../local-reply.ts'
import type { RequestState } from '../request.types.ts'
import type { Step } from './step.types.ts'

const UNCHECKED: LocalReply = {
  status: 401,
  body: 'Jwt verification fails',
  details: 'jwt_authn_access_denied{Jwt_verification_fails}',
  headers: ['www-authenticate', 'Bearer realm="ambit", error="invalid_token"'],
}

/**
 * The place of token checks. This proxy has no keys yet: where tokens are to be checked, a request with one is refused (as upstream
 * does when it has no keys), and one without passes unauthenticated for policies to judge.
 */
export const authenticate: Step = {
  name: 'authenticate',
  run: (state) =>
    state.target?.destination.authenticatesRequests === true && carriesToken(state) ? UNCHECKED : undefined,
}

/** Istio's default places of a token: the bearer header, then a query parameter. */
function carriesToken({ header, query }: RequestState): boolean {
  if (/(?:^|,)\s*bearer\b/i.test(header?.('authorization') ?? '')) return true
  return query !== undefined && query.split(/[&;]/).some((pair) => /^access_token(?:=|$)/i.test(decodeLoosely(pair)))
}

/** One pair at a time: what can not be decoded in another must not hide a name. */
function decodeLoosely(pair: string): string {
  const [name = ''] = pair.split('=', 1)
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
