import { waypointpb as pb } from '@ambit/api'
import { create, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import fc from 'fast-check'
import { decodeDestination, type Route } from '../../src/index.ts'
import {
  MAX_FAULT_DELAY_MS,
  MAX_PATTERN_CHARACTERS,
  MAX_PATTERN_INSTRUCTIONS,
  MAX_RETRIES,
  MAX_RETRY_BACKOFF_MS,
  MAX_TIMEOUT_MS,
} from '../../src/limits.ts'
import { HOST, KEY } from '../helpers.ts'
import { decodedRoutes, destinationBytes, type PlainRoute, type RouteInit, serviceInit, TO_CART } from './helpers.ts'

const only = (init: RouteInit): Route => decodedRoutes(init)[0]!
const bad = (n: number) => n as never

test('a route as it was written', (t) => {
  const route = only({
    name: 'shop.r.0',
    match: {
      path: { case: 'pathPrefix', value: '/a' },
      method: 'GET',
      headers: [{ name: 'X-Version', value: { case: 'exact', value: 'V2' } }],
      query: [{ name: 'Key', value: { case: 'exact', value: '' } }],
    },
    requestHeaders: { set: [{ name: 'X-A', value: '1' }], remove: ['X-B'] },
    rewrite: { hostname: 'other', path: { change: { case: 'prefix', value: '/b' } } },
    mirrors: [{ backend: { namespace: 'shop', hostname: HOST, port: 80 }, perMillion: 500_000 }],
    requestTimeoutMs: 1_000,
    backendTimeoutMs: 0,
    retry: { attempts: 3, codes: [503], backoffMs: 10 },
    action: TO_CART,
  })
  const none = { set: [], add: [], remove: [] }
  const backend = {
    service: KEY,
    port: 80,
    invalid: false,
    protocol: 'unknown',
    requestHeaders: none,
    responseHeaders: none,
    trafficPolicy: '',
    subset: '',
  }
  t.deepEqual(route as unknown, {
    name: 'shop.r.0',
    match: {
      path: { kind: 'prefix', value: '/a' },
      method: 'GET',
      headers: [{ kind: 'exact', name: 'x-version', value: 'V2' }],
      query: [{ kind: 'exact', name: 'Key', value: '' }],
      more: undefined,
    },
    requestHeaders: { set: [{ name: 'x-a', value: '1' }], add: [], remove: ['x-b'] },
    responseHeaders: none,
    rewrite: { hostname: 'other', path: { kind: 'prefix', value: '/b' } },
    mirrors: [{ backend: { ...backend, weight: 0 }, perMillion: 500_000 }],
    requestTimeoutMs: 1_000,
    backendTimeoutMs: undefined,
    retry: { attempts: 3, codes: [503], backoffMs: 10, conditions: [] },
    fault: undefined,
    cors: undefined,
    action: { kind: 'forward', backends: [{ ...backend, weight: 1 }] },
  })
})

const EVERYTHING = { path: undefined, method: undefined, headers: [], query: [], more: undefined }

test('a match that is absent is every request', (t) => {
  t.deepEqual(only({ action: TO_CART }).match, EVERYTHING)
})

test('of several conditions on one name the first counts', (t) => {
  const exact = (name: string, value: string) => ({ name, value: { case: 'exact' as const, value } })
  const { match } = only({
    match: {
      headers: [exact('X-A', '1'), exact('x-a', '2')],
      query: [exact('a', '1'), exact('a', '2'), exact('A', '3')],
    },
    action: TO_CART,
  })
  t.deepEqual(
    match.headers.map((header) => header.kind === 'exact' && header.value),
    ['1'],
  )
  t.deepEqual(
    match.query.map((parameter) => parameter.kind === 'exact' && parameter.value),
    ['1', '3'],
  )
})

test('a pattern matches whole texts only', (t) => {
  const { path } = only({ match: { path: { case: 'pathRegex', value: '/a|/ab' } }, action: TO_CART }).match
  const hits = (text: string) => path?.kind === 'regex' && path.pattern.test(text)
  t.deepEqual(['/a', '/ab', '/abc', 'x/a', '/a\n', '/A'].map(hits), [true, true, false, false, false, false])
})

const failing = test.macro({
  exec(t, init: PlainRoute, problem: RegExp) {
    const { action, match } = only({ match: { method: 'PUT' }, ...init })
    t.is(action.kind, 'fixed-status')
    if (action.kind !== 'fixed-status') return
    t.is(action.status, 500)
    t.regex(action.problem ?? '', problem)
    t.true(match.method === 'PUT' || init.match !== undefined)
  },
  title: (name) => `answered 500: ${name}`,
})

const path = (value: string) => ({ path: { case: 'pathRegex' as const, value } })
const backends = (over: object) => ({
  case: 'backends' as const,
  value: { backends: [{ namespace: 'shop', hostname: HOST, port: 80, weight: 1, ...over }] },
})
const redirect = (value: object) => ({ case: 'redirect' as const, value })

test('no action', failing, {}, /no action/)
test('a pattern RE2 does not know', failing, { match: path('(?=a)'), action: TO_CART }, /path_regex: .*Perl/)
test(
  'a pattern that is too long',
  failing,
  { match: path('a'.repeat(MAX_PATTERN_CHARACTERS + 1)), action: TO_CART },
  /4097 characters/,
)
test(
  'a pattern that compiles to too much',
  failing,
  { match: path(`(a?b?c?){${Math.ceil(MAX_PATTERN_INSTRUCTIONS / 6)}}`), action: TO_CART },
  /instructions/,
)
test('a repeat count above what RE2 allows', failing, { match: path('a{1001}'), action: TO_CART }, /repeat/)
test('a condition without a kind', failing, { match: { headers: [{ name: 'a' }] }, action: TO_CART }, /without a kind/)
test(
  'a condition on a pseudo header',
  failing,
  { match: { headers: [{ name: ':path', value: { case: 'exact', value: '/' } }] }, action: TO_CART },
  /not a header name/,
)
test(
  'a pseudo header set',
  failing,
  { requestHeaders: { set: [{ name: ':path', value: '/' }] }, action: TO_CART },
  /request_headers.set\[0\]: not a header name/,
)
test('a name with a space removed', failing, { responseHeaders: { remove: ['a b'] }, action: TO_CART }, /remove\[0\]/)
test(
  'a value with a line break',
  failing,
  { responseHeaders: { add: [{ name: 'a', value: 'b\r\nc: d' }] }, action: TO_CART },
  /not a header value/,
)
test(
  'a value outside Latin-1',
  failing,
  { requestHeaders: { add: [{ name: 'a', value: '☃' }] }, action: TO_CART },
  /value/,
)
test('a backend without a name', failing, { action: backends({ hostname: '' }) }, /hostname: required/)
test('a backend without a port', failing, { action: backends({ port: 0 }) }, /0 is not a port/)
test('a backend of an unknown protocol', failing, { action: backends({ protocol: bad(77) }) }, /unknown value 77/)
test('a mirror without a backend', failing, { mirrors: [{ perMillion: 1 }], action: TO_CART }, /backend: required/)
test('a status of one hundred', failing, { action: { case: 'fixedStatus', value: 100 } }, /fixed_status: 100/)
test('a redirect with 200', failing, { action: redirect({ status: 200 }) }, /200 is no redirect/)
test('a redirect to another scheme', failing, { action: redirect({ scheme: 'javascript' }) }, /scheme: javascript/)
test('a redirect to port 65536', failing, { action: redirect({ port: 65_536 }) }, /65536 is not a port/)
test('a host name with a slash', failing, { action: redirect({ hostname: 'a/b' }) }, /not a host name/)
test('a host name with a line break', failing, { rewrite: { hostname: 'a\r\nb' }, action: TO_CART }, /not a host name/)
test('a path change without a kind', failing, { rewrite: { path: {} }, action: TO_CART }, /no change/)
for (const value of ['/a b', '/a\r\nb', '/a#b', '/☃']) {
  test(
    `a path that is none: ${JSON.stringify(value)}`,
    failing,
    { rewrite: { path: { change: { case: 'full', value } } }, action: TO_CART },
    /not the path/,
  )
}
test(
  'a prefix replaced where a whole path is matched',
  failing,
  {
    match: { path: { case: 'exactPath', value: '/a' } },
    rewrite: { path: { change: { case: 'prefix', value: '/b' } } },
    action: TO_CART,
  },
  /where none is matched/,
)
test('another attempt after a success', failing, { retry: { attempts: 1, codes: [200] }, action: TO_CART }, /200/)

test('what can not be read of a match makes it wider', (t) => {
  const { match } = only({
    match: {
      path: { case: 'pathRegex', value: '(' },
      method: 'PUT',
      headers: [
        { name: 'x', value: { case: 'regex', value: '(' } },
        { name: 'X', value: { case: 'exact', value: '1' } },
        { name: 'y', value: { case: 'exact', value: '2' } },
      ],
    },
    action: TO_CART,
  })
  t.deepEqual(match as unknown, {
    path: undefined,
    method: 'PUT',
    headers: [{ kind: 'exact', name: 'y', value: '2' }],
    query: [],
    more: undefined,
  })
})

const later = [{ no: 99, wireType: 0 as const, data: Uint8Array.of(1) }]

test('a field of a later version inside a match: everything that reaches the route fails', (t) => {
  for (const place of ['match', 'condition'] as const) {
    const match = create(pb.RouteMatchSchema, {
      path: { case: 'pathPrefix', value: '/a' },
      headers: [{ name: 'x', value: { case: 'exact', value: '1' } }],
    })
    if (place === 'match') match.$unknown = later
    else match.headers[0]!.$unknown = later
    const route = only({ match, action: TO_CART })
    t.deepEqual(route.match, EVERYTHING)
    t.like(route.action, { kind: 'fixed-status', status: 500 })
  }
})

test('a field of a later version beside the match: what matches fails', (t) => {
  const init = create(pb.RouteSchema, { match: { path: { case: 'pathPrefix', value: '/a' } }, action: TO_CART })
  init.$unknown = later
  const route = only(init)
  t.deepEqual(route.match.path, { kind: 'prefix', value: '/a' })
  t.like(route.action, { kind: 'fixed-status', status: 500 })
  t.regex(route.action.kind === 'fixed-status' ? (route.action.problem ?? '') : '', /unknown field 99/)
})

test('a backend that is invalid need not have an address', (t) => {
  const { action } = only({ action: { case: 'backends', value: { backends: [{ invalid: true, weight: 3 }] } } })
  t.true(action.kind === 'forward' && action.backends[0]?.invalid === true && action.backends[0].weight === 3)
})

test('a redirect without a status is a 302', (t) => {
  const { action } = only({ action: redirect({ hostname: 'other' }) })
  t.is(action.kind === 'redirect' ? action.redirect.status : 0, 302)
})

test('what a route may ask for has an end', (t) => {
  const route = only({
    requestTimeoutMs: 4_294_967_295,
    retry: { attempts: 1_000_000, backoffMs: 4_294_967_295 },
    action: TO_CART,
  })
  t.is(route.requestTimeoutMs, MAX_TIMEOUT_MS)
  t.deepEqual(route.retry, { attempts: MAX_RETRIES, codes: [], backoffMs: MAX_RETRY_BACKOFF_MS, conditions: [] })
})

test('one route that fails leaves the others as they are', (t) => {
  const routes = decodedRoutes({ name: 'a', action: TO_CART }, { name: 'b' }, { name: 'c', action: TO_CART })
  t.deepEqual(
    routes.map(({ name, action }) => `${name} ${action.kind}`),
    ['a forward', 'b fixed-status', 'c forward'],
  )
})

test('any pattern compiles or makes its route fail, and matching never throws', (t) => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string())
  const patterns = fc.oneof(texts, fc.stringMatching(/^[()[\]{}.*+?|^$\\\w/-]{0,30}$/))
  fc.assert(
    fc.property(
      patterns.filter((text) => text.isWellFormed()),
      texts,
      (pattern, text) => {
        const route = only({ match: path(pattern), action: TO_CART })
        if (route.match.path === undefined) return route.action.kind === 'fixed-status'
        return route.match.path.kind === 'regex' && typeof route.match.path.pattern.test(text) === 'boolean'
      },
    ),
    { numRuns: 1_000 },
  )
  t.pass()
})

test('a message with any byte altered becomes a value or a rejection', (t) => {
  const bytes = destinationBytes(
    serviceInit([
      { name: 'a', match: { ...path('/a.*'), method: 'GET' }, requestHeaders: { remove: ['x'] }, action: TO_CART },
      { name: 'b', action: redirect({ hostname: 'x', path: { change: { case: 'full', value: '/x' } } }) },
    ]),
  )
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), (at, value) => {
      const altered = Uint8Array.from(bytes)
      altered[at % altered.length] = value
      const decoded = decodeDestination(altered)
      return decoded.ok || decoded.rejection.message !== ''
    }),
    { numRuns: 3_000 },
  )
  t.pass()
})

test('unknown bytes on the wire are noticed, not only in memory', (t) => {
  const route = toBinary(pb.RouteSchema, create(pb.RouteSchema, { name: 'a', action: TO_CART }))
  // Field 99, varint 1.
  const extended = Uint8Array.from([...route, 0x98, 0x06, 0x01])
  const field = (number: number, content: Uint8Array) =>
    Uint8Array.from([(number << 3) | 2, content.length, ...content])
  const port = Uint8Array.from([0x08, 80, ...field(3, field(1, extended))])
  const service = Uint8Array.from([
    ...field(1, new TextEncoder().encode('n')),
    ...field(2, new TextEncoder().encode('h')),
    ...field(3, port),
  ])
  const decoded = decodeDestination(field(1, service))
  t.true(decoded.ok && decoded.value.kind === 'service')
  if (!decoded.ok || decoded.value.kind !== 'service') return
  t.like(decoded.value.ports.get(80)?.routes?.[0]?.action, { kind: 'fixed-status', status: 500 })
})

test('conditions of a VirtualService as they were written', (t) => {
  const text = (kind: 'exact' | 'prefix', value: string) => ({ value: { case: kind, value } })
  const { match } = only({
    match: {
      path: { case: 'pathTextPrefix', value: '/A' },
      pathIgnoresCase: true,
      methodText: text('prefix', 'P'),
      scheme: text('exact', 'https'),
      authority: text('exact', 'cart:80'),
      headers: [{ name: 'X', value: { case: 'present', value: true } }],
      withoutHeaders: [{ name: 'Y', value: { case: 'prefix', value: 'a' } }],
      sourceNamespace: 'shop',
    },
    action: TO_CART,
  })
  t.deepEqual(match as unknown, {
    path: { kind: 'text-prefix', value: '/a', ignoresCase: true },
    method: undefined,
    headers: [{ kind: 'present', name: 'x' }],
    query: [],
    more: {
      method: { kind: 'prefix', value: 'P' },
      scheme: { kind: 'exact', value: 'https' },
      authority: { kind: 'exact', value: 'cart:80' },
      withoutHeaders: [{ kind: 'prefix', name: 'y', value: 'a' }],
      sourceNamespace: 'shop',
    },
  })
})

test('a header that may not be there and can not be read makes the match wider', (t) => {
  const withoutHeaders = [{ name: 'y', value: { case: 'regex' as const, value: '(' } }]
  const { match, action } = only({ match: { withoutHeaders }, action: TO_CART })
  t.deepEqual(match.more?.withoutHeaders, [])
  t.like(action, { kind: 'fixed-status', status: 500 })
})

test('a substitution names groups of its pattern', (t) => {
  const change = (pattern: string, substitution: string) =>
    only({ rewrite: { path: { change: { case: 'regex', value: { pattern, substitution } } } }, action: TO_CART })
  const { path: rewritten } = change('/(a+)/(b)', String.raw`/\2/\1/\0`).rewrite ?? {}
  t.is(rewritten?.kind === 'regex' && rewritten.replacement.apply('/x/aa/b/y/a/b'), '/x/b/aa//aa/b/y/b/a//a/b')
  for (const [pattern, substitution] of [
    ['(a)', String.raw`/\2`],
    ['(a)', '/\\'],
    ['(', '/'],
    ['a', '/ä'],
  ] as const)
    t.like(change(pattern, substitution).action, { kind: 'fixed-status', status: 500 }, pattern)
})

test('a text prefix is replaced where one is matched, or none is', (t) => {
  const rewrite = { path: { change: { case: 'textPrefix' as const, value: '/b' } } }
  const of = (match: PlainRoute['match']) => only({ ...(match && { match }), rewrite, action: TO_CART }).action.kind
  t.is(of(undefined), 'forward')
  t.is(of({ path: { case: 'pathTextPrefix', value: '/a' } }), 'forward')
  t.is(of({ path: { case: 'pathPrefix', value: '/a' } }), 'fixed-status')
  t.is(of({ path: { case: 'exactPath', value: '/a' } }), 'fixed-status')
})

for (const [title, init] of [
  ['an abort without status', { fault: { abortPerMillion: 1 } }],
  ['an abort with no final status', { fault: { abortPerMillion: 1, abort: { case: 'httpStatus', value: 101 } } }],
  ['a delay that is too long', { fault: { delayPerMillion: 1, delayMs: MAX_FAULT_DELAY_MS + 1 } }],
  ['a condition of retries nobody knows', { retry: { attempts: 1, conditions: ['5xx', 'later'] } }],
  ['a list of methods that is none', { cors: { allowMethods: ['GET, PUT'] } }],
  ['an origin without a kind', { cors: { allowOrigins: [{}] } }],
] as const satisfies readonly (readonly [string, PlainRoute])[])
  test(`answered 500: ${title}`, (t) => {
    t.like(only({ ...(init as PlainRoute), action: TO_CART }).action, { kind: 'fixed-status', status: 500 })
  })

test('faults and cors as they were written', (t) => {
  const route = only({
    fault: { delayPerMillion: 1, delayMs: 7, abortPerMillion: 2, abort: { case: 'grpcStatus', value: 14 } },
    cors: { allowOrigins: [{ value: { case: 'exact', value: 'https://a' } }], allowMethods: ['GET'], maxAgeSeconds: 0 },
    action: { case: 'directResponse', value: { status: 418, body: Buffer.from('tea') } },
  })
  t.deepEqual(route.fault, {
    delay: { perMillion: 1, ms: 7 },
    abort: { perMillion: 2, kind: 'grpc', status: 14 },
  })
  t.like(route.cors, { allowOrigins: [{ kind: 'exact', value: 'https://a' }], maxAgeSeconds: 0 })
  t.like(route.action, { kind: 'fixed-status', status: 418 })
})
