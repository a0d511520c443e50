import {
  type AuthorizationPolicy,
  authenticationsOf,
  convertedName,
  type PeerAuthentication,
  type PublishedRule,
  publishedRules,
  STATIC_STRICT_NAME,
} from '@ambit/controller/judgement'
import type { Workload } from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'

/** The AuthorizationPolicy that a policy of the proxies was made from; undefined for those of PeerAuthentication. */
export function writtenPolicy({ judgement }: CompiledMesh, key: string): AuthorizationPolicy | undefined {
  const slash = key.indexOf('/')
  return judgement.state.policies.get(key.slice(0, slash), key.slice(slash + 1))
}

const published = new WeakMap<AuthorizationPolicy, readonly PublishedRule[]>()

export function publishedRulesOf(policy: AuthorizationPolicy): readonly PublishedRule[] {
  const known = published.get(policy)
  if (known !== undefined) return known
  const rules = publishedRules(policy)
  published.set(policy, rules)
  return rules
}

/** Which rule of the policy as written the ztunnel's rule is; it is not sent all of them. */
export function writtenRule(compiled: CompiledMesh, key: string, rule: number): number | undefined {
  const policy = writtenPolicy(compiled, key)
  return policy === undefined ? undefined : publishedRulesOf(policy)[rule]?.rule
}

/** The PeerAuthentication that a denial of the proxies was made from. */
export function writtenAuthentication(
  { judgement, mesh }: CompiledMesh,
  key: string,
  workload: Workload,
): PeerAuthentication | undefined {
  const { state } = judgement
  const labels = state.pods.get(workload.namespace, workload.name)?.labels ?? {}
  const levels = authenticationsOf(state, workload.namespace, labels)
  if (key === `${mesh.rootNamespace}/${STATIC_STRICT_NAME}`)
    return [levels.workload, levels.namespace, levels.mesh].find((one) => one !== undefined && one.mode !== 'UNSET')
  const { workload: own } = levels
  return own !== undefined && key === `${own.namespace}/${convertedName(own)}` ? own : undefined
}
