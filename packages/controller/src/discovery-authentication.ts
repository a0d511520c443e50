import type { discoverypb } from '@ambit/api'
import { parseIp } from '@ambit/core'
import type { AuthenticationResult } from '@ambit/xds'
import type { Metadata } from '@grpc/grpc-js'
import { bearerTokenOf } from './ca/bearer-token.ts'
import type { TokenAuthenticator } from './ca/token-authenticator.ts'

/** A proxy gets configuration only as who it is: its token's namespace and account must be those its node names. */
export async function authenticateNode(
  tokens: Pick<TokenAuthenticator, 'authenticate'>,
  metadata: Metadata,
  node: discoverypb.Node,
): Promise<AuthenticationResult> {
  const [, ip, ...rest] = node.id.split('~')
  if (rest.length !== 2 || parseIp(ip ?? '') === undefined)
    return { error: `node id ${JSON.stringify(node.id.slice(0, 200))} is not type~ip~name~domain` }
  const token = bearerTokenOf(metadata)
  if (token === undefined) return { error: 'no bearer token' }
  const verdict = await tokens.authenticate(token)
  if (!verdict.authenticated) return { error: verdict.reason }
  const { namespace, serviceAccount } = verdict.caller
  const claimed = node.metadata ?? {}
  if (claimed['NAMESPACE'] !== namespace) return { error: `the node claims another namespace than ${namespace}` }
  const account = claimed['SERVICE_ACCOUNT']
  if (account !== undefined && account !== '' && account !== serviceAccount)
    return { error: `the node claims another service account than ${serviceAccount}` }
  return { ok: true }
}
