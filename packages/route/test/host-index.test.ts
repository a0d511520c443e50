import type { HostPattern } from '@ambit/state'
import test from 'ava'
import fc from 'fast-check'
import { HostIndex, hostOfAuthority } from '../src/index.ts'

const exact = (hostname: string): HostPattern => ({ kind: 'exact', hostname })
const suffix = (text: string): HostPattern => ({ kind: 'suffix', suffix: text })
const any: HostPattern = { kind: 'any' }

const index = new HostIndex<string>([
  [[any], 'any'],
  [[suffix('.example.com'), exact('example.org')], 'example'],
  [[suffix('.shop.example.com')], 'shop'],
  [[exact('cart.shop.example.com')], 'cart'],
  [[exact('cart.shop.example.com'), any], 'never'],
])

for (const [host, expected] of [
  ['cart.shop.example.com', 'cart'],
  ['a.shop.example.com', 'shop'],
  ['a.b.shop.example.com', 'shop'],
  ['shop.example.com', 'example'],
  ['example.org', 'example'],
  ['example.com', 'any'],
  ['.example.com', 'any'],
  ['notexample.com', 'any'],
  ['cart.shop.example.com.', 'any'],
  ['', 'any'],
] as const) {
  test(`${JSON.stringify(host)} is taken by ${expected}`, (t) => t.is(index.find(host), expected))
}

test('without a pattern for every host, others find nothing', (t) => {
  const narrow = new HostIndex([[[suffix('.example.com'), exact('a.test')], 1]])
  t.is(narrow.find('b.test'), undefined)
  t.is(narrow.find(''), undefined)
  t.is(new HostIndex<number>([]).find('a'), undefined)
})

test('a host that is longer than any name is of those for every host', (t) => {
  const long = (length: number): string => 'a.'.repeat(length).slice(0, length - '.example.com'.length) + '.example.com'
  t.is(index.find(long(254)), 'example')
  t.is(index.find(long(256)), 'any')
})

test('the host of an authority', (t) => {
  t.is(hostOfAuthority('Shop.Example.com:8080'), 'shop.example.com')
  t.is(hostOfAuthority('shop.example.com:'), 'shop.example.com')
  t.is(hostOfAuthority('shop'), 'shop')
  t.is(hostOfAuthority('[FD00::1]:80'), '[fd00::1]')
  t.is(hostOfAuthority('[fd00::1]'), '[fd00::1]')
})

const label = fc.constantFrom('a', 'b', 'c')
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
const pattern = fc.oneof(
  host.map(exact),
  host.map((name) => suffix(`.${name}`)),
  fc.constant(any),
)

/** How specific a pattern that matches is; undefined where it does not. */
function weight(of: HostPattern, name: string): number | undefined {
  if (of.kind === 'any') return 0
  if (of.kind === 'exact') return of.hostname === name ? Number.POSITIVE_INFINITY : undefined
  return name.endsWith(of.suffix) && name.length > of.suffix.length ? of.suffix.length : undefined
}

test('as if all patterns were compared, one by one', (t) => {
  fc.assert(
    fc.property(fc.array(fc.array(pattern, { minLength: 1, maxLength: 3 }), { maxLength: 6 }), host, (lists, name) => {
      let best: { readonly weight: number; readonly value: number } | undefined
      for (const [value, patterns] of lists.entries()) {
        for (const each of patterns) {
          const found = weight(each, name)
          if (found !== undefined && (best === undefined || found > best.weight)) best = { weight: found, value }
        }
      }
      t.is(new HostIndex(lists.map((patterns, value) => [patterns, value])).find(name), best?.value)
    }),
    { numRuns: 500 },
  )
})
