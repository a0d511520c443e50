// The published schema says what the decoder says, as far as a schema can.
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import test from 'ava'
import fc from 'fast-check'
import { parseAllDocuments } from 'yaml'
import { decodePolicyTest, policyTestSchema } from '../src/index.ts'
import { sampleFiles, sampleText } from './support.ts'

const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false })
addFormats.default(ajv)
const bySchema = ajv.compile(JSON.parse(policyTestSchema()) as object)
const position = { line: 1, column: 1 }
const place = { file: 't', line: 1, lineOf: () => 1, positionOf: () => position }
const byDecoder = (value: unknown): boolean => decodePolicyTest(value, place).test !== undefined

const documents = sampleFiles('tests').flatMap((name) =>
  parseAllDocuments(sampleText(name)).map((document) => document.toJS() as object),
)

test('both accept the sample', (t) => {
  t.true(documents.length > 3)
  for (const document of documents) {
    t.true(bySchema(document), JSON.stringify(bySchema.errors))
    t.deepEqual(decodePolicyTest(document, place).problems, [])
  }
})

const usual = { name: 'c', from: 'a/b', to: 'a/b', expect: 'deny' }
const aTest = (cases: unknown, more: object = {}): object => ({
  apiVersion: 'ambit.dev/v1',
  kind: 'PolicyTest',
  metadata: { name: 't' },
  cases,
  ...more,
})

const both = test.macro({
  exec(t, good: readonly object[], bad: readonly object[]) {
    for (const document of good) {
      t.true(bySchema(document), `${JSON.stringify(document)} ${JSON.stringify(bySchema.errors)}`)
      t.true(byDecoder(document), JSON.stringify(document))
    }
    for (const document of bad) {
      t.false(bySchema(document), JSON.stringify(document))
      t.false(byDecoder(document), JSON.stringify(document))
    }
  },
  title: (title = '') => `both agree about ${title}`,
})

const cases = (...all: readonly object[]): readonly object[] => all.map((fields) => aTest([{ ...usual, ...fields }]))

test(
  'clients',
  both,
  cases(
    { from: 'outside' },
    { from: ['a/b', 'outside'] },
    { from: { pod: 'a/b' } },
    { from: { serviceAccount: 'a/b' } },
    { from: { outside: '2001:db8::1' } },
    { from: 'spiffe://d/ns/a/sa/b' },
  ),
  cases(
    { from: 'a' },
    { from: [] },
    { from: {} },
    { from: { pod: 'a/b', outside: '10.0.0.1' } },
    { from: { outside: 'x' } },
    { from: 'spiffe://d' },
    { from: 'A/b' },
    { from: 'a/b/c' },
    { from: 7 },
  ),
)
test(
  'destinations',
  both,
  cases(
    { to: 'a/b:80' },
    { to: 'a/b:http' },
    { to: 'example.com:443' },
    { to: ['a/b', '[::1]:80'] },
    { to: { service: 'a/b', port: 'http' } },
    { to: { pod: 'a/b', port: 80 } },
    { to: { host: 'example.com' } },
  ),
  cases(
    { to: '' },
    { to: {} },
    { to: { service: 'a' } },
    { to: { pod: 'a/b', service: 'a/b' } },
    { to: { service: 'a/b', port: 0 } },
    { to: { service: 'a/b', port: '80' } },
    { to: { host: 'example.com', port: 'http' } },
    { to: [[]] },
  ),
)
test(
  'requests',
  both,
  cases(
    { request: 'GET /' },
    { request: '/x?y=1' },
    { request: 'OPTIONS *' },
    { request: {} },
    { request: [{ method: ['GET', 'PUT'], path: ['/', '/x'] }, 'POST /'] },
    { request: { host: 'x.example:80', headers: { 'x-a': ['', 'b'] }, claims: { iss: 'i', groups: [1, { a: 2 }] } } },
  ),
  cases(
    { request: 'GET' },
    { request: 'GET x' },
    { request: [] },
    { request: { method: 'G T' } },
    { request: { method: [] } },
    { request: { path: 'x' } },
    { request: { host: 'a b' } },
    { request: { headers: { 'x a': 'b' } } },
    { request: { headers: { x: 1 } } },
    { request: { headers: { x: 'a\nb' } } },
    { request: { claims: [] } },
    { request: { claims: { sub: 1 } } },
    { request: { body: 'x' } },
  ),
)
test(
  'expectations',
  both,
  cases(
    { expect: 'unreachable' },
    { by: 'a/b' },
    { by: 'a/b#12' },
    { at: 'gateway' },
    { reason: 'x' },
    { sni: 'a.b', sourceIp: ['10.0.0.1'] },
  ),
  cases(
    { expect: 'maybe' },
    { by: 'a' },
    { by: 'a/b#x' },
    { at: 'node' },
    { reason: '' },
    { sourceIp: '10' },
    { sourceIp: [] },
    { skip: true },
  ),
)
const table = (fields: object): object => aTest([fields])
test(
  'matrices',
  both,
  [
    table({ matrix: { to: ['a/b', 'a/c'], from: { 'a/b': ['allow', 'deny'], outside: 'deny' } } }),
    table({ request: '/', matrix: { to: 'a/b', from: { 'a/b': 'allow' } } }),
    table({ to: 'a/b', matrix: { request: ['GET /', 'POST /'], from: { 'a/b': ['allow', 'deny'] } } }),
  ],
  [
    table({ matrix: { from: { 'a/b': 'allow' } } }),
    table({ matrix: { to: 'a/b', from: {} } }),
    table({ matrix: { to: 'a/b', from: { b: 'allow' } } }),
    table({ matrix: { to: 'a/b', from: { 'a/b': 'perhaps' } } }),
    table({ matrix: { request: '/', from: { 'a/b': 'allow' } } }),
    table({ matrix: { to: 'a/b', request: '/', from: { 'a/b': 'allow' } } }),
    table({ expect: 'deny', matrix: { to: 'a/b', from: { 'a/b': 'allow' } } }),
    table({ to: 'a/b', matrix: { to: 'a/b', from: { 'a/b': 'allow' } } }),
  ],
)
const declared = (more: object): object => aTest([usual], more)
test(
  'what is declared',
  both,
  [
    declared({ namespaces: ['a', { name: 'b', labels: { x: '' } }] }),
    declared({
      workloads: [
        'a/b',
        { name: 'a/c', serviceAccount: 's', labels: { x: 'y' }, ip: '10.0.0.1', ports: [80], mesh: false },
      ],
    }),
    declared({
      services: [
        {
          name: 'a/b',
          ports: [80, { name: 'x', port: 81, targetPort: 82, appProtocol: 'http' }],
          selector: { a: 'b' },
        },
      ],
    }),
  ],
  [
    declared({ namespaces: [{}] }),
    declared({ namespaces: [''] }),
    declared({ workloads: ['b'] }),
    declared({ workloads: [{ name: 'a/b', ip: 'x' }] }),
    declared({ workloads: [{ name: 'a/b', ports: ['80'] }] }),
    declared({ workloads: [{ name: 'a/b', mesh: 'no' }] }),
    declared({ workloads: [{ name: 'a/b', labels: { x: 1 } }] }),
    declared({ services: [{ name: 'a/b' }] }),
    declared({ services: [{ name: 'a/b', ports: [] }] }),
    declared({ services: [{ name: 'a/b', ports: [0] }] }),
    declared({ services: [{ ports: [80] }] }),
    declared({ pods: [] }),
  ],
)
test(
  'tests as a whole',
  both,
  [aTest([usual], { metadata: { name: 't', namespace: 'x', labels: {} } })],
  [
    aTest([]),
    aTest({}),
    aTest([usual], { metadata: {} }),
    aTest([usual], { metadata: { name: 't', uid: 'x' } }),
    aTest([usual], { apiVersion: 'ambit.dev/v2' }),
    aTest([usual], { kind: 'Test' }),
  ],
)

/** A sample in which some value is another. */
const mutation = fc.record({
  sample: fc.nat(documents.length - 1),
  pick: fc.nat(1000),
  value: fc.oneof(fc.jsonValue(), fc.constantFrom('allow', 'deny', 'a/b', 'outside', '/', 80, 'http', {}, [], true)),
})

interface Place {
  readonly parent: Record<string | number, unknown>
  readonly key: string
}

function placesIn(value: unknown): readonly Place[] {
  if (typeof value !== 'object' || value === null) return []
  const parent = value as Record<string, unknown>
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...placesIn(parent[key])])
}

function mutate({ sample, pick, value }: typeof mutation extends fc.Arbitrary<infer M> ? M : never): unknown {
  const copy: unknown = structuredClone(documents[sample])
  const places = placesIn(copy)
  const found = places[pick % places.length]
  if (found !== undefined) found.parent[found.key] = value
  return copy
}

test('property: what the decoder takes the schema takes, and what the schema refuses the decoder refuses', (t) => {
  let taken = 0
  fc.assert(
    fc.property(mutation, (one) => {
      const document = mutate(one)
      if (!byDecoder(document)) return
      taken++
      if (!bySchema(document)) throw new Error(ajv.errorsText(bySchema.errors))
    }),
    { numRuns: 3000 },
  )
  t.true(taken > 50)
})
