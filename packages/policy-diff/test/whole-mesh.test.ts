// Random pairs of policies anywhere in a mesh: what is told to change is what both meshes say when they are asked about everything.
import test from 'ava'
import fc from 'fast-check'
import { accessChange } from '../src/compare/access-change.ts'
import { comparePolicies } from '../src/compare/compare-policies.ts'
import { destinationsOf } from '../src/compare/destinations.ts'
import { questionOf } from '../src/compare/question-of.ts'
import { pathsOf } from '../src/semantic/diagram.ts'
import type { Dimension } from '../src/semantic/dimension.ts'
import { pointOf } from '../src/semantic/point.ts'
import { atWaypoint, modelOf, policy, SHOP } from './objects.ts'

const CLIENTS = [
  'cluster.local/ns/shop/sa/client',
  'cluster.local/ns/shop/sa/web',
  'cluster.local/ns/shop/sa/waypoint',
  'cluster.local/ns/back/sa/db',
  'cluster.local/ns/other/sa/other',
  'partner.example/ns/shop/sa/client',
  undefined,
]
const ADDRESSES = ['10.1.0.5', '10.2.0.5', '203.0.113.99']
const METHODS = ['GET', 'POST', 'DELETE']
const PATHS = ['/', '/api/1', '/admin']

const few = (values: readonly string[]): fc.Arbitrary<readonly string[]> =>
  fc.subarray([...values], { minLength: 1, maxLength: 2 })
const optional = (name: string, values: readonly string[]): fc.Arbitrary<object> =>
  fc.option(few(values), { nil: undefined }).map((list) => (list === undefined ? {} : { [name]: list }))
const merged = (...parts: readonly fc.Arbitrary<object>[]): fc.Arbitrary<object> =>
  fc.tuple(...parts).map((of) => Object.assign({}, ...of) as object)

const PRINCIPALS = ['cluster.local/ns/shop/sa/client', 'cluster.local/ns/shop/sa/waypoint', '*', 'partner.example/*']
const source = merged(
  optional('principals', PRINCIPALS),
  optional('notNamespaces', ['shop', 'back']),
  optional('serviceAccounts', ['shop/client', 'back/db']),
  optional('ipBlocks', ['10.1.0.0/16', '203.0.113.0/24']),
)
const operation = merged(
  optional('methods', ['GET', 'P*']),
  optional('notPaths', ['/admin', '/api/*']),
  optional('paths', ['/api/{*}', '/a*']),
  optional('ports', ['80', '8080', '7000']),
)
const rule = fc.record({ from: fc.option(source), to: fc.option(operation) }).map(({ from, to }) => ({
  ...(from === null ? {} : { from: [{ source: from }] }),
  ...(to === null ? {} : { to: [{ operation: to }] }),
}))
const place = fc.constantFrom<readonly [namespace: string, where: object]>(
  ['shop', atWaypoint('web')],
  ['shop', atWaypoint('web')],
  ['shop', { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' }] }],
  ['shop', { selector: { matchLabels: { app: 'web' } } }],
  ['back', { selector: { matchLabels: { version: 'v2' } } }],
  ['back', {}],
  ['istio-system', {}],
)
const written = fc
  .record({ place, action: fc.constantFrom('ALLOW', 'DENY'), rules: fc.array(rule, { maxLength: 2 }) })
  .map(({ place: [namespace, where], action, rules }) => ({ namespace, spec: { ...where, action, rules } }))
const side = fc.array(written, { maxLength: 2 })

test('property: regions are where two meshes answer otherwise, and nowhere else', (t) => {
  let changed = 0
  let still = 0
  fc.assert(
    fc.property(side, side, side, (both, gone, come) => {
      const documents = (name: string, of: typeof both): readonly string[] =>
        of.map(({ namespace, spec }, i) => policy(namespace, `${name}${i}`, spec))
      const models = {
        before: modelOf(SHOP, ...documents('both', both), ...documents('gone', gone)),
        after: modelOf(SHOP, ...documents('both', both), ...documents('come', come)),
      }
      const { compared, isPartial } = comparePolicies(models, { onlyPolicies: true })
      if (isPartial) throw new Error('a bound was reached')
      for (const destination of destinationsOf(models.after, () => [8080, 80, 7000])) {
        // A port that no policy names is as any other.
        const one =
          compared.get(destination.name) ?? compared.get(destination.name.replace(/^(workload .*):\d+$/, '$1:*'))
        const paths = one === undefined ? [] : [...pathsOf(one.diagram)]
        for (const client of CLIENTS)
          for (const sourceIp of ADDRESSES)
            for (const method of METHODS)
              for (const path of PATHS) {
                const values = new Map<Dimension, string | undefined>([
                  ['client', client],
                  ['sourceIp', sourceIp],
                  ['method', method],
                  ['path', path],
                ])
                const question = questionOf(pointOf(values, ''), destination)
                const expected = accessChange(models.before.ask(question), models.after.ask(question), false)
                const found = paths.filter(({ conditions }) =>
                  conditions.every(({ dimension, classes }) => {
                    const at = one?.forms.classOf(dimension, values.get(dimension))
                    return at !== undefined && classes.includes(at)
                  }),
                )
                if (expected === undefined) still++
                else changed++
                const [only, ...more] = found.map(({ leaf }) => leaf.change)
                if (only === expected?.change && more.length === 0) continue
                const policies = JSON.stringify({ both, gone, come })
                throw new Error(
                  `${destination.name} ${JSON.stringify(question)}: ${only} instead of ${expected?.change}\n${policies}`,
                )
              }
      }
    }),
    { numRuns: 25, reporter },
  )
  t.true(changed > 300 && still > 300, `${changed} changed, ${still} did not`)
})

/** The cause in short: the first line of a failure says where. */
function reporter(details: {
  readonly failed: boolean
  readonly seed: number
  readonly errorInstance?: unknown
}): void {
  if (details.failed) throw new Error(`seed ${details.seed}: ${String(details.errorInstance)}`)
}
