import type { ClauseTrace, EnforcementPoint, Explanation, Hop, PolicyTrace, RuleTrace } from '@ambit/explain'
import { h, icon } from './dom.ts'
import { reasonWords } from './reason-words.ts'

const POINTS: Readonly<Record<EnforcementPoint['name'], string>> = {
  'source-ztunnel': 'Client’s node proxy',
  gateway: 'Gateway',
  waypoint: 'Waypoint',
  'destination-ztunnel': 'Server’s node proxy',
}
const VERDICTS: Readonly<Record<EnforcementPoint['verdict'], string>> = {
  allowed: '✓ allowed',
  denied: '✗ denied',
  unreachable: '✗ unreachable',
  'not-reached': '– not reached',
}
const OUTCOMES: Readonly<Record<Explanation['outcome'], string>> = {
  allowed: 'Allowed',
  denied: 'Denied',
  unreachable: 'Not reachable',
}

/** Why it is as it is, clause by clause. */
export function explanationView(explanation: Explanation): HTMLElement {
  const { outcome, nearest, notEnforced, gaps } = explanation
  return h(
    'div',
    { class: 'explanation' },
    h(
      'p',
      { class: `verdict ${outcome}` },
      icon(outcome === 'allowed' ? 'locked' : outcome === 'denied' ? 'denied' : 'failed'),
      h('strong', {}, OUTCOMES[outcome]),
      ' ',
      reasonWords(explanation),
    ),
    pathView(explanation.path),
    nearest === undefined
      ? undefined
      : h(
          'div',
          { class: 'nearest' },
          h('h4', {}, `Nearest: ${nearest.policy}, rule ${nearest.rule}`),
          h('ul', { class: 'clauses' }, ...nearest.failed.map(clauseView)),
        ),
    ...explanation.points.map(pointView),
    notEnforced.length === 0
      ? undefined
      : h(
          'div',
          {},
          h('h4', {}, 'Not enforced'),
          h('ul', {}, ...notEnforced.map((one) => h('li', {}, h('b', {}, one.policy), ` ${one.because}`))),
        ),
    gaps.length === 0
      ? undefined
      : h('div', {}, h('h4', {}, 'Left out'), h('ul', {}, ...gaps.map((gap) => h('li', {}, gap)))),
  )
}

function pathView(path: readonly Hop[]): HTMLElement {
  return h(
    'ol',
    { class: 'hops', 'aria-label': 'The way it takes' },
    ...path.map((hop) =>
      h(
        'li',
        {},
        hop.by === undefined ? undefined : h('span', { class: `by ${hop.by.transport}` }, BY[hop.by.transport]),
        h('b', {}, hop.name),
        h('span', { class: 'quiet' }, ` ${hop.kind}`),
        h('p', { class: 'quiet' }, hop.because),
      ),
    ),
  )
}

const BY: Readonly<Record<'hbone' | 'plain' | 'local', string>> = {
  hbone: 'by mutual TLS to ',
  plain: 'in plain text to ',
  local: 'on the node to ',
}

function pointView(point: EnforcementPoint): HTMLElement {
  const asked = point.policies.length
  return h(
    'details',
    { class: 'point', open: point.verdict === 'denied' },
    h(
      'summary',
      {},
      h('span', { class: `mark ${point.verdict}` }, VERDICTS[point.verdict]),
      ` ${POINTS[point.name]} ${point.at}`,
    ),
    h('p', { class: 'quiet' }, reasonWords({ reason: point.reason })),
    ...point.policies.map(policyView),
    asked === 0 ? h('p', { class: 'quiet' }, 'No policy applies here.') : undefined,
  )
}

function policyView(policy: PolicyTrace): HTMLElement {
  const state = policy.matched ? '✓ matches' : '✗ does not match'
  return h(
    'div',
    { class: 'policy' },
    h(
      'h5',
      {},
      policy.policy,
      h('span', { class: 'quiet' }, ` ${policy.kind} ${policy.action}${policy.dryRun ? ', dry run' : ''}`),
      h('span', { class: `mark ${policy.matched ? 'holds' : 'fails'}` }, state),
    ),
    ...policy.rules.map(ruleView),
  )
}

function ruleView(rule: RuleTrace): HTMLElement {
  return h(
    'div',
    { class: 'rule' },
    h('p', {}, `rule ${rule.rule}${rule.excluded === undefined ? '' : `: ${rule.excluded}`}`),
    h('ul', { class: 'clauses' }, ...rule.clauses.map(clauseView)),
  )
}

function clauseView(clause: ClauseTrace): HTMLElement {
  const wanted = clause.wanted.join(', ')
  const notWanted = clause.notWanted.length === 0 ? '' : `not ${clause.notWanted.join(', ')}`
  return h(
    'li',
    { class: clause.holds ? 'holds' : 'fails' },
    h('span', { class: 'sign' }, clause.holds ? '✓' : '✗'),
    h('span', { class: 'sr' }, clause.holds ? ' holds: ' : ' fails: '),
    h('code', {}, clause.field),
    h('span', {}, ` wants ${[wanted, notWanted].filter((part) => part !== '').join(' and ')}`),
    h('span', { class: 'quiet' }, clause.actual === undefined ? '; there is none' : `; is ${clause.actual}`),
  )
}
