import test from 'ava'
import { judgeSecurity } from '../src/edge-security.ts'
import { MAX_SHOWN_EDGES } from '../src/limits.ts'
import { questionOf } from '../src/question-of-edge.ts'
import { topologyOf } from '../src/topology-of-graph.ts'
import { edge, flow, service, view, workload } from './support/bookstore-view.ts'

const [page, reviews] = [workload('page'), service('reviews')]
const health = { proxies: 1, problems: [] }
const QUIET = { perSecond: 0, bytesPerSecond: 0, deniedLately: 0, failedLately: 0 }

const security = test.macro({
  exec(t, change: Parameters<typeof edge>[2], level: string, ...seen: readonly string[]) {
    t.deepEqual(judgeSecurity(edge(page, reviews, change)), { level, seen } as never)
  },
  title: (name) => `security: ${name}`,
})

test('post-quantum', security, {}, 'mtls-post-quantum', 'mTLS TLSv1.3 X25519MLKEM768')
test('another group', security, { keyExchanges: ['X25519'] }, 'mtls', 'mTLS TLSv1.3 X25519')
test(
  'one of two groups',
  security,
  { keyExchanges: ['X25519', 'X25519MLKEM768'] },
  'mtls',
  'mTLS TLSv1.3 X25519 X25519MLKEM768',
)
test('no group told', security, { keyExchanges: [], tlsVersions: [] }, 'mtls', 'mTLS')
test(
  'plain',
  security,
  { transports: ['plain'], plainText: true, keyExchanges: [], tlsVersions: [] },
  'plain',
  'plain text',
)
test(
  'some of it plain',
  security,
  { transports: ['hbone', 'plain'], plainText: true },
  'mixed',
  'mTLS TLSv1.3 X25519MLKEM768',
  'plain text',
)
test('TLS without client', security, { transports: ['tls'], keyExchanges: [] }, 'tls', 'TLS TLSv1.3')
test('nothing is known', security, { transports: [] }, 'unknown')

test('waypoints and pods behind services are nodes, even where the graph has none for them', (t) => {
  const one = edge(page, reviews, { endpoints: ['books/reviews-v1', 'books/reviews-v2'], waypoints: ['gates/door'] })
  const { nodes, edges, servings } = topologyOf(view([page, reviews], [one]), { health, ratesOf: () => QUIET })
  t.deepEqual(
    nodes.map(({ kind, namespace, name }) => [kind, namespace, name]),
    [
      ['service', 'books', 'reviews'],
      ['workload', 'books', 'page'],
      ['workload', 'books', 'reviews-v1'],
      ['workload', 'books', 'reviews-v2'],
      ['waypoint', 'gates', 'door'],
    ],
  )
  t.is(edges[0]?.via, 'workload:gates/door')
  t.deepEqual(
    servings.map(({ workload }) => workload),
    ['workload:books/reviews-v1', 'workload:books/reviews-v2'],
  )
})

test('with a namespace, only edges that touch it', (t) => {
  const [job, store] = [workload('job', 'batch'), service('store', 'batch')]
  const all = view([page, reviews, job, store], [edge(page, reviews), edge(job, store), edge(job, reviews)])
  const { edges } = topologyOf(all, { health, namespace: 'books', ratesOf: () => QUIET })
  t.deepEqual(
    edges.map(({ from }) => from),
    [job.id, page.id],
  )
})

test('of too many edges the quietest are left out, and counted', (t) => {
  const clients = Array.from({ length: MAX_SHOWN_EDGES + 5 }, (_, i) => workload(`client-${i}`))
  const { edges, nodes, leftOut } = topologyOf(
    view(
      [...clients, reviews],
      clients.map((client) => edge(client, reviews)),
    ),
    {
      health,
      ratesOf: ({ from }) => ({
        ...QUIET,
        perSecond: from.endsWith('-3') ? 0 : 1,
        deniedLately: from.endsWith('-7') ? 1 : 0,
      }),
    },
  )
  t.is(edges.length, MAX_SHOWN_EDGES)
  t.is(leftOut, 5)
  t.is(nodes.length, MAX_SHOWN_EDGES + 1)
  t.true(edges.some(({ from }) => from.endsWith('client-7')))
  t.false(edges.some(({ from }) => from.endsWith('client-3')))
})

const asked = test.macro({
  exec(t, change: Parameters<typeof flow>[2], identities: readonly string[], expected: object) {
    const one = flow('page', 'reviews', change)
    t.deepEqual(questionOf(one, one.request, identities), expected as never)
  },
  title: (name) => `question: ${name}`,
})

const PAGE = { kind: 'account', namespace: 'books', serviceAccount: 'page' }
const REVIEWS = { kind: 'service', namespace: 'books', name: 'reviews', port: 9080 }
const IDENTITY = 'spiffe://cluster.local/ns/books/sa/page'

test('account and service', asked, {}, [IDENTITY], { from: PAGE, to: REVIEWS })
test('no identity proved: the pod', asked, {}, [], {
  from: { kind: 'pod', namespace: 'books', name: 'page-7d9' },
  to: REVIEWS,
})
test('an identity of elsewhere', asked, { client: { address: '10.0.1.4:1' } }, ['spiffe://other/ns/x/sa/y'], {
  from: { kind: 'identity', identity: 'spiffe://other/ns/x/sa/y' },
  to: REVIEWS,
})
test('nobody of the mesh', asked, { client: { address: '[fd00::1]:4000' } }, [], {
  from: { kind: 'outside', ip: 'fd00::1' },
  to: REVIEWS,
})
test('a pod directly', asked, { service: undefined }, [IDENTITY], {
  from: PAGE,
  to: { kind: 'pod', namespace: 'books', name: 'reviews-v1-5c4', port: 9080 },
})
test('an address', asked, { service: undefined, server: { address: '1.2.3.4:443' } }, [IDENTITY], {
  from: PAGE,
  to: { kind: 'host', host: '1.2.3.4', port: 443 },
})
test(
  'a host of a ServiceEntry',
  asked,
  { service: { namespace: 'books', hostname: 'api.example.com', port: 0 } },
  [IDENTITY],
  {
    from: PAGE,
    to: { kind: 'host', host: 'api.example.com' },
  },
)
test(
  'a request with what policies read of it',
  asked,
  {
    request: {
      method: 'GET',
      path: '/x',
      host: 'reviews',
      headers: { 'x-user': 'jason' },
      claims: { iss: 'me' },
      status: 403,
    },
  },
  [IDENTITY],
  {
    from: PAGE,
    to: REVIEWS,
    request: { method: 'GET', path: '/x', host: 'reviews', headers: [['x-user', 'jason']], claims: { iss: 'me' } },
  },
)
