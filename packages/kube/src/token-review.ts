import { KINDS } from './kinds.ts'
import type { KubeClient } from './kube-client.ts'
import type { KubeObject } from './object.types.ts'
import { resourcePath } from './resource-path.ts'

/** Who a service account token belongs to. Pod name and UID are there for tokens bound to a pod. */
export interface TokenCaller {
  readonly namespace: string
  readonly serviceAccount: string
  readonly podName: string | undefined
  readonly podUid: string | undefined
}

export type TokenVerdict =
  | { readonly authenticated: true; readonly caller: TokenCaller }
  | { readonly authenticated: false; readonly reason: string }

interface TokenReviewObject extends KubeObject {
  readonly status?: {
    readonly authenticated?: boolean
    readonly error?: string
    readonly audiences?: readonly string[]
    readonly user?: {
      readonly username?: string
      readonly groups?: readonly string[]
      readonly extra?: Readonly<Record<string, readonly string[]>>
    }
  }
}

const USERNAME_PREFIX = 'system:serviceaccount:'

/** Asks the API server whose token this is and whether it was meant for `audience`. */
export async function reviewToken(
  client: Pick<KubeClient, 'request'>,
  options: { readonly token: string; readonly audience: string; readonly signal?: AbortSignal | undefined },
): Promise<TokenVerdict> {
  const answer = (await client.request('POST', resourcePath(KINDS.tokenReview), {
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: {},
      spec: { token: options.token, audiences: [options.audience] },
    },
    signal: options.signal,
  })) as TokenReviewObject
  return verdictOf(answer.status, options.audience)
}

/** Reads a TokenReview status; everything unclear is a refusal. */
export function verdictOf(status: TokenReviewObject['status'], audience: string): TokenVerdict {
  if (status?.authenticated !== true) {
    return { authenticated: false, reason: status?.error || 'the API server does not accept the token' }
  }
  // An API server that knows no audiences answers without them; such a token must not pass for one meant for us.
  if (status.audiences === undefined || !status.audiences.includes(audience)) {
    return { authenticated: false, reason: `the token is not meant for audience ${audience}` }
  }
  const username = status.user?.username ?? ''
  const [namespace, serviceAccount, ...rest] = username.startsWith(USERNAME_PREFIX)
    ? username.slice(USERNAME_PREFIX.length).split(':')
    : []
  if (!namespace || !serviceAccount || rest.length > 0) {
    return { authenticated: false, reason: `${JSON.stringify(username)} is not a service account` }
  }
  const extra = status.user?.extra
  return {
    authenticated: true,
    caller: {
      namespace,
      serviceAccount,
      podName: extra?.['authentication.kubernetes.io/pod-name']?.[0],
      podUid: extra?.['authentication.kubernetes.io/pod-uid']?.[0],
    },
  }
}
