// Random pairs of policy sets at one waypoint: what the exploration finds is what trying everything finds.
import type { AnyObject } from '@ambit/analyze'
import { decodeAuthorizationPolicy } from '@ambit/controller/judgement'
import { authorizeRequest, CompiledRequestPolicies } from '@ambit/policy'
import type { HttpAuthorization } from '@ambit/state'
import test from 'ava'
import fc from 'fast-check'
import { type ReadPolicy, readPolicy } from '../src/policies/read-policy.ts'
import { type DiagramPath, pathsOf } from '../src/semantic/diagram.ts'
import type { Dimension } from '../src/semantic/dimension.ts'
import { explore } from '../src/semantic/explore.ts'
import { factsOf, type Point, pointOf, type Values } from '../src/semantic/point.ts'
import { type Forms, policyForms } from '../src/semantic/policy-forms.ts'

const DEFAULT_CLIENT = 'cluster.local/ns/other/sa/other'
const OPTIONS = {
  trustDomain: 'cluster.local',
  normalization: 'base',
  host: 'web.shop',
  isSeen: () => true,
  asBytes: false,
} as const

function policy(name: string, spec: object): ReadPolicy {
  const object: AnyObject = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: 'shop' },
    spec: { targetRefs: [{ group: '', kind: 'Service', name: 'web' }], ...spec },
  }
  return readPolicy(decodeAuthorizationPolicy(object))
}

/** The data plane's own verdict. */
function judgeOf(policies: readonly ReadPolicy[]): (point: Point) => boolean {
  const byName = new Map<string, HttpAuthorization>(policies.map(({ key, policy: value }) => [key, value]))
  const nothing = { [Symbol.dispose]: () => undefined }
  const compiled = new CompiledRequestPolicies({ get: (name) => byName.get(name), subscribe: () => nothing })
  const names = compiled.policiesFor([...byName.keys()])
  return (point) => authorizeRequest(factsOf(point), names).allowed
}

type Change = 'allowed' | 'denied'

interface Compared {
  readonly forms: Forms
  readonly paths: readonly DiagramPath<Change>[]
  readonly changeAt: (values: Values) => Change | undefined
  readonly asked: number
  readonly partial: boolean
}

function compare(before: readonly ReadPolicy[], after: readonly ReadPolicy[]): Compared {
  const [was, is] = [judgeOf(before), judgeOf(after)]
  const changeAt = (values: Values): Change | undefined => {
    const point = pointOf(values, DEFAULT_CLIENT)
    const allowed = is(point)
    if (was(point) === allowed) return undefined
    return allowed ? 'allowed' : 'denied'
  }
  const forms = policyForms(before, after, OPTIONS)
  const { diagram, asked, partial } = explore(forms, {
    onlyPolicies: true,
    atGateway: false,
    ask: changeAt,
    keyOf: (change) => change,
    budget: 100_000,
  })
  return { forms, paths: [...pathsOf(diagram)], changeAt, asked, partial }
}

function changeFound({ forms, paths }: Compared, values: Values): readonly Change[] {
  const classes = new Map([...values].map(([dimension, value]) => [dimension, forms.classOf(dimension, value)]))
  const holds = ({ conditions }: DiagramPath<Change>): boolean =>
    conditions.every(({ dimension, classes: of }) => {
      const at = classes.get(dimension)
      return at !== undefined && of.includes(at)
    })
  return paths.filter(holds).map(({ leaf }) => leaf)
}

const CLIENTS = [
  'cluster.local/ns/shop/sa/web',
  'cluster.local/ns/shop/sa/api',
  'cluster.local/ns/back/sa/web',
  'partner.example/ns/shop/sa/web',
  'cluster.local/ns/shopping/sa/webby',
  'cluster.local/ns/zoo/sa/lion',
  undefined,
]
const UNIVERSE: Readonly<Partial<Record<Dimension, readonly (string | undefined)[]>>> = {
  client: CLIENTS,
  sourceIp: ['10.0.0.5', '10.0.1.5', '203.0.113.7', '192.0.2.99'],
  host: ['web.shop', 'a.example', 'b.example:80'],
  method: ['GET', 'POST', 'PUT'],
  path: ['/', '/a', '/a/b', '/a/b/c', '/b', '/ab'],
  'header x-team': [undefined, '', 'red', 'reed', 'blue'],
  subject: [undefined, 'https://issuer.example\nann', 'https://issuer.example\nbob', 'https://evil.example\nann'],
  'claim team': [undefined, 'red', 'blue'],
}

const lists = (values: readonly string[]): fc.Arbitrary<readonly string[] | undefined> =>
  fc.option(fc.subarray([...values], { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 2 })
const dense = <T extends object>(value: T): Partial<T> =>
  Object.fromEntries(Object.entries(value).filter(([, list]) => list !== undefined)) as Partial<T>

const PRINCIPALS = [
  'cluster.local/ns/shop/sa/web',
  'cluster.local/ns/back/*',
  '*/web',
  '*',
  'partner.example/*',
  '*/sa/api',
]
const NAMESPACES = ['shop', 'back', 's*', '*p', '*']
const NETWORKS = ['10.0.0.0/24', '10.0.0.0/16', '203.0.113.7', '0.0.0.0/0']
const HOSTS = ['a.example', '*.example', 'B.example*', '*']
const PATHS = ['/a', '/a*', '*b', '/{*}', '/a/{*}', '/{**}/b', '/{*}/b/{**}', '*']
const TEAMS = ['red', 'r*', '*d', '*', '']
const SUBJECTS = ['*', 'https://issuer.example/ann', 'https://issuer.example/*', '*/ann']
const ACCOUNTS = ['shop/web', 'back/api', 'web']

const sources = fc
  .record({
    principals: lists(PRINCIPALS),
    notPrincipals: lists(PRINCIPALS),
    namespaces: lists(NAMESPACES),
    notNamespaces: lists(NAMESPACES),
    serviceAccounts: lists(ACCOUNTS),
    trustDomains: lists(['cluster.local', 'partner*']),
    ipBlocks: lists(NETWORKS),
    notRemoteIpBlocks: lists(NETWORKS),
    requestPrincipals: lists(SUBJECTS),
    notRequestPrincipals: lists(SUBJECTS),
  })
  .map(dense)
const operations = fc
  .record({
    hosts: lists(HOSTS),
    notHosts: lists(HOSTS),
    methods: lists(['GET', 'P*', '*T']),
    notMethods: lists(['GET', 'PUT']),
    paths: lists(PATHS),
    notPaths: lists(PATHS),
    ports: lists(['80', '443']),
  })
  .map(dense)
const conditions = fc
  .record({
    key: fc.constantFrom('request.headers[x-team]', 'request.auth.claims[team]', 'request.auth.claims[sub]'),
    values: lists(TEAMS),
    notValues: lists(TEAMS),
  })
  .map(dense)
  .filter(({ values, notValues }) => values !== undefined || notValues !== undefined)
const few = <T extends object>(entries: fc.Arbitrary<T>, name: string): fc.Arbitrary<readonly object[] | undefined> =>
  fc.option(
    fc.array(
      entries.map((entry) => (name === '' ? entry : { [name]: entry })),
      { minLength: 1, maxLength: 2 },
    ),
    { nil: undefined },
  )
const rules = fc
  .record({ from: few(sources, 'source'), to: few(operations, 'operation'), when: few(conditions, '') })
  .map(dense)
const specs = fc.record({
  action: fc.constantFrom('ALLOW', 'ALLOW', 'DENY', 'AUDIT', 'CUSTOM'),
  rules: fc.array(rules, { maxLength: 2 }),
})
/** Sides share most of what they have, as a change and what was before do. */
const pairs = fc
  .tuple(fc.array(specs, { maxLength: 2 }), fc.array(specs, { maxLength: 1 }), fc.array(specs, { maxLength: 1 }))
  .map(([shared, gone, come]) => {
    const read = (of: readonly object[], name: string): readonly ReadPolicy[] =>
      of.map((spec, i) => policy(`${name}${i}`, spec))
    const both = read(shared, 'both')
    return [
      [...both, ...read(gone, 'gone')],
      [...both, ...read(come, 'come')],
    ] as const
  })

const point: fc.Arbitrary<Values> = fc
  .record(
    Object.fromEntries(
      Object.entries(UNIVERSE).map(([dimension, values]) => [dimension, fc.constantFrom(...(values ?? []))]),
    ),
  )
  .map((record) => new Map(Object.entries(record)) as unknown as Map<Dimension, string | undefined>)
  // A claim comes with a token.
  .filter((values) => values.get('subject') !== undefined || values.get('claim team') === undefined)

test('property: what is found to change is what changes, wherever one looks', (t) => {
  let changed = 0
  let still = 0
  fc.assert(
    fc.property(pairs, fc.array(point, { minLength: 40, maxLength: 40 }), ([before, after], points) => {
      const compared = compare(before, after)
      if (compared.partial) throw new Error('the budget did not last')
      for (const values of points) {
        const asked = new Map(
          [...values].filter(([dimension]) => compared.forms.classes.has(dimension) || dimension === 'client'),
        )
        const expected = compared.changeAt(values)
        const found = changeFound(compared, asked)
        if (expected === undefined) still++
        else changed++
        if (found.length !== (expected === undefined ? 0 : 1) || found[0] !== expected) {
          throw new Error(`at ${JSON.stringify([...values])}: ${found.join()} instead of ${expected}`)
        }
      }
    }),
    { numRuns: 400, reporter: report },
  )
  // Both happen often, or the property says little.
  t.true(changed > 1_000 && still > 1_000, `${changed} changed, ${still} did not`)
})

test('property: the same policies under other names and in another order change nothing, and nothing is asked', (t) => {
  fc.assert(
    fc.property(fc.array(specs, { maxLength: 3 }), (of) => {
      const before = of.map((spec, i) => policy(`a${i}`, spec))
      const after = of.map((spec, i) => policy(`b${i}`, spec)).toReversed()
      const { paths, asked } = compare(before, after)
      return paths.length === 0 && asked === 0
    }),
  )
  t.pass()
})

test('fifty rules of fifty clients and their paths are not a product', (t) => {
  const rule = (i: number, paths: readonly string[]): object => ({
    from: [{ source: { principals: [`cluster.local/ns/shop/sa/c${i}`] } }],
    to: [{ operation: { paths, methods: ['GET', `M${i}`] } }],
  })
  const rulesFor = (change: number): readonly object[] =>
    Array.from({ length: 50 }, (_, i) => rule(i, i === change ? ['/new', `/p${i}`] : [`/p${i}`]))
  const before = [policy('p', { action: 'ALLOW', rules: rulesFor(-1) })]
  const { paths, asked, forms } = compare(before, [policy('p', { action: 'ALLOW', rules: rulesFor(7) })])
  t.true(asked < 20, `${asked} questions`)
  t.is(paths.length, 1)
  const told = paths[0]?.conditions.map(({ dimension, classes }) => [
    dimension,
    classes.flatMap((i) => forms.classes.get(dimension)?.[i]?.labels ?? []),
  ])
  t.deepEqual(told, [
    ['client', ['shop/c7']],
    ['method', ['GET', 'M7']],
    ['path', ['/new']],
  ])
})

/** The counterexample in short: policies as written, not as compiled. */
function report(details: {
  readonly failed: boolean
  readonly errorInstance?: unknown
  readonly counterexample?: unknown
  readonly seed: number
}): void {
  if (!details.failed) return
  const [[before, after]] = details.counterexample as [[readonly ReadPolicy[], readonly ReadPolicy[]]]
  const written = (side: readonly ReadPolicy[]): string => JSON.stringify(side.map(({ policy: of }) => of))
  throw new Error(
    `seed ${details.seed}\n${String(details.errorInstance)}\nbefore ${written(before)}\nafter ${written(after)}`,
  )
}
