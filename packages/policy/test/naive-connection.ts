// What the lists of an L4 policy mean, written from the reference's truth table: shares nothing with what decides.
import type { CidrMatch, Match, Rule, StringMatch } from '@ambit/state'
import type { ConnectionFacts } from '../src/index.ts'

export function naiveRuleMatches(rule: Rule, facts: ConnectionFacts): boolean {
  return rule.clauses.every(({ matches }) => matches.length === 0 || matches.some((match) => naiveMatch(match, facts)))
}

function naiveMatch(match: Match, facts: ConnectionFacts): boolean {
  if (Object.values(match).every((list: readonly unknown[]) => list.length === 0)) return false
  const { sourceIdentity: identity, source, destination } = facts
  const principal = identity && `${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`
  const account = ({ namespace, serviceAccount }: { namespace: string; serviceAccount: string }): boolean =>
    identity?.namespace === namespace && identity.serviceAccount === serviceAccount
  return (
    pair(match.destinationIps, match.notDestinationIps, (one) => inNetwork(one, destination.ip)) &&
    pair(match.sourceIps, match.notSourceIps, (one) => inNetwork(one, source.ip)) &&
    pair(match.destinationPorts, match.notDestinationPorts, (one) => one === destination.port) &&
    pair(match.serviceAccounts, match.notServiceAccounts, account) &&
    pair(
      match.principals,
      match.notPrincipals,
      (one) => isAny(one) || (principal !== undefined && text(one, principal)),
    ) &&
    pair(match.namespaces, match.notNamespaces, (one) => isAny(one) || text(one, identity?.namespace ?? ''))
  )
}

function pair<T>(some: readonly T[], none: readonly T[], hits: (one: T) => boolean): boolean {
  return (some.length === 0 || some.some(hits)) && !none.some(hits)
}

/** Of a policy that was not understood: in every dimension it hits. */
function isAny({ kind }: StringMatch): boolean {
  return kind === 'any'
}

function text(pattern: StringMatch, value: string): boolean {
  if (pattern.kind === 'presence') return value.length > 0
  if (!('value' in pattern)) return true
  const wanted = pattern.value
  if (pattern.kind === 'exact') return value === wanted
  const part = pattern.kind === 'prefix' ? value.slice(0, wanted.length) : value.slice(value.length - wanted.length)
  return value.length >= wanted.length && part === wanted
}

/** As text of bits; what stands for the unreadable is every address of either family. */
function inNetwork({ cidr, contains }: CidrMatch, address: ConnectionFacts['source']['ip']): boolean {
  // Only the stand-in for what could not be read says yes to both families.
  if (cidr.length === 0 && contains(address)) return true
  if (cidr.ip.includes(':') !== address.includes(':')) return false
  return bits(address).slice(0, cidr.length) === bits(cidr.ip).slice(0, cidr.length)
}

function bits(address: string): string {
  if (!address.includes(':'))
    return address
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join('')
  const [head = '', tail = ''] = address.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [front, back] = [groups(head), groups(tail)]
  const middle = address.includes('::') ? Array.from({ length: 8 - front.length - back.length }, () => '0') : []
  return [...front, ...middle, ...back]
    .map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0'))
    .join('')
}
