import type { AdminRequest, AdminRoute } from '@ambit/telemetry'
import type { TokenAuthenticator } from './ca/token-authenticator.ts'
import { MAX_TOKEN_LENGTH } from './limits.ts'

/** Prefix of what shows the whole mesh: every workload, policy and client. */
const DEBUG_PREFIX = '/debug/'
const BEARER = 'Bearer '

/**
 * Lets only two kinds of callers see the mesh (Istio): those inside the pod, which is where a port-forward ends, and
 * accounts of the control plane's own namespace, by a token made for it.
 */
export function restrictDebug(
  routes: readonly AdminRoute[],
  parts: { readonly tokens: Pick<TokenAuthenticator, 'authenticate'>; readonly namespace: string },
): readonly AdminRoute[] {
  return routes.map((route) =>
    route.path.startsWith(DEBUG_PREFIX)
      ? {
          ...route,
          handle: async (request) =>
            (await mayDebug(request, parts)) ? await route.handle(request) : { status: 401, body: REFUSED },
        }
      : route,
  )
}

const REFUSED =
  'only from the pod itself (kubectl port-forward) or with a token of its namespace: kubectl create token default -n istio-system --audience istio-ca\n'

async function mayDebug(
  { remoteAddress = '', headers }: AdminRequest,
  { tokens, namespace }: { readonly tokens: Pick<TokenAuthenticator, 'authenticate'>; readonly namespace: string },
): Promise<boolean> {
  if (isLoopback(remoteAddress)) return true
  const { authorization = '' } = headers
  const token = authorization.startsWith(BEARER) ? authorization.slice(BEARER.length).trim() : ''
  if (token === '' || token.length > MAX_TOKEN_LENGTH) return false
  const verdict = await tokens.authenticate(token)
  return verdict.authenticated && verdict.caller.namespace === namespace
}

function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
  return plain === '::1' || /^127\.\d+\.\d+\.\d+$/.test(plain)
}
