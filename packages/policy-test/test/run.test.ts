// From cases to results, and from results to reports that the programs they are for can read.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer } from '@ambit/explain'
import test from 'ava'
import { parse } from 'junit2json'
import { Parser } from 'tap-parser'
import {
  changesBetween,
  changesText,
  jsonReport,
  junitReport,
  runSuites,
  selectCases,
  tapReport,
  textReport,
} from '../src/index.ts'
import { judgeCase } from '../src/judge-case.ts'
import { loadSuites } from '../src/load-suites.ts'
import type { Expectation } from '../src/policy-test.types.ts'
import { BENCH, HEAD, loadTest, objectsIn, run, sample } from './support.ts'

/** One of each: as expected, another outcome, another policy, another place, another reason, and one that is not enforced. */
const MIXED = `cases:
  - name: a curator moderates
    from: people/curator
    to: bookinfo/reviews
    request: { path: /reviews/0, headers: { x-purpose: moderation } }
    expect: allow
  - name: 'a reader reads & "writes" <reviews> \\ # all of them'
    from: people/reader
    to: bookinfo/reviews
    request: PUT /reviews/0
    expect: allow
  - name: by another
    from: bookinfo/bookinfo-productpage
    to: bookinfo/reviews
    request: /reviews/0
    expect: allow
    by: bookinfo/reviews-readers#1
  - name: elsewhere
    from: people/reader
    to: finance/ledger
    expect: deny
    at: waypoint
    reason: token
`
const golden = (name: string): string => readFileSync(join(import.meta.dirname, 'golden', name), 'utf8').trimEnd()
const mixed = run(loadTest(MIXED))

test('for people', (t) => {
  t.is(textReport(mixed, { colour: false, verbose: true }).join('\n'), golden('mixed.txt'))
  const coloured = textReport(mixed, { colour: true, verbose: true }).join('\n')
  t.is(coloured.replaceAll(/\u001b\[\d+m/g, ''), golden('mixed.txt'))
  t.true(coloured.includes('\u001b[31m✘\u001b[0m'))
})

test('TAP 14, as a parser of it reads it', (t) => {
  const text = tapReport(mixed).join('\n')
  t.is(text, golden('mixed.tap'))
  const events = Parser.parse(`${text}\n`)
  const asserts = events.flatMap((event) => (event[0] === 'assert' ? [event[1]] : []))
  t.deepEqual(
    asserts.map(({ ok, name }) => [ok, name]),
    mixed.suites.flatMap(({ results }) =>
      results.map(({ outcome, case: { name } }) => [outcome === 'passed', `t: ${name}`]),
    ),
  )
  t.deepEqual(
    events.filter(([kind]) => kind === 'extra' || kind === 'bailout'),
    [],
  )
  const { diag } = asserts[1] ?? {}
  t.is(diag?.expected, 'allow')
  t.deepEqual(diag?.at, { file: 't.yaml', line: 10, column: 5 })
  const complete = events.find(([kind]) => kind === 'complete')?.[1] as { readonly plan: { readonly end: number } }
  t.is(complete.plan.end, 4)
})

test('TAP of a run that was cut short', (t) => {
  const cut = run(loadTest(MIXED), { failFast: true })
  t.deepEqual([cut.passed, cut.failed, cut.notRun], [1, 1, 2])
  const events = Parser.parse(`${tapReport(cut).join('\n')}\n`)
  t.true(events.some(([kind]) => kind === 'bailout'))
})

test('JUnit, as a parser of it reads it', async (t) => {
  const xml = junitReport(mixed)
  t.is(xml, golden('mixed.xml'))
  const parsed = (await parse(xml)) as unknown as {
    readonly tests: number
    readonly failures: number
    readonly testsuite: readonly {
      readonly name: string
      readonly testcase: readonly {
        readonly name: string
        readonly classname: string
        readonly failure?: readonly { readonly message: string; readonly inner: string }[]
      }[]
    }[]
  }
  t.deepEqual([parsed.tests, parsed.failures], [4, 3])
  const cases = parsed.testsuite.flatMap((suite) => suite.testcase)
  t.deepEqual(
    cases.map(({ name }) => name),
    mixed.suites.flatMap(({ results }) => results.map((result) => result.case.name)),
  )
  t.is(cases[0]?.failure, undefined)
  t.regex(
    cases[1]?.failure?.[0]?.message ?? '',
    /^expected allow, actual deny at waypoint by none of bookinfo\/reviews-readers$/,
  )
  t.regex(
    cases[1]?.failure?.[0]?.inner ?? '',
    /nearest {3}bookinfo\/reviews-readers#0 if to\[0\]\.operation\.methods is GET/,
  )
})

test('JUnit is well-formed, whatever names hold', async (t) => {
  const strange = `"\\u0000\\e[31m <&>\\"' ]]> \\uD800 \\t\\n\\x7f é 😀"`
  const loaded = loadTest(
    `cases:\n  - { name: ${strange}, from: outside, to: bookinfo/reviews, request: /, expect: allow }\n`,
  )
  const xml = junitReport(run(loaded))
  t.is(((await parse(xml)) as unknown as { tests: number }).tests, 1)
  t.notRegex(xml, /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u)
  const lint = spawnSync('xmllint', ['--noout', '-'], { input: xml, encoding: 'utf8' })
  if (lint.error === undefined) t.is(lint.status, 0, lint.stderr)
  else t.log(`without xmllint: ${lint.error.message}`)
  const [line = ''] = textReport(run(loaded), { colour: false, verbose: false }).filter((each) => each.includes('✘'))
  t.notRegex(line, /\p{Cc}/u)
  const tap = tapReport(run(loaded)).filter((each) => each.startsWith('not ok'))
  t.is(tap.length, 1)
  t.notRegex(tap[0] ?? '', /\p{Cc}/u)
})

test('JSON', (t) => {
  const report = JSON.parse(jsonReport(mixed, undefined)) as {
    readonly tests: readonly { readonly cases: readonly Record<string, unknown>[] }[]
  }
  t.deepEqual(report, JSON.parse(golden('mixed.json')))
  t.is(report.tests[0]?.cases.length, 4)
})

const answer = (more: Partial<Answer>): Answer => ({ outcome: 'denied', reason: 'because', ...more })
const expectation = (more: Partial<Expectation>): Expectation => ({
  outcome: 'deny',
  by: undefined,
  place: undefined,
  reason: undefined,
  ...more,
})
const policy = (name: string, rule?: number): Expectation['by'] => ({
  namespace: 'a',
  name,
  rule,
  at: { line: 1, column: 1 },
})
const whats = (expected: Partial<Expectation>, given: Partial<Answer>): readonly string[] =>
  judgeCase(expectation(expected), answer(given)).map(({ what, actual }) => `${what}: ${actual}`)

test('an outcome, of all endpoints that might be chosen', (t) => {
  t.deepEqual(whats({}, {}), [])
  t.deepEqual(whats({ outcome: 'allow' }, { point: 'waypoint' }), ['expect: deny at waypoint'])
  t.deepEqual(whats({ outcome: 'unreachable' }, { outcome: 'unreachable' }), [])
  t.deepEqual(whats({}, { outcome: 'unreachable' }), ['expect: unreachable'])
  const mixedAnswer = { mixed: [{ endpoint: 'a/w-2', outcome: 'allowed', reason: '' }] } as const
  t.deepEqual(whats({}, mixedAnswer), ['expect: deny; allow if a/w-2 is chosen'])
})

test('by whom, where and why', (t) => {
  const denied = { point: 'waypoint', policy: 'a/p', rule: 1 } as const
  t.deepEqual(whats({ by: policy('p') }, denied), [])
  t.deepEqual(whats({ by: policy('p', 1), place: 'waypoint' }, denied), [])
  t.deepEqual(whats({ by: policy('p', 0) }, denied), ['by: a/p#1'])
  t.deepEqual(whats({ by: policy('q'), place: 'ztunnel' }, denied), ['by: a/p#1', 'at: waypoint'])
  const unmatched = { point: 'destination-ztunnel', unmatched: ['a/p', 'a/q'] } as const
  t.deepEqual(whats({ by: policy('q'), place: 'ztunnel' }, unmatched), [])
  t.deepEqual(whats({ by: policy('q', 0) }, unmatched), ['by: none of a/p, a/q'])
  t.deepEqual(whats({ by: policy('q') }, {}), ['by: no policy'])
  t.deepEqual(whats({ place: 'gateway' }, {}), ['at: nothing stood in the way'])
  t.deepEqual(whats({ reason: 'caus' }, {}), [])
  t.deepEqual(whats({ reason: 'token' }, {}), ['reason: because'])
  const allowed: Partial<Answer> = {
    outcome: 'allowed',
    allowedBy: [
      { point: 'waypoint', policy: 'a/p', rule: 0 },
      { point: 'destination-ztunnel', policy: 'a/q', rule: 1 },
    ],
  }
  for (const by of [policy('p'), policy('q'), policy('q', 1)]) t.deepEqual(whats({ outcome: 'allow', by }, allowed), [])
  t.deepEqual(whats({ outcome: 'allow', by: policy('p'), place: 'waypoint' }, allowed), [])
  t.deepEqual(whats({ outcome: 'allow', by: policy('p'), place: 'ztunnel' }, allowed), ['at: waypoint'])
  t.deepEqual(whats({ outcome: 'allow', by: policy('r') }, allowed), ['by: a/p#0, a/q#1'])
})

test('an answer that there is none of is an error, and no reason to stop', (t) => {
  const fail = (): never => {
    throw new Error('no answer')
  }
  const judge = { ask: fail, explain: fail, trace: fail }
  const { suites } = loadTest(MIXED)
  const result = runSuites(
    suites.map((suite) => ({ ...suite, judge })),
    { now: () => 0, failFast: false },
  )
  t.is(result.failed, 4)
  t.regex(junitReport(result), /errors="4"[\s\S]*<error message="expected allow, actual no answer: no answer"/)
  t.regex(textReport(result, { colour: false, verbose: false }).join('\n'), /actual {4}no answer: no answer/)
})

test('of very many failures only the first are explained', (t) => {
  const paths = Array.from({ length: 250 }, (_, i) => `/reviews/${i}`).join(', ')
  const many = run(
    loadTest(
      `cases:\n  - { from: people/reader, to: bookinfo/reviews, request: { path: [${paths}] }, expect: allow }\n`,
    ),
  )
  const results = many.suites.flatMap((suite) => suite.results)
  t.is(many.failed, 250)
  t.is(results.filter(({ explanation }) => explanation !== undefined).length, 200)
  t.true(textReport(many, { colour: false, verbose: false }).length > 1000)
})

test('names of cases: what differs', (t) => {
  const names = (body: string): readonly string[] =>
    loadTest(`cases:\n${body}`).suites.flatMap(({ cases }) => cases.map(({ name }) => name))
  const entry = (fields: string): string => `  - { ${fields}, expect: deny }\n`
  t.deepEqual(names(entry('name: n, from: outside, to: bookinfo/reviews')), ['n'])
  t.deepEqual(
    names(entry('name: n, from: outside, to: [bookinfo/reviews, bookinfo/details], request: [/a, POST /b]')),
    [
      'n: → bookinfo/reviews GET /a',
      'n: → bookinfo/reviews POST /b',
      'n: → bookinfo/details GET /a',
      'n: → bookinfo/details POST /b',
    ],
  )
  t.deepEqual(names(entry('from: outside, to: bookinfo/reviews, sourceIp: [10.0.0.1, 10.0.0.2]')), [
    'outside → bookinfo/reviews from 10.0.0.1',
    'outside → bookinfo/reviews from 10.0.0.2',
  ])
  t.deepEqual(
    names(
      '  - { name: n, to: bookinfo/reviews, matrix: { request: [/a, /b], from: { outside: deny, people/reader: [deny, deny] } } }\n',
    ),
    ['n: outside GET /a', 'n: outside GET /b', 'n: people/reader GET /a', 'n: people/reader GET /b'],
  )
})

test('what is declared exists for its test only, as it is declared', (t) => {
  const declared = `${HEAD}namespaces: [{ name: billing, labels: { istio.io/dataplane-mode: ambient } }]
workloads:
  - billing/cron
  - { name: billing/report, serviceAccount: reports, labels: { tier: batch }, ip: 10.1.2.3, ports: [8080] }
  - { name: billing/old, mesh: false }
services: [{ name: billing/api, ports: [{ name: http, port: 80, targetPort: 8080 }], selector: { tier: batch } }]
cases:
  - { name: account, from: billing/reports, to: finance/ledger, expect: deny, at: ztunnel }
  - { name: plain text, from: billing/old, to: finance/ledger, expect: deny, by: finance/identities-only }
  - { name: address, from: billing/report, to: finance/gate:80, expect: allow, by: finance/from-report#0 }
  - { name: another address, from: billing/cron, to: finance/gate:80, expect: deny }
  - { name: an address given, from: billing/cron, sourceIp: 10.1.2.3, to: finance/gate:80, expect: allow }
  - { name: its service, from: people/curator, to: billing/api, expect: allow }
`
  const gate = objectsIn(
    'gate.yaml',
    `apiVersion: v1
kind: Service
metadata: { name: gate, namespace: finance }
spec: { selector: { app: gate }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: gate, namespace: finance, labels: { app: gate } }
spec: { containers: [{ name: c, image: i }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: from-report, namespace: finance }
spec: { selector: { matchLabels: { app: gate } }, rules: [{ from: [{ source: { ipBlocks: [10.1.2.3] } }] }] }
`,
  )
  const objects = [...sample('mesh', 'policies'), ...gate, ...objectsIn('t.yaml', declared)]
  const result = run(loadSuites(objects, BENCH))
  t.deepEqual(textReport(result, { colour: false, verbose: false }).slice(0, 2), [
    't  t.yaml',
    '  ✔ 6 cases as expected',
  ])
  const other = objectsIn(
    'u.yaml',
    `${HEAD.replace('name: t', 'name: u')}cases: [{ from: billing/cron, to: finance/ledger, expect: deny }]\n`,
  )
  t.regex(
    loadSuites([...objects, ...other], BENCH).problems[0]?.message ?? '',
    /^there is no account or workload billing\/cron/,
  )
})

test('cases by their names', (t) => {
  const { suites } = loadTest(MIXED)
  const names = (...patterns: readonly string[]): readonly string[] =>
    selectCases(suites, patterns).flatMap(({ cases }) => cases.map(({ name }) => name))
  t.is(names().length, 4)
  t.deepEqual(names('MODERATES', 't: else*where'), ['a curator moderates', 'elsewhere'])
  t.deepEqual(names('reader*"writes" <'), ['a reader reads & "writes" <reviews> \\ # all of them'])
  t.deepEqual(names('.'), [])
})

test('what a rerun brought', (t) => {
  const after = run(
    loadTest(
      MIXED.replace('x-purpose: moderation', 'x-purpose: fun')
        .replace('reviews-readers#1', 'reviews-readers#0')
        .replace('name: elsewhere', 'name: there'),
    ),
  )
  const changes = changesBetween(mixed, after)
  t.deepEqual(changes, {
    newlyFailed: ['t: a curator moderates'],
    newlyPassed: ['t: by another'],
    failedOtherwise: [],
    added: ['t: there'],
    removed: ['t: elsewhere'],
  })
  t.deepEqual(changesText(changes), [
    'fails now: t: a curator moderates',
    'as expected now: t: by another',
    '1 case more',
    '1 case gone',
  ])
  t.deepEqual(changesText(changesBetween(mixed, mixed)), ['no case came out otherwise than before'])
})
