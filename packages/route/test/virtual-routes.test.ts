// control-plane.md 5.2: what only VirtualServices can ask for.
import test from 'ava'
import fc from 'fast-check'
import { allowsOrigin, bindingCookie, changePath, hashKeyOf, isPreflight, matchRoute } from '../src/index.ts'
import { rendezvousScore } from '../src/rendezvous.ts'
import { type MatchInit, request, routeOf } from './helpers.ts'

const matches = (match: MatchInit, sent = request()): boolean =>
  matchRoute([routeOf({ match })], sent).kind === 'matched'
const prefix = (value: string, pathIgnoresCase = false): MatchInit => ({
  path: { case: 'pathTextPrefix', value },
  pathIgnoresCase,
})

test('a text prefix is no prefix of segments', (t) => {
  for (const path of ['/a', '/ab', '/a/b']) t.true(matches(prefix('/a'), request(path)), path)
  for (const path of ['/', '/A', '/b/a']) t.false(matches(prefix('/a'), request(path)), path)
  t.true(matches(prefix(''), request('/x')))
})

test('case is ignored where that is asked for, of ASCII only', (t) => {
  t.true(matches(prefix('/Shop', true), request('/sHOPping')))
  t.true(matches({ path: { case: 'exactPath', value: '/Shop' }, pathIgnoresCase: true }, request('/sHOP')))
  t.false(matches({ path: { case: 'exactPath', value: '/Shop' } }, request('/shop')))
  t.false(matches(prefix('/K', true), request('/\u212a')))
})

const text = (kind: 'exact' | 'prefix' | 'regex', value: string) => ({ value: { case: kind, value } })

test('method, scheme, authority and the client’s namespace', (t) => {
  const sent = { ...request('/', { method: 'POST' }), scheme: 'https', sourceNamespace: 'shop' }
  t.true(matches({ methodText: text('regex', 'P.*') }, sent))
  t.false(matches({ methodText: text('prefix', 'G') }, sent))
  t.true(matches({ scheme: text('exact', 'https') }, sent))
  t.false(matches({ scheme: text('exact', 'http') }, sent))
  t.false(matches({ scheme: text('prefix', '') }, request()))
  t.true(matches({ authority: text('exact', 'cart') }, sent))
  t.false(matches({ authority: text('prefix', 'b') }, sent))
  t.true(matches({ sourceNamespace: 'shop' }, sent))
  t.false(matches({ sourceNamespace: 'other' }, sent))
  t.false(matches({ sourceNamespace: 'shop' }, request()))
})

test('headers that have to be there, begin so, or may not be there', (t) => {
  const sent = request('/', { headers: ['X-A', 'one'] })
  const header = (value: NonNullable<MatchInit['headers']>[number]['value']) => [{ name: 'x-a', value }] as never
  t.true(matches({ headers: header({ case: 'present', value: true } as never) }, sent))
  t.false(matches({ headers: header({ case: 'present', value: true } as never) }))
  t.true(matches({ headers: header({ case: 'prefix', value: 'on' } as never) }, sent))
  t.false(matches({ headers: header({ case: 'prefix', value: 'two' } as never) }, sent))
  t.false(matches({ withoutHeaders: header({ case: 'present', value: true } as never) }, sent))
  t.true(matches({ withoutHeaders: header({ case: 'present', value: true } as never) }))
  t.true(matches({ withoutHeaders: header({ case: 'exact', value: 'two' } as never) }, sent))
  t.false(matches({ withoutHeaders: header({ case: 'exact', value: 'one' } as never) }, sent))
})

test('text that was matched is replaced as it stands', (t) => {
  const change = (path: string, value: string, matched?: string): string =>
    changePath(
      { path, query: 'q' },
      { kind: 'text-prefix', value },
      matched === undefined ? undefined : { kind: 'text-prefix', value: matched },
    ).path
  t.is(change('/api/v1/x', '/', '/api/'), '/v1/x')
  t.is(change('/apiary', '/b', '/api'), '/bary')
  t.is(change('/api', '', '/api'), '/')
  t.is(change('/x', '/b'), '/bx')
  t.is(change('/x', '/b/'), '/b/x')
})

test('what a request is hashed by', (t) => {
  const sent = { query: 'a=1&b=%32', sourceIp: '10.0.0.1', header: request('/', { headers: ['x-u', 'me'] }).header }
  t.is(hashKeyOf({ kind: 'header', name: 'x-u' }, sent), 'me')
  t.is(hashKeyOf({ kind: 'header', name: 'x-v' }, sent), undefined)
  t.is(hashKeyOf({ kind: 'query-parameter', name: 'b' }, sent), '2')
  t.is(hashKeyOf({ kind: 'source-ip' }, sent), '10.0.0.1')
  const cookie = { kind: 'cookie', name: 'c', path: '', ttlSeconds: 0 } as const
  const cookies = (value: string) => hashKeyOf(cookie, { ...sent, header: () => value })
  t.is(cookies('a=1; c="x=y"; d=2'), 'x=y')
  t.is(cookies('cc=1;xc=2'), undefined)
  t.is(hashKeyOf(cookie, sent), undefined)
  t.is(bindingCookie(cookie, 'k'), 'c="k"; HttpOnly')
})

test('each endpoint takes the share of its weight, and only its keys move when it goes', (t) => {
  const weights = new Map([
    ['one', 1],
    ['two', 1],
    ['three', 2],
  ])
  const home = (key: string, names: readonly string[]): string =>
    names.reduce((best, name) =>
      rendezvousScore(key, name, weights.get(name) ?? 0) > rendezvousScore(key, best, weights.get(best) ?? 0)
        ? name
        : best,
    )
  const all = [...weights.keys()]
  const counts = new Map<string, number>()
  for (let n = 0; n < 8000; n++) {
    const name = home(`user-${n}`, all)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (const [name, weight] of weights)
    t.true(Math.abs((counts.get(name) ?? 0) - 2000 * weight) < 200, `${name} ${counts.get(name)}`)
  fc.assert(
    fc.property(fc.string(), (key) => {
      const before = home(key, all)
      return before === 'two' || home(key, ['one', 'three']) === before
    }),
  )
})

test('origins and preflights', (t) => {
  const { cors } = routeOf({ cors: { allowOrigins: [text('prefix', 'https://a.'), text('regex', 'http://[bc]')] } })
  const allowed = ['https://a.x', 'http://b', 'http://d', 'http://bb', 'null'].map((origin) =>
    allowsOrigin(cors!, origin),
  )
  t.deepEqual(allowed, [true, true, false, false, false])
  t.true(allowsOrigin(routeOf({ cors: { allowOrigins: [text('exact', '*')] } }).cors!, 'http://any'))
  t.true(isPreflight('OPTIONS', 'PUT'))
  t.false(isPreflight('OPTIONS', undefined))
  t.false(isPreflight('GET', 'PUT'))
})
