import { waypointpb as pb } from '@ambit/api'
import { create } from '@bufbuild/protobuf'
import test from 'ava'
import fc from 'fast-check'
import { hasSegmentPrefix, matchRoute } from '../src/index.ts'
import { type MatchInit, type PlainRoute, type RouteInit, request, routeOf, routesOf, TO_CART } from './helpers.ts'

const hit = (match: MatchInit, ...args: Parameters<typeof request>): boolean =>
  matchRoute([routeOf({ match })], request(...args)).kind === 'matched'

const prefix = (value: string) => ({ path: { case: 'pathPrefix' as const, value } })
const exact = (value: string) => ({ path: { case: 'exactPath' as const, value } })
const regex = (value: string) => ({ path: { case: 'pathRegex' as const, value } })

test('no table and an empty one are not the same', (t) => {
  t.is(matchRoute(undefined, request()).kind, 'default')
  t.is(matchRoute([], request()).kind, 'not-found')
})

test('the first route that matches is taken', (t) => {
  const routes = routesOf(
    { name: 'a', match: exact('/a'), action: TO_CART },
    { name: 'b', match: prefix('/a'), action: TO_CART },
    { name: 'c', action: TO_CART },
  )
  const taken = (path: string) => {
    const verdict = matchRoute(routes, request(path))
    return verdict.kind === 'matched' ? verdict.route.name : verdict.kind
  }
  t.deepEqual(['/a', '/a/b', '/b'].map(taken), ['a', 'b', 'c'])
  t.is(matchRoute(routes.slice(0, 2), request('/b')).kind, 'not-found')
})

/** Gateway API's table of PathPrefix. */
const PREFIXES: readonly (readonly [prefix: string, path: string, hit: boolean])[] = [
  ['/', '/', true],
  ['/', '/any/thing', true],
  ['/foo', '/foo', true],
  ['/foo', '/foo/', true],
  ['/foo/', '/foo', true],
  ['/foo/', '/foo/', true],
  ['/foo/', '/foo/bar', true],
  ['/foo', '/foobar', false],
  ['/foo/', '/foobar', false],
  ['/foo', '/', false],
  ['/aaa/bb', '/aaa/bbb', false],
  ['/aaa/bbb', '/aaa/bbb', true],
  ['/aaa/bbb/', '/aaa/bbb', true],
  ['/aaa/bbb', '/aaa/bbb/ccc', true],
  ['/aaa/bbb', '/aaa/bbbxyz', false],
  ['/aaa/bbb', '/aaa', false],
  ['/foo', '/FOO', false],
  ['/foo', '/foo;v=1', false],
  ['/foo', '/foo%2Fbar', false],
  ['/foo/bar', '/foo%2Fbar', false],
  ['/admin', '/%61dmin', false],
  ['/', '*', false],
]
for (const [value, path, expected] of PREFIXES) {
  test(`prefix ${value} ${expected ? 'is' : 'is not'} of ${path}`, (t) => t.is(hit(prefix(value), path), expected))
}

test('an exact path is all of it', (t) => {
  t.deepEqual(
    ['/foo', '/foo/', '/foo/bar', '/Foo', '/fo'].map((path) => hit(exact('/foo'), path)),
    [true, false, false, false, false],
  )
})

test('a regular expression is for the whole path', (t) => {
  const paths = ['/v1/a', '/v12/a/b', '/x/v1/a', '/v/a', '/v1']
  t.deepEqual(
    paths.map((path) => hit(regex('/v[0-9]+/.*'), path)),
    [true, true, false, false, false],
  )
})

test('a method is compared with case', (t) => {
  t.true(hit({ method: 'GET' }, '/', { method: 'GET' }))
  t.false(hit({ method: 'GET' }, '/', { method: 'get' }))
  t.false(hit({ method: 'GET' }, '/', { method: 'HEAD' }))
})

const is = (name: string, value: string) => ({ name, value: { case: 'exact' as const, value } })
const like = (name: string, value: string) => ({ name, value: { case: 'regex' as const, value } })

test('header names without case, values with it', (t) => {
  const match = { headers: [is('X-Version', 'V2')] }
  t.true(hit(match, '/', { headers: ['x-vErsion', 'V2'] }))
  t.false(hit(match, '/', { headers: ['x-version', 'v2'] }))
  t.false(hit(match, '/', { headers: ['x-versions', 'V2'] }))
  t.false(hit(match))
})

test('the lines of one header are one value', (t) => {
  const headers = ['a', '1', 'b', 'x', 'A', '2']
  t.true(hit({ headers: [is('a', '1,2')] }, '/', { headers }))
  t.false(hit({ headers: [is('a', '1')] }, '/', { headers }))
  t.true(hit({ headers: [like('a', '.*2')] }, '/', { headers }))
  t.true(hit({ headers: [is('cookie', 'a=1; b=2')] }, '/', { headers: ['cookie', 'a=1', 'cookie', 'b=2'] }))
})

test('an empty value is a value, an absent header none', (t) => {
  t.true(hit({ headers: [is('a', '')] }, '/', { headers: ['a', ''] }))
  t.false(hit({ headers: [is('a', '')] }))
  t.false(hit({ headers: [like('a', '.*')] }))
})

test('host is the authority, not what a header line says', (t) => {
  t.true(hit({ headers: [is('host', 'cart')] }, '/', { headers: ['host', 'evil'] }))
})

test('all conditions must hold', (t) => {
  const match: MatchInit = {
    ...prefix('/a'),
    method: 'GET',
    headers: [is('a', '1'), is('b', '2')],
    query: [is('q', '3')],
  }
  const good = { headers: ['a', '1', 'b', '2'], query: 'q=3' }
  t.true(hit(match, '/a', good))
  t.false(hit(match, '/b', good))
  t.false(hit(match, '/a', { ...good, method: 'PUT' }))
  t.false(hit(match, '/a', { ...good, headers: ['a', '1'] }))
  t.false(hit(match, '/a', { ...good, query: '' }))
})

/** Query, condition, whether it holds. */
const QUERIES: readonly (readonly [string, ReturnType<typeof is> | ReturnType<typeof like>, boolean])[] = [
  ['a=1', is('a', '1'), true],
  ['a=1&a=2', is('a', '1'), true],
  ['a=1&a=2', is('a', '2'), false],
  ['b=2&a=1', is('a', '1'), true],
  ['A=1', is('a', '1'), false],
  ['a', is('a', ''), true],
  ['a=', is('a', ''), true],
  ['', is('a', ''), false],
  ['&&a=1&', is('a', '1'), true],
  ['a=b=c', is('a', 'b=c'), true],
  ['a=%31', is('a', '1'), true],
  ['%61=1', is('a', '1'), true],
  ['a=%C3%A4', is('a', 'ä'), true],
  ['a=1%262', is('a', '1&2'), true],
  ['a=1+2', is('a', '1+2'), true],
  ['a=%zz', is('a', '%zz'), true],
  ['a=%', is('a', '%'), true],
  ['a=%ff', is('a', '%ff'), true],
  ['a=1;b=2', is('b', '2'), false],
  ['a=abc', like('a', 'a.c'), true],
  ['a=xabc', like('a', 'a.c'), false],
  ['__proto__=1', is('__proto__', '1'), true],
  ['a=1', is('constructor', ''), false],
]
for (const [query, condition, expected] of QUERIES) {
  const written = `${condition.name} ${condition.value.case} ${condition.value.value}`
  test(`query "${query}" ${expected ? 'meets' : 'does not meet'} ${written}`, (t) => {
    t.is(hit({ query: [condition] }, '/', { query }), expected)
  })
}

const segment = fc.stringMatching(/^[a-z0-9%._~-]{1,6}$/)
const path = fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`)

test('a prefix is of a path when its segments are the first of the path’s', (t) => {
  const segmentsOf = (text: string) => text.split('/').filter((part) => part !== '')
  const prefixes = fc.tuple(path, fc.boolean()).map(([text, slash]) => (slash && text !== '/' ? `${text}/` : text))
  const related = fc.oneof(
    fc.tuple(prefixes, path),
    fc.tuple(prefixes, fc.string({ maxLength: 3 })).map(([start, end]) => [start, start + end] as const),
  )
  fc.assert(
    fc.property(
      related.filter(([, whole]) => !whole.includes('//')),
      ([start, whole]) => {
        const [want, have] = [segmentsOf(start), segmentsOf(whole)]
        return hasSegmentPrefix(whole, start) === want.every((part, index) => part === have[index])
      },
    ),
    { numRuns: 5_000 },
  )
  t.pass()
})

test('no request makes matching throw, and the verdict is the same each time', (t) => {
  const any = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.webPath())
  const routes = routesOf(
    { match: { ...regex('/(a|b)*c+'), headers: [like('x', '[^a]*')], query: [like('q', '\\PL+')] }, action: TO_CART },
    { match: { ...prefix('/a/'), query: [is('%', '%')] }, action: TO_CART },
    { match: { ...exact('/'), headers: [is('__proto__', '')] }, action: TO_CART },
  )
  fc.assert(
    fc.property(any, any, any, fc.array(any), (text, method, query, headers) => {
      const kind = () => matchRoute(routes, request(text, { method, query, headers })).kind
      return kind() === kind()
    }),
    { numRuns: 2_000 },
  )
  t.pass()
})

/** Ways a route can be more than this version understands; each leaves a match that would otherwise hold for `/a`. */
const LATER = [{ no: 1_000, wireType: 0 as const, data: Uint8Array.of(1) }]
const UNREADABLE: readonly ((init: PlainRoute) => RouteInit)[] = [
  (init) => ({ ...init, match: regex('(') }),
  (init) => ({ ...init, match: { ...exact('/a'), headers: [{ name: 'x' }] } }),
  (init) => ({ ...init, match: { ...exact('/a'), headers: [like('x', '(?=)')] } }),
  (init) => ({ ...init, match: { ...exact('/a'), query: [like('x', '\\C')] } }),
  (init) => ({ ...init, match: { ...exact('/a'), headers: [is(':method', 'GET')] } }),
  (init) => ({ ...init, action: { case: undefined } }),
  (init) => ({ ...init, action: { case: 'redirect', value: { scheme: 'gopher' } } }),
  (init) => ({ ...init, requestHeaders: { set: [{ name: 'a b', value: '' }] } }),
  (init) => ({ ...init, rewrite: { path: {} } }),
  (init) => ({ ...init, mirrors: [{}] }),
  (init) => {
    const route = create(pb.RouteSchema, init)
    route.$unknown = LATER
    return route
  },
  (init) => {
    // May be an alternative to the path, or turn it round.
    const route = create(pb.RouteSchema, { ...init, match: exact('/elsewhere') })
    route.match!.$unknown = LATER
    return route
  },
  (init) => {
    const route = create(pb.RouteSchema, { ...init, match: { ...exact('/a'), headers: [is('absent', 'x')] } })
    route.match!.headers[0]!.$unknown = LATER
    return route
  },
]

test('a route that can not be understood never lets a later one answer', (t) => {
  const plain: PlainRoute = { match: exact('/a'), action: TO_CART }
  const others = fc.array(fc.constantFrom<RouteInit>({ match: prefix('/b'), action: TO_CART }), { maxLength: 3 })
  fc.assert(
    fc.property(fc.constantFrom(...UNREADABLE), others, others, (spoil, before, after) => {
      const routes = routesOf(...before, spoil(plain), ...after, { name: 'wide', action: TO_CART })
      const verdict = matchRoute(routes, request('/a'))
      const { action } = verdict.kind === 'matched' ? verdict.route : { action: undefined }
      return action?.kind === 'fixed-status' && action.status === 500
    }),
    { numRuns: 500 },
  )
  t.is(matchRoute(routesOf(plain), request('/a')).kind, 'matched')
})
