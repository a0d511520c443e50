import { labelsMatch } from '../compile/labels-match.ts'
import { attachedAuthentication, type EffectiveAuthentication } from '../compile/peer-authentication.ts'
import type { AuthorizationPolicy, MeshContext, PeerAuthentication } from '../domain.types.ts'
import type { StringMap } from '../watch/json.ts'
import type { MeshState } from './mesh-state.ts'

/** Names of the policies a proxy must look up for a workload, sorted; those for whole namespaces are not listed. */
export function policiesOfWorkload(state: MeshState, namespace: string, labels: StringMap): readonly string[] {
  const { rootNamespace } = state.mesh
  const names = attachedAuthentication(authenticationsOf(state, namespace, labels), rootNamespace).slice()
  const places = namespace === rootNamespace ? [namespace] : [namespace, rootNamespace]
  for (const place of places) {
    for (const policy of state.policies.in(place)) {
      if (policy.selector !== undefined && isPublished(policy, state.mesh) && labelsMatch(policy.selector, labels))
        names.push(`${place}/${policy.name}`)
    }
  }
  return names.sort()
}

/** Whether proxies that see only connections are sent the policy. */
export function isPublished(policy: AuthorizationPolicy, mesh: Pick<MeshContext, 'dryRunEnabled'>): boolean {
  return (
    policy.targetRefs.length === 0 &&
    policy.action !== 'AUDIT' &&
    policy.action !== 'CUSTOM' &&
    (!policy.dryRun || mesh.dryRunEnabled === true)
  )
}

/** The mTLS settings in force, the oldest of each level. */
export function authenticationsOf(state: MeshState, namespace: string, labels: StringMap): EffectiveAuthentication {
  const { rootNamespace } = state.mesh
  const inRoot = namespace === rootNamespace
  return {
    mesh: oldest(state.authentications.in(rootNamespace), ({ selector }) => selector === undefined),
    namespace: inRoot
      ? undefined
      : oldest(state.authentications.in(namespace), ({ selector }) => selector === undefined),
    workload: inRoot
      ? undefined
      : oldest(
          state.authentications.in(namespace),
          ({ selector }) => selector !== undefined && labelsMatch(selector, labels),
        ),
  }
}

function oldest(
  policies: Iterable<PeerAuthentication>,
  test: (policy: PeerAuthentication) => boolean,
): PeerAuthentication | undefined {
  let first: PeerAuthentication | undefined
  for (const policy of policies) {
    if (!test(policy)) continue
    if (first === undefined || isOlder(policy, first)) first = policy
  }
  return first
}

/** By creation; objects of the same second by name, so that every replica decides alike. */
export function isOlder(
  a: { readonly createdMs: number; readonly namespace: string; readonly name: string },
  b: { readonly createdMs: number; readonly namespace: string; readonly name: string },
): boolean {
  if (a.createdMs !== b.createdMs) return a.createdMs < b.createdMs
  return `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}`
}
