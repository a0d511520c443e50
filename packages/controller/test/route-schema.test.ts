// Which routes the API server refuses, as Gateway API's standard channel does.
import { silentLogger } from '@ambit/core'
import { KINDS, KubeApiError, type KubeObject } from '@ambit/kube'
import test from 'ava'
import { startTestCluster, type TestCluster } from './support/cluster.ts'
import * as make from './support/objects.ts'

const clusters = (async (): Promise<TestCluster> => {
  const cluster = await startTestCluster(silentLogger)
  for (const name of ['httproutes', 'grpcroutes', 'referencegrants'])
    await cluster.applyManifest(`crds/gateway-api/gateway.networking.k8s.io_${name}.yaml`)
  return cluster
})()
test.after.always(async () => (await clusters)[Symbol.asyncDispose]())

const backend = { name: 's', port: 80 }
const parent = { group: '', kind: 'Service', name: 's' }
const KIND_OF = { HTTPRoute: KINDS.httpRoute, GRPCRoute: KINDS.grpcRoute, ReferenceGrant: KINDS.referenceGrant }
let made = 0

const takes = test.macro(async (t, object: (at: string) => KubeObject, refusal: RegExp | undefined) => {
  const { client } = await clusters
  const route = object(`default/r${made++}`)
  const attempt = client.create(KIND_OF[route.kind as keyof typeof KIND_OF], route)
  if (refusal === undefined) await t.notThrowsAsync(attempt)
  else t.regex((await t.throwsAsync(attempt, { instanceOf: KubeApiError })).message, refusal)
})
const http = (rule: object) => (at: string) =>
  make.httpRoute(at, { parentRefs: [parent], rules: [{ backendRefs: [backend], ...rule }] })
const grpc = (rule: object) => (at: string) =>
  make.grpcRoute(at, { parentRefs: [parent], rules: [{ backendRefs: [backend], ...rule }] })
const path = (value: string, type = 'PathPrefix') => http({ matches: [{ path: { type, value } }] })
const filters = (...list: readonly object[]) => http({ filters: list })
const HEADERS = { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'a', value: 'b' }] } }
const mirror = (more: object): object => ({ type: 'RequestMirror', requestMirror: { backendRef: backend, ...more } })
const rewrite = { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/x' } } }
const redirect = { type: 'RequestRedirect', requestRedirect: { statusCode: 301 } }

test('a plain route', takes, http({}), undefined)
test('a path', takes, path("/a/b.c/~x'y%20z"), undefined)
test('a path that is not absolute', takes, path('a'), /absolute path/)
test('a path with an empty segment', takes, path('/a//b'), /normal form/)
test('a path with dots', takes, path('/a/../b'), /normal form/)
test('a path that ends in dots', takes, path('/a/..'), /normal form/)
test('dots in a name', takes, path('/a/..b'), undefined)
test('an encoded slash', takes, path('/a%2Fb', 'Exact'), /normal form/)
test('a fragment', takes, path('/a#b'), /not the path/)
test('an expression may be anything', takes, path('.*#//', 'RegularExpression'), undefined)
test('an unknown type of path', takes, path('/', 'Glob'), /Glob/)
test('an unknown method', takes, http({ matches: [{ method: 'get' }] }), /get/)
test(
  'a header twice',
  takes,
  http({
    matches: [
      {
        headers: [
          { name: 'a', value: '1' },
          { name: 'a', value: '2' },
        ],
      },
    ],
  }),
  /Duplicate/,
)
test('a header without value', takes, http({ matches: [{ headers: [{ name: 'a' }] }] }), /value/)
test('a name that is no header', takes, http({ matches: [{ headers: [{ name: 'a b', value: '1' }] }] }), /name/)
test('a filter', takes, filters(HEADERS), undefined)
test('a filter twice', takes, filters(HEADERS, HEADERS), /only once/)
test('mirrors', takes, filters(mirror({}), mirror({ percent: 10 }), mirror({ fraction: { numerator: 1 } })), undefined)
test('a mirror by both', takes, filters(mirror({ percent: 10, fraction: { numerator: 1 } })), /either/)
test('more than all', takes, filters(mirror({ fraction: { numerator: 2, denominator: 1 } })), /at most the whole/)
test(
  'a filter of one type with the fields of another',
  takes,
  filters({ ...HEADERS, type: 'URLRewrite' }),
  /goes with type/,
)
test('a filter without its fields', takes, filters({ type: 'RequestHeaderModifier' }), /goes with type/)
test('a filter nobody knows', takes, filters({ type: 'Magic' }), /Magic/)
test('a redirect and backends', takes, filters(redirect), /no backend/)
test('a redirect', takes, http({ backendRefs: [], filters: [redirect] }), undefined)
test(
  'redirect and rewrite',
  takes,
  http({ backendRefs: [], filters: [redirect, rewrite] }),
  /either redirected or rewritten/,
)
test('a prefix rewritten', takes, http({ filters: [rewrite], matches: [{ path: { value: '/a' } }] }), undefined)
test(
  'a prefix rewritten where a path is matched',
  takes,
  http({ filters: [rewrite], matches: [{ path: { type: 'Exact', value: '/a' } }] }),
  /which/,
)
test('times', takes, http({ timeouts: { request: '10s', backendRequest: '500ms' } }), undefined)
test('no time for the whole', takes, http({ timeouts: { request: '0s', backendRequest: '5s' } }), undefined)
test('a part longer than the whole', takes, http({ timeouts: { request: '1s', backendRequest: '2s' } }), /part of/)
test('a time that is none', takes, http({ timeouts: { request: 'soon' } }), /request/)
test('a retry', takes, http({ retry: { attempts: 3, codes: [503], backoff: '10ms' } }), undefined)
test('a retry of success', takes, http({ retry: { codes: [200] } }), /codes/)
test('a backend without port', takes, http({ backendRefs: [{ name: 's' }] }), /Must have port/)
test('a weight below nothing', takes, http({ backendRefs: [{ ...backend, weight: -1 }] }), /weight/)
test(
  'too many matches',
  takes,
  (at) =>
    make.httpRoute(at, {
      rules: Array.from({ length: 3 }, () => ({ matches: Array.from({ length: 64 }, () => ({})) })),
    }),
  /128 matches/,
)
test('a parent twice', takes, (at) => make.httpRoute(at, { parentRefs: [parent, parent] }), /twice/)
test(
  'sections of a parent',
  takes,
  (at) => make.httpRoute(at, { parentRefs: ['a', 'b'].map((sectionName) => ({ name: 'g', sectionName })) }),
  undefined,
)
test(
  'a parent and a section of it',
  takes,
  (at) => make.httpRoute(at, { parentRefs: [{ name: 'g' }, { name: 'g', sectionName: 'a' }] }),
  /sectionName/,
)
test('gRPC', takes, grpc({ matches: [{ method: { service: 'p.S', method: 'M' } }, {}] }), undefined)
test('gRPC: nothing of a method', takes, grpc({ matches: [{ method: { type: 'Exact' } }] }), /service or a method/)
test('gRPC: no name', takes, grpc({ matches: [{ method: { service: 'p/S' } }] }), /name of a service/)
test(
  'gRPC: an expression',
  takes,
  grpc({ matches: [{ method: { type: 'RegularExpression', service: 'p/.*' } }] }),
  undefined,
)
test('gRPC: a filter of HTTP', takes, grpc({ filters: [rewrite] }), /URLRewrite/)
test(
  'a grant',
  takes,
  (at) =>
    make.referenceGrant(at, {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'a' }],
      to: [{ group: '', kind: 'Service' }],
    }),
  undefined,
)
test('a grant to nothing', takes, (at) => make.referenceGrant(at, { from: [], to: [] }), /from/)
