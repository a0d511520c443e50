import { type AuthorizationPolicy, publishedRules } from '@ambit/controller/judgement'
import type { CompiledMesh } from '../compile/compile-mesh.ts'

/** The AuthorizationPolicy that a policy of the proxies was made from; undefined for those of PeerAuthentication. */
export function writtenPolicy({ judgement }: CompiledMesh, key: string): AuthorizationPolicy | undefined {
  const slash = key.indexOf('/')
  return judgement.state.policies.get(key.slice(0, slash), key.slice(slash + 1))
}

const published = new WeakMap<AuthorizationPolicy, readonly (number | undefined)[]>()

/** Which rule of the policy as written the ztunnel's rule is; it is not sent all of them. */
export function writtenRule(compiled: CompiledMesh, key: string, rule: number): number | undefined {
  const policy = writtenPolicy(compiled, key)
  if (policy === undefined) return undefined
  let indexes = published.get(policy)
  if (indexes === undefined) published.set(policy, (indexes = publishedRules(policy)))
  return indexes[rule]
}
