// Whatever files hold, there is a result or a list of mistakes, never an exception.
import { readDocuments } from '@ambit/analyze'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { stringify } from 'yaml'
import {
  Coverage,
  coverageText,
  ineffectivePolicies,
  jsonReport,
  junitReport,
  loadSuites,
  policyFacts,
  runSuites,
  tapReport,
  textReport,
} from '../src/index.ts'
import { BENCH, HEAD, sample, sampleFiles, sampleText } from './support.ts'

/** Everything that is done with files. */
function everything(...texts: readonly string[]): 'ran' | 'mistakes' {
  const read = texts.map((text, i) => readDocuments(`${i}.yaml`, text, 'default'))
  const loaded = loadSuites(
    read.flatMap(({ objects }) => objects),
    BENCH,
  )
  const problems = [...read.flatMap((one) => one.problems), ...loaded.problems]
  for (const { file, line, column, message } of problems)
    if (typeof file !== 'string' || !(line >= 1) || !(column >= 1) || message === '') throw new Error('no place')
  if (loaded.suites.length === 0) return 'mistakes'
  const counted = new Coverage(policyFacts(loaded.objects))
  const run = runSuites(loaded.suites, { now: () => 0, failFast: false, observe: counted.observe })
  const coverage = counted.report(ineffectivePolicies(loaded.objects))
  for (const written of [
    textReport(run, { colour: true, verbose: true }).join('\n'),
    tapReport(run).join('\n'),
    junitReport(run),
    jsonReport(run, coverage),
    coverageText(coverage).join('\n'),
  ])
    if (written === '') throw new Error('an empty report')
  for (const { results } of run.suites)
    for (const { message } of results)
      if (message !== undefined && /is not a function|undefined|null/.test(message)) throw new Error(message)
  return 'ran'
}

function holds<T>(t: ExecutionContext, arbitrary: fc.Arbitrary<T>, numRuns: number, ask: (value: T) => unknown): void {
  t.notThrows(() =>
    fc.assert(
      fc.property(arbitrary, (value) => void ask(value)),
      { numRuns },
    ),
  )
}

const policy = (spec: unknown): string =>
  stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace: 'a' },
    spec,
  })

test('property: any text', (t) => {
  holds(t, fc.string({ unit: 'binary', maxLength: 200 }), 300, (text) => everything(text))
  holds(
    t,
    fc.string({ unit: fc.constantFrom('\n', ' ', '-', ':', '{', '}', '[', ']', '&a', '*a', '!', '|', 'x', '"') }),
    300,
    (text) => everything(`${HEAD}${text}`),
  )
})

test('property: any value for the cases, for what is declared, and for a policy', (t) => {
  const value = fc.jsonValue({ maxDepth: 4 })
  holds(t, value, 200, (cases) => everything(`${HEAD}${stringify({ cases })}`))
  holds(t, fc.array(value, { maxLength: 3 }), 200, (cases) => everything(`${HEAD}${stringify({ cases })}`))
  holds(t, value, 200, (workloads) => everything(`${HEAD}${stringify({ workloads, cases: [] })}`))
  holds(t, value, 200, (spec) =>
    everything(policy(spec), `${HEAD}workloads: [a/b]\ncases: [{ from: a/b, to: 'a/b:80', expect: allow }]\n`),
  )
})

/** Words that mean something somewhere. */
const word = fc.constantFrom(
  'people/curator',
  'bookinfo/reviews',
  'bookinfo/reviews-v1',
  'bookinfo/reviews:9080',
  'finance/ledger',
  'finance/ledger:tcp-ledger',
  'outside',
  'spiffe://a/ns/b/sa/c',
  'reviews.bookinfo:9080',
  'reviews',
  'example.com:80',
  '10.0.0.1:80',
  'ingress/front-istio:80',
)
const aCase = fc.record(
  {
    from: fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 2 }), fc.record({ outside: fc.ipV4() })),
    to: fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 2 })),
    request: fc.oneof(
      fc.constantFrom('GET /', '/x', 'POST /..//a', 'CONNECT *'),
      fc.record(
        {
          method: fc.constantFrom('GET', 'X'),
          path: fc.webPath().map((path) => (path.startsWith('/') ? path : `/${path}`)),
          host: fc.domain(),
          headers: fc.dictionary(
            fc.constantFrom('host', 'x-a', 'authorization', 'x-forwarded-for'),
            fc.string({ minLength: 1 }),
          ),
          claims: fc.object({ maxDepth: 2 }),
        },
        { requiredKeys: [] },
      ),
    ),
    sni: fc.domain(),
    sourceIp: fc.oneof(fc.ipV4(), fc.ipV6()),
    expect: fc.constantFrom('allow', 'deny', 'unreachable'),
    by: fc.constantFrom('bookinfo/reviews-readers', 'bookinfo/reviews-readers#1', 'finance/no-readers'),
    at: fc.constantFrom('waypoint', 'ztunnel', 'gateway'),
    reason: fc.string({ minLength: 1 }),
  },
  { requiredKeys: ['from', 'to', 'expect'] },
)
const mesh = sampleFiles('mesh', 'policies').map(sampleText)

test('property: any cases over the sample', (t) => {
  let ran = 0
  holds(t, fc.array(aCase, { minLength: 1, maxLength: 4 }), 60, (cases) => {
    if (everything(...mesh, `${HEAD}${stringify({ cases })}`) === 'ran') ran++
  })
  t.true(ran > 5, `${ran}`)
})

test('property: the sample with some line left out', (t) => {
  const files = sampleFiles('mesh', 'policies', 'tests').map((name) => sampleText(name).split('\n'))
  const lines = files.flatMap((file, i) => file.map((_, line) => [i, line] as const))
  holds(t, fc.constantFrom(...lines), 60, ([file, line]) =>
    everything(...files.map((one, i) => (i === file ? one.toSpliced(line, 1) : one).join('\n'))),
  )
})

test('the whole sample runs', (t) => {
  t.is(everything(...sampleFiles('mesh', 'policies', 'tests').map(sampleText)), 'ran')
  t.true(sample('tests').length >= 4)
})
