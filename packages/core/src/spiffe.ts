/** A workload identity, `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
export interface SpiffeId {
  readonly trustDomain: string
  readonly namespace: string
  readonly serviceAccount: string
}

export const DEFAULT_TRUST_DOMAIN = 'cluster.local'

const SCHEME = 'spiffe://'

/** Exactly five parts with literal `ns` and `sa`; anything else is not an identity (Istio's parser, not the full SPIFFE grammar). */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  if (!uri.startsWith(SCHEME)) return undefined
  const [trustDomain, ns, namespace, sa, serviceAccount, ...rest] = uri.slice(SCHEME.length).split('/')
  if (ns !== 'ns' || sa !== 'sa' || rest.length > 0) return undefined
  if (!trustDomain || !namespace || !serviceAccount) return undefined
  return { trustDomain, namespace, serviceAccount }
}

export function formatSpiffeId(id: SpiffeId): string {
  return SCHEME + principalOf(id)
}

/** The identity without its scheme: the form policies are written in and compared with. */
export function principalOf(id: SpiffeId): string {
  return `${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}`
}

export function sameSpiffeId(a: SpiffeId, b: SpiffeId): boolean {
  return a.serviceAccount === b.serviceAccount && a.namespace === b.namespace && a.trustDomain === b.trustDomain
}
