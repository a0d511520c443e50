// What is wrong with a test, told with its place and the word that was probably meant.
import test from 'ava'
import { loadSuites } from '../src/index.ts'
import { BENCH, HEAD, loadTest, objectsIn, problemsOf, sample } from './support.ts'

const refused = test.macro({
  exec(t, body: string, ...expected: readonly string[]) {
    const loaded = loadTest(body)
    t.deepEqual(problemsOf(loaded), expected)
    t.deepEqual(loaded.suites, [])
  },
  title: (title = '') => title,
})

/** A case on the lines 4 to 8, of which the given replace the usual ones. */
function one(fields: Readonly<Record<string, string>>): string {
  const usual = { name: 'c', from: 'people/curator', to: 'bookinfo/reviews', expect: 'deny' }
  const lines = Object.entries({ ...usual, ...fields }).map(([name, value]) => `${name}: ${value}`)
  return `cases:\n  - ${lines.join('\n    ')}\n`
}

test('an unknown field', refused, one({ form: 'x' }), 't.yaml:9:5: a case has no field "form"; did you mean "from"?')
test(
  'an unknown field of the test',
  refused,
  `workload: []\n${one({})}`,
  't.yaml:4:1: a test has no field "workload"; did you mean "workloads"?',
)
test(
  'nothing like a known field',
  refused,
  one({ request: '{ verb: GET }' }),
  't.yaml:9:16: request has no field "verb"; there are method, path, host, headers, claims',
)
test('a wrong type', refused, one({ from: '7' }), 't.yaml:6:5: from is a text, not 7; write it in quotes')
test(
  'a list where none belongs',
  refused,
  one({ expect: '[deny]' }),
  't.yaml:8:5: expect is one of allow, deny, unreachable, not a list',
)
test(
  'an outcome with a slip',
  refused,
  one({ expect: 'alow' }),
  't.yaml:8:5: expect is one of allow, deny, unreachable, not "alow"; did you mean "allow"?',
)
test(
  'no outcome',
  refused,
  'cases:\n  - { from: people/curator, to: bookinfo/reviews }\n',
  't.yaml:5:5: expect is one of allow, deny, unreachable, not nothing',
)
test(
  'neither client nor destination',
  refused,
  'cases:\n  - expect: deny\n',
  't.yaml:5:5: from is a text, not nothing',
  't.yaml:5:5: to is a text, not nothing',
)
test('an empty list', refused, one({ to: '[]' }), 't.yaml:7:5: to is an empty list: there is nothing to test')
test('no cases', refused, 'cases: []\n', 't.yaml:4:1: a test without cases tests nothing')
test('no list of cases', refused, 'services: []\n', 't.yaml:1:1: a test without cases tests nothing')
test('a case that is none', refused, 'cases: [x]\n', 't.yaml:4:9: a case is a mapping, not "x"')
test(
  'a client that is none',
  refused,
  one({ from: 'curator' }),
  't.yaml:6:5: "curator" is no client; write NAMESPACE/NAME of an account or a workload, outside, or spiffe://…',
)
test(
  'a client of two kinds',
  refused,
  one({ from: '{ pod: a/b, serviceAccount: a/b }' }),
  't.yaml:6:5: from has one of serviceAccount, pod, outside, not serviceAccount and pod',
)
test(
  'an unknown client',
  refused,
  one({ from: 'people/curater' }),
  't.yaml:6:5: there is no account or workload people/curater; did you mean people/curator?',
)
test(
  'an unknown client like none that is known',
  refused,
  one({ from: 'elsewhere/somebody' }),
  't.yaml:6:5: there is no account or workload elsewhere/somebody; it is in no manifest, and the test does not declare it',
)
test(
  'an unknown destination in a list, once',
  refused,
  one({ from: '[people/curator, people/reader]', to: '[bookinfo/reviews, bookinfo/reveiws]' }),
  't.yaml:7:28: there is no service or workload bookinfo/reveiws; did you mean bookinfo/reviews?',
)
test(
  'an unknown service by its host',
  refused,
  one({ to: 'rating.bookinfo.svc.cluster.local' }),
  't.yaml:7:5: there is no service bookinfo/rating; did you mean bookinfo/ratings?',
)
test(
  'a port that the service has not',
  refused,
  one({ to: 'bookinfo/reviews:80' }),
  't.yaml:7:5: service bookinfo/reviews has no port 80; it has 9080 (http)',
)
test(
  'a workload whose port is not known',
  refused,
  one({ to: '{ pod: people/reader }' }),
  't.yaml:7:5: workload people/reader needs a port: its containers name none',
)
test(
  'a port beyond all',
  refused,
  one({ to: '{ pod: people/reader, port: 70000 }' }),
  't.yaml:7:31: port is a number from 1 to 65535, not 70000',
)
test(
  'an unknown policy',
  refused,
  one({ by: 'bookinfo/review-readers' }),
  't.yaml:9:5: there is no policy bookinfo/review-readers; did you mean bookinfo/reviews-readers?',
)
test(
  'a rule that the policy has not',
  refused,
  one({ by: 'bookinfo/reviews-readers#2' }),
  't.yaml:9:5: policy bookinfo/reviews-readers has no rule #2: they are #0 to #1',
)
test(
  'a policy that is no name',
  refused,
  one({ by: 'readers' }),
  't.yaml:9:5: by is NAMESPACE/NAME of a policy or NAMESPACE/NAME#RULE, not "readers"',
)
test(
  'a place that is none',
  refused,
  one({ at: 'waypiont' }),
  't.yaml:9:5: at is one of waypoint, ztunnel, gateway, not "waypiont"; did you mean "waypoint"?',
)
test(
  'a request that is none',
  refused,
  one({ request: 'GET reviews' }),
  't.yaml:9:5: "GET reviews" is no request; write METHOD /PATH, or a mapping of method, path, host, headers, claims',
)
test(
  'a path without its slash',
  refused,
  one({ request: '{ path: reviews }' }),
  't.yaml:9:16: "reviews" is no path; it begins with /',
)
test(
  'a header that is no text',
  refused,
  one({ request: '{ headers: { x-version: 2 } }' }),
  't.yaml:9:27: header x-version is a text, not 2; write it in quotes',
)
test(
  'an issuer that is no text',
  refused,
  one({ request: '{ claims: { iss: [a] } }' }),
  't.yaml:9:26: claims.iss is a text, not a list',
)
test(
  'an address that is none',
  refused,
  one({ sourceIp: '10.0.0.300' }),
  't.yaml:9:5: sourceIp is an address, not "10.0.0.300"',
)
test(
  'two cases of one name',
  refused,
  'cases:\n  - { name: c, from: outside, to: bookinfo/reviews, expect: deny }\n  - { name: c, from: outside, to: bookinfo/details, expect: deny }\n',
  't.yaml:6:5: another case, of line 5, is called "c" too',
)

const matrix = (inside: string, more = ''): string =>
  `cases:\n  - matrix:\n      ${inside}\n${more === '' ? '' : `    ${more}\n`}`
test(
  'a row of another length',
  refused,
  matrix('to: [bookinfo/reviews, bookinfo/details]\n      from: { people/curator: [deny] }'),
  't.yaml:7:15: this row has 1 cell, the matrix 2 columns',
)
test(
  'a matrix without columns',
  refused,
  matrix('from: { people/curator: deny }'),
  't.yaml:5:5: a matrix has its columns in one of to and request',
)
test(
  'a matrix and an outcome beside it',
  refused,
  matrix('to: bookinfo/reviews\n      from: { people/curator: deny }', 'expect: deny'),
  't.yaml:8:5: expect does not go with a matrix',
)
test(
  'columns in the matrix and beside it',
  refused,
  matrix('to: bookinfo/reviews\n      from: { people/curator: deny }', 'to: bookinfo/details'),
  't.yaml:8:5: to stands in the matrix or beside it, not in both',
)
test(
  'a matrix without rows',
  refused,
  matrix('to: bookinfo/reviews\n      from: {}'),
  't.yaml:7:7: a matrix without rows: there is nothing to test',
)

test(
  'a workload that a manifest has',
  refused,
  `workloads: [people/reader]\n${one({})}`,
  't.yaml:4:13: pod people/reader is in a manifest already',
)
test(
  'a service declared twice',
  refused,
  `services:\n  - { name: people/desk, ports: [80] }\n  - { name: people/desk, ports: [80] }\n${one({})}`,
  't.yaml:6:5: service people/desk is declared twice',
)
test(
  'a service without ports',
  refused,
  `services: [{ name: people/desk }]\n${one({})}`,
  't.yaml:4:12: a service has at least one port',
)
test(
  'a workload of no namespace',
  refused,
  `workloads: [{ name: desk }]\n${one({})}`,
  't.yaml:4:15: name of a workload is NAMESPACE/NAME, not "desk"',
)

test('an account and a workload of another account', (t) => {
  const body =
    'workloads: [{ name: people/desk, serviceAccount: reception }, { name: people/other, serviceAccount: desk }]\n'
  t.deepEqual(problemsOf(loadTest(`${body}${one({ from: 'people/desk' })}`)), [
    't.yaml:7:5: people/desk is ambiguous: an account, and a workload of the account people/reception; ' +
      'write { serviceAccount: people/desk } or { pod: people/desk }',
  ])
  t.deepEqual(problemsOf(loadTest(`${body}${one({ from: '{ pod: people/desk }' })}`)), [])
  t.deepEqual(problemsOf(loadTest(`${body}${one({ from: '{ serviceAccount: people/desk }' })}`)), [])
})

test('a service and a workload that it does not select', (t) => {
  const body = 'workloads: [people/desk]\nservices: [{ name: people/desk, ports: [80], selector: { app: hall } }]\n'
  t.deepEqual(problemsOf(loadTest(`${body}${one({ to: 'people/desk:80' })}`)), [
    't.yaml:9:5: people/desk is ambiguous: a service, and a workload that the service does not select; ' +
      'write { service: people/desk } or { pod: people/desk }',
  ])
})

test('a service of several ports', (t) => {
  const body = 'services: [{ name: people/desk, ports: [80, { name: admin, port: 81 }] }]\n'
  t.deepEqual(problemsOf(loadTest(`${body}${one({ to: 'people/desk' })}`)), [
    't.yaml:8:5: service people/desk needs a port: it has 80 (port-80), 81 (admin)',
  ])
  t.deepEqual(problemsOf(loadTest(`${body}${one({ to: 'people/desk:admin' })}`)), [])
})

test('two tests of one name', (t) => {
  const again = objectsIn('u.yaml', `${HEAD}${one({})}`)
  t.deepEqual(problemsOf(loadTest(one({}), ...again)), ['t.yaml:3:13: the test of u.yaml:1 is called t too'])
})

test('a version, and a kind, that there is not', (t) => {
  const load = (head: string): readonly string[] =>
    problemsOf(loadSuites(objectsIn('t.yaml', `${head}${one({})}`), BENCH))
  t.deepEqual(load(HEAD.replace('/v1', '/v2')), [
    't.yaml:1:1: apiVersion of a test is ambit.dev/v1, not "ambit.dev/v2"',
  ])
  t.deepEqual(load(HEAD.replace('PolicyTest', 'PolicyTests')), [
    't.yaml:2:1: ambit.dev/v1 has the kind PolicyTest, not "PolicyTests"; a slip?',
  ])
})

test('mistakes beyond a number are counted', (t) => {
  const problems = problemsOf(loadTest(`cases: [${Array.from({ length: 60 }, () => 'x').join(', ')}]\n`))
  t.is(problems.length, 51)
  t.is(problems.at(-1), 't.yaml:4:9: 10 more mistakes in this document')
})

test('more cases than are run', (t) => {
  const requests = `{ method: [${Array.from({ length: 400 }, (_, i) => `M${i}`).join(', ')}], path: [${Array.from({ length: 300 }, (_, i) => `/${i}`).join(', ')}] }`
  t.deepEqual(problemsOf(loadTest(one({ request: requests }))), [
    't.yaml:5:5: with the 120000 of this entry there are more than 100000 cases',
  ])
})

test('more clients and destinations than cases are run', (t) => {
  const names = (count: number): string => `[${Array.from({ length: count }, (_, i) => `x/y${i}`).join(', ')}]`
  t.deepEqual(problemsOf(loadTest(one({ from: names(400), to: names(400) }))), [
    't.yaml:5:5: this entry alone is more than 100000 cases',
  ])
  const columns = `cases:\n  - matrix:\n      to: ${names(1000)}\n      from: { ${Array.from({ length: 200 }, (_, i) => `x/c${i}: deny`).join(', ')} }\n`
  t.deepEqual(problemsOf(loadTest(columns)), ['t.yaml:5:5: this entry alone is more than 100000 cases'])
  const requests = `{ method: [${Array.from({ length: 400 }, (_, i) => `M${i}`).join(', ')}], path: [${Array.from({ length: 300 }, (_, i) => `/${i}`).join(', ')}] }`
  t.deepEqual(
    problemsOf(
      loadTest(`cases:\n  - to: bookinfo/reviews\n    matrix: { request: ${requests}, from: { outside: deny } }\n`),
    ),
    ['t.yaml:5:5: with the 120000 of this entry there are more than 100000 cases'],
  )
})

test('unknown names beyond a number are not looked for', (t) => {
  const names = Array.from(
    { length: 80 },
    (_, i) => `  - { from: people/nobody${i}, to: bookinfo/reviews, expect: deny }\n`,
  )
  t.is(problemsOf(loadTest(`cases:\n${names.join('')}`)).length, 50)
})

const policy = (spec: string): ReturnType<typeof objectsIn> =>
  objectsIn(
    'p.yaml',
    `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p, namespace: people }\nspec:\n${spec}`,
  )

const refusedPolicy = test.macro({
  exec(t, spec: string, expected: string) {
    t.deepEqual(problemsOf(loadTest(one({}), ...policy(spec))), [expected])
  },
  title: (title = '') => title,
})

test(
  'a policy with a field that a cluster would drop',
  refusedPolicy,
  '  rules: [{ form: [] }]\n',
  'p.yaml:5:13: an entry of rules has no field "form"; did you mean "from"?',
)
test(
  'a policy with a text for a list',
  refusedPolicy,
  '  rules: [{ to: [{ operation: { methods: GET } }] }]\n',
  'p.yaml:5:33: methods is a list, not "GET"',
)
test(
  'a policy with a port that is no text',
  refusedPolicy,
  '  rules: [{ to: [{ operation: { ports: [80] } }] }]\n',
  'p.yaml:5:41: an entry of ports is a text, not 80; write it in quotes',
)
test(
  'a policy with another action',
  refusedPolicy,
  '  action: ALOW\n',
  'p.yaml:5:3: action is one of ALLOW, DENY, AUDIT, CUSTOM, not "ALOW"; did you mean "ALLOW"?',
)
test(
  'a policy that the control plane refuses',
  refusedPolicy,
  '  action: DENY\n',
  'p.yaml:4:1: Schema validation error: spec.rules: DENY without rules is never in force: one empty rule, {}, is for every request',
)

test('the sample has no mistakes', (t) => {
  const loaded = loadSuites(sample('mesh', 'policies', 'tests'), BENCH)
  t.deepEqual(problemsOf(loaded), [])
  t.deepEqual(loaded.notes, [])
  t.is(loaded.suites.length, 4)
})
