import { isIPv6 } from 'node:net'
import { arrayOf, type JsonObject } from '../json.ts'
import { invalid } from '../status-error.ts'
import { invalidValue } from '../validation/causes.ts'

export type Family = 'IPv4' | 'IPv6'

const other = (family: Family): Family => (family === 'IPv4' ? 'IPv6' : 'IPv4')

/**
 * Settles `ipFamilies` and `ipFamilyPolicy` of a service that has addresses. The first family never changes; the second
 * comes and goes with the policy.
 */
export function withFamilies(
  spec: JsonObject,
  before: JsonObject | undefined,
  name: string,
  hasIpv6: boolean,
): readonly Family[] {
  const refuse = (field: string, value: unknown, detail: string): never => {
    throw invalid('', 'Service', name, [invalidValue(field, value, detail)])
  }
  const asked = arrayOf(spec['ipFamilies']).filter((family) => family === 'IPv4' || family === 'IPv6')
  const addresses = arrayOf(spec['clusterIPs']).length > 1
  // The endpoints of such a service are somebody else's business, in whatever family they have.
  const manual =
    spec['clusterIP'] === 'None' && Object.keys((spec['selector'] as object | undefined) ?? {}).length === 0
  const fallback = manual ? 'RequireDualStack' : asked.length > 1 || addresses ? 'RequireDualStack' : 'SingleStack'
  const policy = spec['ipFamilyPolicy'] ?? fallback
  spec['ipFamilyPolicy'] = policy
  if (policy === 'SingleStack') {
    const reduced = before !== undefined && before['ipFamilyPolicy'] !== 'SingleStack'
    if (asked.length > 1 && !reduced)
      refuse(
        'spec.ipFamilyPolicy',
        policy,
        'must be RequireDualStack or PreferDualStack when multiple ipFamilies are specified',
      )
    if (reduced) spec['clusterIPs'] = arrayOf(spec['clusterIPs']).slice(0, 1)
  }
  const ip = spec['clusterIP']
  const first: Family = asked[0] ?? (typeof ip === 'string' && isIPv6(ip) ? 'IPv6' : 'IPv4')
  const wantsBoth = policy === 'RequireDualStack' || policy === 'PreferDualStack'
  if (!hasIpv6 && !manual) {
    if (first === 'IPv6') refuse('spec.ipFamilies[0]', first, 'not configured on this cluster')
    if (policy === 'RequireDualStack')
      refuse('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services')
  }
  const families: readonly Family[] = wantsBoth && (hasIpv6 || manual) ? [first, other(first)] : [first]
  spec['ipFamilies'] = families
  return families
}
