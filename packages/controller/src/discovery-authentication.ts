import type { discoverypb } from '@ambit/api'
import { parseIp } from '@ambit/core'
import type { AuthenticationResult } from '@ambit/xds'
import type { Metadata } from '@grpc/grpc-js'
import { bearerTokenOf } from './ca/bearer-token.ts'
import type { PodLookup } from './ca/impersonation.ts'
import type { TokenAuthenticator } from './ca/token-authenticator.ts'
import { waypointAudience } from './waypoint-audience.ts'

export interface DiscoveryAuthentication {
  readonly tokens: Pick<TokenAuthenticator, 'authenticate'>
  readonly pods: Pick<PodLookup, 'cached' | 'live'>
}

/** Types of nodes that ask for a waypoint's or gateway's resources; all others are told what everybody may know. */
const PROXY_TYPES: ReadonlySet<string | undefined> = new Set(['waypoint', 'router'])

/** A proxy gets configuration only as who it is: its token's namespace and account must be those its node names. */
export async function authenticateNode(
  { tokens, pods }: DiscoveryAuthentication,
  metadata: Metadata,
  node: discoverypb.Node,
): Promise<AuthenticationResult> {
  const [type, ip, ...rest] = node.id.split('~')
  if (rest.length !== 2 || parseIp(ip ?? '') === undefined)
    return { error: `node id ${JSON.stringify(node.id.slice(0, 200))} is not type~ip~name~domain` }
  const token = bearerTokenOf(metadata)
  if (token === undefined) return { error: 'no bearer token' }
  const verdict = await tokens.authenticate(token)
  if (!verdict.authenticated) return { error: verdict.reason }
  const { namespace, serviceAccount, podName, podUid } = verdict.caller
  const claimed = node.metadata ?? {}
  if (claimed['NAMESPACE'] !== namespace) return { error: `the node claims another namespace than ${namespace}` }
  const account = claimed['SERVICE_ACCOUNT']
  if (account !== undefined && account !== '' && account !== serviceAccount)
    return { error: `the node claims another service account than ${serviceAccount}` }
  if (!PROXY_TYPES.has(type)) return { ok: true }
  const waypoint = await waypointAudience(pods, {
    name: rest[0] ?? '',
    namespace,
    serviceAccount,
    podName,
    podUid,
  })
  return waypoint.ok ? waypoint : { error: waypoint.reason }
}
