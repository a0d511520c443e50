import type { Condition, Decision, ObjectChange, PolicyDiff, Region } from '../diff.types.ts'

const NOBODY = 'no identity'
const ABSENT = 'none'

const FIELDS: Readonly<Record<string, string>> = {
  sourceIp: 'address',
  sni: 'server name',
  subject: 'token of',
}

/** A condition as people say it. */
export function conditionPhrase({ field, is, isNot }: Condition): string {
  if (field === 'client') return clientPhrase(is, isNot)
  const name = FIELDS[field] ?? field
  if (is.length > 0) return is.length === 1 && is[0] === ABSENT ? `no ${name}` : `${name} ${listed(is.map(absent))}`
  const named = isNot.filter((value) => value !== ABSENT)
  const present = named.length < isNot.length ? `any ${name}` : name
  if (named.length === 0) return present
  return present === name ? `${name} other than ${listed(named)}` : `${present} but ${listed(named)}`
}

function clientPhrase(is: readonly string[], isNot: readonly string[]): string {
  if (is.length > 0) return is.length === 1 && is[0] === NOBODY ? 'clients without an identity' : `client ${listed(is)}`
  const named = isNot.filter((value) => value !== NOBODY)
  const who = named.length < isNot.length ? 'any identity' : 'anyone'
  return named.length === 0 ? who : `${who} but ${listed(named)}`
}

function absent(value: string): string {
  return value === ABSENT ? 'absent' : value === '' ? '""' : value
}

export function conditionsPhrase({ conditions }: Pick<Region, 'conditions'>): string {
  return conditions.length === 0 ? 'everything' : conditions.map(conditionPhrase).join('; ')
}

/** Who decides. */
export function decisionPhrase({ outcome, point, policy, rule, unmatched, reason }: Decision): string {
  const at = point === undefined ? '' : ` (${point})`
  if (policy !== undefined) return `${policy}${rule === undefined ? '' : ` rules[${rule}]`}${at}`
  if (unmatched !== undefined && unmatched.length > 0) return `no rule of ${listed(unmatched)} allows it${at}`
  if (outcome === 'allowed' && reason === 'no-allow-policies') return `no policy forbids it${at}`
  return `${reason}${at}`
}

/** At most this many are named. */
const MAX_NAMED = 12

export function listed(values: readonly string[]): string {
  const named = values.slice(0, MAX_NAMED)
  const more = values.length - named.length
  if (more > 0) return `${named.join(', ')} and ${more} more`
  return named.length < 2 ? named.join('') : `${named.slice(0, -1).join(', ')} or ${named.at(-1)}`
}

export function namesOf(values: readonly string[]): string {
  const more = values.length - MAX_NAMED
  return values.slice(0, MAX_NAMED).join(', ') + (more > 0 ? `, and ${more} more` : '')
}

export function objectPhrase({ change, kind, name }: ObjectChange): string {
  return `${kind} ${name} ${change}`
}

/** `3 newly denied, 1 newly allowed`. */
export function countsPhrase(diff: PolicyDiff): string {
  const { flows } = diff
  if (flows === undefined) return ''
  const sum = (change: 'denied' | 'allowed'): number =>
    flows.changed.filter((one) => one.change === change).reduce((all, { count }) => all + count, 0)
  const unjudged = flows.unjudged.reduce((all, { count }) => all + count, 0)
  const parts = [`${sum('denied')} newly denied`, `${sum('allowed')} newly allowed`, `${flows.unchanged} unchanged`]
  if (unjudged > 0) parts.push(`${unjudged} that can't be judged`)
  return parts.join(', ')
}

export function nothingPhrase({ isPartial }: PolicyDiff): string {
  return isPartial
    ? 'No change was found, in what was looked at.'
    : 'Nothing changes: everybody may do what they could before.'
}
