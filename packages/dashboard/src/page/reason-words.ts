const WORDS: Readonly<Record<string, string>> = {
  'not-allowed': 'no ALLOW policy lets it pass',
  'deny-policy': 'a DENY policy matches',
  'missing-policy': 'a policy it is to be judged by is not known here yet',
  unavailable: 'what a policy asks for can’t be checked here',
  'allow-policy': 'an ALLOW policy matches',
  'no-allow-policies': 'no ALLOW policy applies',
}

/** How a waypoint's access log begins to say it. */
const BY_POLICY = 'rbac_access_denied_matched_policy['

function byPolicy(reason: string): string {
  return WORDS[reason === `${BY_POLICY}none]` ? 'not-allowed' : 'deny-policy'] ?? reason
}

interface Reasoned {
  readonly reason: string
  readonly policy?: string | undefined
  readonly rule?: number | undefined
  readonly unmatched?: readonly string[] | undefined
}

/** Why, with the policies that decided or did not match. */
export function reasonWords({ reason, policy, rule, unmatched = [] }: Reasoned): string {
  const words = WORDS[reason] ?? (reason.startsWith(BY_POLICY) ? byPolicy(reason) : reason)
  if (policy !== undefined) return `${words}: ${policy}${rule === undefined ? '' : `, rule ${rule}`}`
  return unmatched.length === 0 ? words : `${words}; there is ${unmatched.join(', ')}`
}
