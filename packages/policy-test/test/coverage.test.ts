import type { Explanation } from '@ambit/explain'
import test from 'ava'
import { Coverage, type CoverageReport, coverageText, ineffectivePolicies, policyFacts } from '../src/index.ts'
import { loadTest, objectsIn, run } from './support.ts'

/** One workload behind a waypoint, and policies of its own: `rules` are those of the only one. */
const MESH = `
apiVersion: v1
kind: Namespace
metadata: { name: a, labels: { istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: waypoint, namespace: a }
spec: { gatewayClassName: istio-waypoint, listeners: [{ name: mesh, port: 15008, protocol: HBONE }] }
`
const TARGET = 'targetRefs: [{ group: "", kind: Service, name: web }]'
const policy = (name: string, spec: string): string =>
  `---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}, namespace: a }\nspec: { ${spec} }\n`
const DECLARED = `workloads: [a/web, a/alice, a/bob]\nservices: [{ name: a/web, ports: [{ name: http, port: 80 }] }]\n`

/** Coverage of the policies of namespace a by the cases. */
function cover(policies: string, cases: string): CoverageReport {
  const loaded = loadTest(`${DECLARED}cases:\n${cases}`, ...objectsIn('mesh.yaml', `${MESH}${policies}`))
  const objects = loaded.objects.filter(({ object }) => object.metadata.namespace === 'a')
  const coverage = new Coverage(policyFacts(objects))
  const { suites, failed } = run(loaded, { observe: coverage.observe })
  if (failed > 0)
    throw new Error(JSON.stringify(suites.flatMap(({ results }) => results.flatMap((one) => one.mismatches))))
  return coverage.report(ineffectivePolicies(loaded.objects))
}

const READERS = policy(
  'readers',
  `${TARGET}, rules: [{ from: [{ source: { serviceAccounts: [a/alice] } }], to: [{ operation: { methods: [GET] } }] }]`,
)
const allowed = '  - { from: a/alice, to: a/web, request: GET /, expect: allow }\n'
const otherClient = '  - { from: a/bob, to: a/web, request: GET /, expect: deny }\n'
const otherMethod = '  - { from: a/alice, to: a/web, request: PUT /, expect: deny }\n'
const both = '  - { from: a/bob, to: a/web, request: PUT /, expect: deny }\n'

test('a rule is tried by what it allows and by each clause that alone refuses', (t) => {
  const report = cover(READERS, allowed + otherClient + otherMethod)
  t.is(report.percent, 100)
  t.deepEqual(report.policies, { tried: 1, of: 1 })
  t.deepEqual(report.rules, { tried: 1, of: 1 })
  t.deepEqual(report.clauses, { tried: 2, of: 2 })
  t.deepEqual(coverageText(report), [
    'Coverage 100.0 %: 1 of 1 policies asked, 1 of 1 rules decided a case, 2 of 2 clauses tried both ways',
  ])
})

test('what two clauses refuse tries neither', (t) => {
  const report = cover(READERS, allowed + both)
  t.deepEqual(report.clauses, { tried: 0, of: 2 })
  t.deepEqual(coverageText(report).slice(1), [
    '  a/readers (ALLOW)',
    '    #0 from[0].source.serviceAccounts: no case is kept out of the rule by it alone',
    '    #0 to[0].operation.methods: no case is kept out of the rule by it alone',
  ])
  t.is(report.percent, 50)
})

test('a rule that lets nobody in decided nothing', (t) => {
  const report = cover(READERS, otherClient + otherMethod)
  t.deepEqual(report.rules, { tried: 0, of: 1 })
  t.deepEqual(coverageText(report).slice(1), ['  a/readers (ALLOW)', '    #0 decided no case'])
})

test('a clause that alone refuses is not tried where another rule lets in', (t) => {
  const anybody = policy('anybody', `${TARGET}, rules: [{ to: [{ operation: { methods: [PUT] } }] }]`)
  const report = cover(READERS + anybody, `${allowed}  - { from: a/alice, to: a/web, request: PUT /, expect: allow }\n`)
  t.deepEqual(report.rules, { tried: 2, of: 2 })
  t.deepEqual(report.clauses, { tried: 0, of: 3 })
})

test('of a DENY policy too: what it denies, and what it lets go', (t) => {
  const keepOut = policy(
    'keep-out',
    `${TARGET}, action: DENY, rules: [{ to: [{ operation: { paths: [/internal*] } }] }]`,
  )
  const go = '  - { from: a/alice, to: a/web, request: GET /other, expect: allow }\n'
  const stop = '  - { from: a/alice, to: a/web, request: GET /internal, expect: deny, by: a/keep-out#0 }\n'
  t.is(cover(keepOut, go + stop).percent, 100)
  t.deepEqual(coverageText(cover(keepOut, go)).slice(1), ['  a/keep-out (DENY)', '    #0 decided no case'])
})

test('an alternative that is never the one', (t) => {
  const two = policy(
    'two',
    `${TARGET}, rules: [{ from: [{ source: { serviceAccounts: [a/alice] } }, { source: { serviceAccounts: [a/bob] } }] }]`,
  )
  const report = cover(two, `${allowed}  - { from: a/web, to: a/web, request: GET /, expect: deny }\n`)
  t.deepEqual(coverageText(report).slice(1), [
    '  a/two (ALLOW)',
    '    #0 from[1].source.serviceAccounts: no case needs it to hold',
  ])
})

test('policies that no case concerns, and those that can match nothing', (t) => {
  const elsewhere = policy('elsewhere', 'selector: { matchLabels: { app: bob } }, rules: [{}]')
  const nothing = policy('nothing', 'selector: { matchLabels: { app: nobody } }, rules: [{}]')
  const atNode = policy(
    'at-node',
    'selector: { matchLabels: { app: web } }, rules: [{ to: [{ operation: { methods: [GET] } }] }, { from: [{ source: { principals: ["*/sa/waypoint"] } }] }]',
  )
  const nowhere = policy('nowhere', 'targetRefs: [{ group: "", kind: Service, name: gone }], rules: [{}]')
  const report = cover(READERS + elsewhere + nothing + nowhere + atNode, allowed)
  const text = coverageText(report)
  t.true(text.includes('  a/elsewhere (ALLOW): no case concerns it'), text.join('\n'))
  t.true(
    text.includes(
      '  a/nothing (ALLOW): can never match: No matching workloads for this resource with the following labels: app=nobody',
    ),
    text.join('\n'),
  )
  t.true(text.includes('  a/nowhere (ALLOW): can never match: Service a/gone was not found'), text.join('\n'))
  t.deepEqual(report.policies, { tried: 2, of: 5 })
  const [excluded] = report.details.find(({ policy: name }) => name === 'a/at-node')?.rules ?? []
  t.truthy(excluded?.excluded, text.join('\n'))
})

test('dry-run policies decide nothing and are not counted; without policies all is covered', (t) => {
  const dry = READERS.replace(
    'name: readers, namespace: a',
    'name: readers, namespace: a, annotations: { istio.io/dry-run: "true" }',
  )
  const report = cover(dry, allowed)
  t.is(report.percent, 100)
  t.deepEqual(report.details, [])
})

test('fields are named as explanations name them', (t) => {
  const all = policy(
    'all',
    `${TARGET}, rules: [{ from: [{ source: { principals: [x], notPrincipals: [y], requestPrincipals: [x], notNamespaces: [x], ipBlocks: [10.0.0.0/8], remoteIpBlocks: [10.0.0.0/8], trustDomains: [x] } }, { source: { serviceAccounts: [x/y] } }],
      to: [{ operation: { hosts: [x], ports: ["80"], methods: [GET], paths: [/x], notPaths: [/y] } }],
      when: [{ key: "request.headers[x-a]", values: [b] }, { key: source.ip, notValues: [10.0.0.0/8] }, { key: "request.auth.claims[a][b]", values: [c] }, { key: connection.sni, values: [x] }] }]`,
  )
  const loaded = loadTest(
    `${DECLARED}cases:\n  - { from: a/alice, to: a/web, request: GET /, expect: deny }\n`,
    ...objectsIn('mesh.yaml', `${MESH}${all}`),
  )
  const explanations: Explanation[] = []
  run(loaded, { observe: (one) => explanations.push(one) })
  const traced = explanations
    .flatMap(({ points }) => points.flatMap(({ policies }) => policies))
    .filter((trace) => trace.policy === 'a/all')
    .flatMap(({ rules }) => rules.flatMap(({ clauses }) => clauses.map(({ field }) => field)))
  const [facts] = policyFacts(loaded.objects.filter(({ object }) => object.metadata.name === 'all'))
  t.deepEqual([...(facts?.rules[0] ?? [])].toSorted(), traced.toSorted())
  t.is(traced.length, 15)
})
