import type { AnyObject } from '@ambit/analyze'
import { type PolicyReads, policyReads } from '@ambit/policy-diff'
import type { Cluster } from '../cluster/cluster.types.ts'
import { isForbidden } from '../cluster/is-forbidden.ts'
import { isNotFound } from '../cluster/is-not-found.ts'

export interface RecordedWorld {
  readonly reads: PolicyReads
  readonly waypointPods: readonly string[]
  /** Rights that are missing, and what the recording lacks for it. */
  readonly gaps: readonly string[]
}

const MANAGED_BY_MESH = 'gateway.istio.io/managed=istio.io-mesh-controller'

/** What a recording has to know beforehand. */
export async function whatPoliciesRead(cluster: Cluster): Promise<RecordedWorld> {
  const gaps: string[] = []
  const listed = async (
    apiVersion: string,
    kind: string,
    labelSelector: string | undefined,
    lacks: string,
  ): Promise<readonly AnyObject[]> => {
    try {
      const found = await cluster.list({ apiVersion, kind, labelSelector })
      return found.map((object) => ({ ...(object as AnyObject), apiVersion, kind }))
    } catch (error) {
      if (isForbidden(error)) gaps.push(lacks)
      else if (!isNotFound(error)) throw error
      return []
    }
  }
  const [policies, pods] = await Promise.all([
    listed(
      'security.istio.io/v1',
      'AuthorizationPolicy',
      undefined,
      'no right to list authorizationpolicies: headers and claims are not recorded, and paths that policies name are taken for others',
    ),
    listed(
      'v1',
      'Pod',
      MANAGED_BY_MESH,
      'no right to list pods: what a waypoint sends on may be counted a second time until it tells something',
    ),
  ])
  return {
    reads: policyReads(policies),
    waypointPods: pods.map(({ metadata: { namespace, name } }) => `${namespace ?? ''}/${name}`),
    gaps,
  }
}
