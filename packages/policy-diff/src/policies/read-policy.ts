import { type AuthorizationPolicy, httpAuthorization } from '@ambit/controller/judgement'
import { type CompiledPolicy, compileRequestPolicy, type TrustDomains } from '@ambit/policy'
import { decodeHttpAuthorization, type HttpAuthorization } from '@ambit/state'

/** An AuthorizationPolicy as those read it who enforce it. */
export interface ReadPolicy {
  /** `namespace/name`. */
  readonly key: string
  /** Where it is in force. */
  readonly binding: Pick<AuthorizationPolicy, 'namespace' | 'selector' | 'targetRefs'>
  readonly policy: HttpAuthorization
  readonly compiled: CompiledPolicy
  /** The same for policies that decide the same at the same places. */
  readonly meaning: string
}

/** By the control plane's own reading and the waypoint's own; what neither understands denies. */
export function readPolicy(written: AuthorizationPolicy, domains?: TrustDomains): ReadPolicy {
  const { name, bytes } = httpAuthorization(written, [])
  const decoded = decodeHttpAuthorization(name, bytes)
  const policy = decoded.ok ? decoded.value : decoded.standIn
  const { namespace, selector, targetRefs } = written
  const binding = { namespace, selector, targetRefs }
  const { action, dryRun, rules } = policy
  return {
    key: name,
    binding,
    policy,
    compiled: compileRequestPolicy(policy, domains),
    meaning: JSON.stringify([binding, action, dryRun, rules]),
  }
}

/** Whether it can change an outcome. */
export function decides({ policy: { action, dryRun } }: ReadPolicy): boolean {
  return !dryRun && action !== 'Audit'
}
