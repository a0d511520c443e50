import type { AnyObject } from '@ambit/analyze'
import { decodeAuthorizationPolicy } from '@ambit/controller/judgement'
import { fieldsRead } from '@ambit/policy'
import { readPolicy } from '../policies/read-policy.ts'
import { Patterns } from '../semantic/patterns.ts'
import type { PolicyReads } from './flow-recorder.ts'

/** What AuthorizationPolicies look at. */
export function policyReads(objects: Iterable<AnyObject>): PolicyReads {
  const policies = [...objects].map((object) => readPolicy(decodeAuthorizationPolicy(object)).policy)
  const patterns = new Patterns()
  for (const policy of policies) patterns.add(policy)
  const { headers, claims } = fieldsRead(policies)
  return { headers, claims, paths: patterns.paths }
}
