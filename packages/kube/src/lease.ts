import type { KubeObject } from './object.types.ts'

/** coordination.k8s.io/v1 Lease, as elections use it. */
export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

/** MicroTime of the Kubernetes API: six digits after the point. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}

/** The lease as `identity` wants it now; the transition count grows with every change of holder. */
export function claimedLease(
  previous: Lease | undefined,
  claim: {
    readonly namespace: string
    readonly name: string
    readonly identity: string
    readonly durationMs: number
    readonly nowMs: number
  },
): Lease {
  const renewing = previous?.spec?.holderIdentity === claim.identity
  const transitions = previous?.spec?.leaseTransitions ?? 0
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: previous?.metadata ?? { namespace: claim.namespace, name: claim.name },
    spec: {
      holderIdentity: claim.identity,
      leaseDurationSeconds: Math.ceil(claim.durationMs / 1000),
      acquireTime: (renewing ? previous.spec?.acquireTime : undefined) ?? microTime(claim.nowMs),
      renewTime: microTime(claim.nowMs),
      leaseTransitions: renewing || previous === undefined ? transitions : transitions + 1,
    },
  }
}
