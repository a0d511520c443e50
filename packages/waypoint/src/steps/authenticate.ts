import { carriesToken } from '@ambit/policy'
import type { LocalReply } from '../local-reply.ts'
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
    state.target?.destination.authenticatesRequests === true &&
    carriesToken(state.header?.('authorization'), state.query)
      ? UNCHECKED
      : undefined,
}
