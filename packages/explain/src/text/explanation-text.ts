import type {
  ClauseTrace,
  EnforcementPoint,
  Explanation,
  Hop,
  NotEnforced,
  PolicyTrace,
  RuleTrace,
} from '../explanation.types.ts'
import { MAX_SHOWN_RULES, MAX_SHOWN_VALUES } from '../limits.ts'
import { type Paint, PLAIN } from './paint.ts'
import { shown } from './shown.ts'

/** An explanation for people: what happens, the way, every policy, and what decides nothing. */
export function explanationText(explanation: Explanation, paint: Paint = PLAIN): string {
  const { path, points, notEnforced, gaps, mixed = [] } = explanation
  const sections: readonly (readonly string[])[] = [
    headline(explanation, paint),
    mixed.length === 0
      ? []
      : [
          paint.strong('Other endpoints'),
          ...mixed.map(
            ({ endpoint, outcome, reason }) =>
              `  ${mark(outcome === 'allowed', paint)} ${shown(endpoint)}: ${outcome}, ${shown(reason)}`,
          ),
        ],
    [paint.strong('Path'), ...path.flatMap((hop, i) => hopLines(hop, i, paint))],
    [
      paint.strong('Policies'),
      ...(points.length === 0
        ? ['  nothing is enforced on the way']
        : points.flatMap((point) => pointLines(point, paint))),
    ],
    notEnforced.length === 0
      ? []
      : [paint.strong('Not enforced'), ...notEnforced.map((one) => notEnforcedLine(one, paint))],
    gaps.length === 0 ? [] : [paint.strong('Not known'), ...gaps.map((gap) => `  ${shown(gap)}`)],
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function headline(
  { outcome, point, reason, policy, rule, unmatched = [], nearest, points }: Explanation,
  paint: Paint,
): readonly string[] {
  const where = point === undefined ? '' : ` at ${placeOf(points, point)}`
  const word = outcome === 'allowed' ? paint.good('ALLOWED') : paint.bad(outcome.toUpperCase())
  const lines = [`${word}${where}: ${shown(reason)}`]
  if (policy !== undefined) lines.push(`  by ${shown(policy)}${rule === undefined ? '' : `, rule ${rule}`}`)
  if (unmatched.length > 0 && outcome === 'denied') lines.push(`  no rule matched of ${listed(unmatched)}`)
  if (nearest !== undefined) {
    const { policy: near, rule: of, failed } = nearest
    lines.push(`  the nearest is rule ${of} of ${shown(near)}, which lacks:`)
    for (const clause of failed) lines.push(`    ${clauseLine(clause, paint)}`)
  }
  return lines
}

function placeOf(points: readonly EnforcementPoint[], name: EnforcementPoint['name']): string {
  const found = points.find((point) => point.name === name)
  return found === undefined ? name : pointName(found)
}

const POINTS: Readonly<Record<EnforcementPoint['name'], string>> = {
  'source-ztunnel': 'the ztunnel of client',
  gateway: 'gateway',
  waypoint: 'waypoint',
  'destination-ztunnel': 'the ztunnel of',
}

function pointName({ name, at }: EnforcementPoint): string {
  return `${POINTS[name]} ${shown(at)}`
}

const BY: Readonly<Record<'hbone' | 'plain' | 'local', string>> = {
  hbone: 'mutual TLS (HBONE)',
  plain: 'plain text',
  local: 'in the pod',
}

function hopLines({ kind, name, node, identity, by, because }: Hop, index: number, paint: Paint): readonly string[] {
  const on = node === undefined || kind === 'ztunnel' ? '' : ` on ${shown(node)}`
  const to = by?.address === undefined ? '' : ` to ${shown(by.address)}`
  const transport =
    by === undefined || (kind === 'ztunnel' && by.transport === 'local')
      ? ''
      : `, ${by.transport === 'plain' ? paint.warn(BY.plain) : BY[by.transport]}${to}`
  const title = `  ${index + 1}. ${kind} ${shown(name)}${on}${transport}`
  const who = identity === undefined ? [] : [`     ${paint.faint(shown(identity))}`]
  return [title, ...who, `     ${paint.faint(shown(because))}`]
}

const VERDICTS: Readonly<Record<EnforcementPoint['verdict'], string>> = {
  allowed: 'allowed',
  denied: 'denied',
  unreachable: 'ends here',
  'not-reached': 'not reached',
}

function pointLines(point: EnforcementPoint, paint: Paint): readonly string[] {
  const { verdict, reason, policies } = point
  const word = verdict === 'allowed' ? paint.good(VERDICTS.allowed) : paint.bad(VERDICTS[verdict])
  const none = policies.length === 0 && verdict === 'allowed' ? ['    no policy is in force here'] : []
  return [
    `  ${pointName(point)}: ${word} (${shown(reason)})`,
    ...none,
    ...policies.flatMap((policy) => policyLines(policy, paint)),
  ]
}

function policyLines({ policy, kind, action, dryRun, matched, rules }: PolicyTrace, paint: Paint): readonly string[] {
  const word = `${matched ? 'matches' : 'does not match'}${dryRun ? ', and only reports' : ''}`
  const title = `    ${action} ${shown(policy)} (${kind}) ${word}`
  const left = rules.length - MAX_SHOWN_RULES
  const empty = rules.length === 0 ? ['      it has no rules'] : []
  const shownRules = matched
    ? rules.filter((rule, i) => rule.matched || i < MAX_SHOWN_RULES)
    : rules.slice(0, MAX_SHOWN_RULES)
  const more =
    left > 0 && shownRules.length < rules.length ? [`      and ${rules.length - shownRules.length} more rules`] : []
  return [title, ...empty, ...shownRules.flatMap((rule) => ruleLines(rule, paint)), ...more]
}

function ruleLines({ rule, matched, excluded, clauses }: RuleTrace, paint: Paint): readonly string[] {
  const title = `      ${mark(matched, paint)} rule ${rule}`
  if (excluded !== undefined) return [`${title}: not asked, ${shown(excluded)}`]
  const all = clauses.length === 0 ? [`${title}: matches everything`] : [title]
  return [...all, ...clauses.map((clause) => `        ${clauseLine(clause, paint)}`)]
}

function clauseLine({ field, holds, ignored, wanted, notWanted, actual }: ClauseTrace, paint: Paint): string {
  const asked = [
    ...(wanted.length === 0 ? [] : [`wants ${listed(wanted)}`]),
    ...(notWanted.length === 0 ? [] : [`not ${listed(notWanted)}`]),
  ].join(', ')
  const nothing = ignored === true ? 'ignored, this is no HTTP' : 'nothing there'
  const found = actual === undefined ? nothing : actual === '' ? '""' : shown(actual)
  return `${mark(holds, paint)} ${shown(field)}: ${holds ? found : paint.strong(found)}${asked === '' ? '' : paint.faint(`, ${asked}`)}`
}

function notEnforcedLine({ policy, kind, code, because }: NotEnforced, paint: Paint): string {
  return `  ${paint.warn('!')} ${shown(policy)} (${kind}), ${code}: ${shown(because)}`
}

function mark(holds: boolean, paint: Paint): string {
  return holds ? paint.good('✓') : paint.bad('✗')
}

function listed(values: readonly string[]): string {
  const some = values.slice(0, MAX_SHOWN_VALUES).map(shown).join(' or ')
  return values.length > MAX_SHOWN_VALUES ? `${some} or ${values.length - MAX_SHOWN_VALUES} more` : some
}
