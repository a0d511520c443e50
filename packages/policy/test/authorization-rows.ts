import { type Operation, type RequestShape, type Rule, type Source, token } from './request-helpers.ts'

/** One sentence of the reference: a rule, requests it matches and requests it does not. */
export interface Row {
  /** Field of AuthorizationPolicy or `when` key, as docs/authorization.md names it. */
  readonly field: string
  readonly says: string
  readonly rule: Rule
  readonly hits: readonly RequestShape[]
  readonly misses: readonly RequestShape[]
}

const WEB = 'cluster.local/ns/shop/sa/web'
const API = 'cluster.local/ns/shop/sa/api'
const OTHER = 'cluster.local/ns/other/sa/web'
const PLAINTEXT: RequestShape = { identity: undefined }

type Cases = readonly [hits: readonly RequestShape[], misses: readonly RequestShape[]]

function source(field: string, says: string, ...[from, [hits, misses]]: [from: Source, cases: Cases]): Row {
  return { field: `from.source.${field}`, says, rule: { from: [from] }, hits, misses }
}

function operation(field: string, says: string, ...[to, [hits, misses]]: [to: Operation, cases: Cases]): Row {
  return { field: `to.operation.${field}`, says, rule: { to: [to] }, hits, misses }
}

interface Values {
  readonly values?: string[]
  readonly notValues?: string[]
}

function when(key: string, says: string, values: Values, [hits, misses]: Cases, field: string = key): Row {
  return { field: `when ${field}`, says, rule: { when: [{ key, ...values }] }, hits, misses }
}

const ids = (...identities: readonly string[]): readonly RequestShape[] => identities.map((identity) => ({ identity }))
const paths = (...list: readonly string[]): readonly RequestShape[] => list.map((path) => ({ path }))
const hosts = (...list: readonly string[]): readonly RequestShape[] => list.map((host) => ({ host }))
const methods = (...list: readonly string[]): readonly RequestShape[] => list.map((method) => ({ method }))
const headers = (...list: readonly Readonly<Record<string, string>>[]): readonly RequestShape[] =>
  list.map((headers) => ({ headers }))
const ANN = { token: token({ sub: 'ann' }) }
const BOB = { token: token({ sub: 'bob' }) }
const claims = (value: Readonly<Record<string, unknown>>): RequestShape => ({ token: token({ claims: value }) })

const SOURCES: readonly Row[] = [
  source('principals', 'exact, without spiffe://', { principals: [WEB] }, [ids(WEB), [...ids(API), PLAINTEXT]]),
  source('principals', 'x* is a prefix', { principals: ['cluster.local/ns/shop/*'] }, [
    ids(WEB, API),
    [...ids(OTHER), PLAINTEXT],
  ]),
  source('principals', '*x is a suffix', { principals: ['*/sa/web'] }, [ids(WEB, OTHER), [...ids(API), PLAINTEXT]]),
  source('principals', '* is any identity, not plain text', { principals: ['*'] }, [ids(WEB, OTHER), [PLAINTEXT]]),
  source('principals', 'written with its scheme never matches', { principals: [`spiffe://${WEB}`] }, [
    [],
    [...ids(WEB), PLAINTEXT],
  ]),
  source('principals', 'are compared with case', { principals: [WEB.toUpperCase()] }, [[], ids(WEB)]),
  source('notPrincipals', 'excludes exactly', { notPrincipals: [WEB] }, [[...ids(API), PLAINTEXT], ids(WEB)]),
  source('notPrincipals', 'excludes by prefix and suffix', { notPrincipals: ['cluster.local/ns/other/*', '*/api'] }, [
    ids(WEB),
    ids(OTHER, API),
  ]),
  source('notPrincipals', '* leaves only plain text', { notPrincipals: ['*'] }, [[PLAINTEXT], ids(WEB)]),
  source('requestPrincipals', 'exact issuer and subject', { requestPrincipals: ['https://issuer.example/ann'] }, [
    [ANN],
    [BOB, {}],
  ]),
  source('requestPrincipals', 'x* is an issuer with any subject', { requestPrincipals: ['https://issuer.example/*'] }, [
    [ANN, BOB],
    [{ token: token({ iss: 'https://issuer.example/realm' }) }, {}],
  ]),
  source('requestPrincipals', '*x is a subject of any issuer', { requestPrincipals: ['*/ann'] }, [
    [ANN, { token: token({ iss: 'https://second.example' }) }],
    [BOB, { token: token({ sub: 'x/ann' }) }, {}],
  ]),
  source('requestPrincipals', '* is any token that was checked', { requestPrincipals: ['*'] }, [[ANN, BOB], [{}]]),
  source(
    'requestPrincipals',
    'are split at the last slash: a subject with slashes is no other issuer',
    { requestPrincipals: ['https://issuer.example/realm/ann'] },
    [
      [{ token: token({ iss: 'https://issuer.example/realm', sub: 'ann' }) }],
      [{ token: token({ iss: 'https://issuer.example', sub: 'realm/ann' }) }],
    ],
  ),
  source('notRequestPrincipals', 'excludes exactly', { notRequestPrincipals: ['https://issuer.example/ann'] }, [
    [BOB, {}],
    [ANN],
  ]),
  source('notRequestPrincipals', '* leaves requests without a token', { notRequestPrincipals: ['*'] }, [[{}], [ANN]]),
  source('namespaces', 'exact', { namespaces: ['shop'] }, [ids(WEB, API), [...ids(OTHER), PLAINTEXT]]),
  source('namespaces', 'prefix and suffix', { namespaces: ['sh*', '*her'] }, [
    ids(WEB, OTHER),
    [...ids('cluster.local/ns/back/sa/x'), PLAINTEXT],
  ]),
  source('namespaces', '* is any identity', { namespaces: ['*'] }, [ids(WEB, OTHER), [PLAINTEXT]]),
  source('notNamespaces', 'excludes', { notNamespaces: ['shop', 'ba*'] }, [
    [...ids(OTHER), PLAINTEXT],
    ids(WEB, 'cluster.local/ns/back/sa/x'),
  ]),
  source('serviceAccounts', 'namespace and account, in any trust domain', { serviceAccounts: ['shop/web'] }, [
    ids(WEB, 'elsewhere.example/ns/shop/sa/web'),
    [...ids(API, OTHER), PLAINTEXT],
  ]),
  source('serviceAccounts', 'without a namespace is of the namespace of the policy', { serviceAccounts: ['web'] }, [
    ids(WEB),
    [...ids(API, OTHER), PLAINTEXT],
  ]),
  source('notServiceAccounts', 'excludes', { notServiceAccounts: ['shop/web', 'api'] }, [
    [...ids(OTHER), PLAINTEXT],
    ids(WEB, API),
  ]),
  source('ipBlocks', 'the pod the tunnel came from, by network or address', { ipBlocks: ['10.0.0.0/24', 'fd00::1'] }, [
    [{ sourceIp: '10.0.0.5' }, { sourceIp: 'fd00::1' }],
    [{ sourceIp: '10.0.1.5', remoteIp: '10.0.0.5' }, { sourceIp: 'fd00::2' }],
  ]),
  source('notIpBlocks', 'excludes networks', { notIpBlocks: ['10.0.0.0/24'] }, [
    [{ sourceIp: '10.0.1.5' }],
    [{ sourceIp: '10.0.0.5' }],
  ]),
  source('remoteIpBlocks', 'the client as trusted hops report it', { remoteIpBlocks: ['203.0.113.0/24'] }, [
    [{ remoteIp: '203.0.113.7' }],
    [{ remoteIp: '198.51.100.7', sourceIp: '203.0.113.7' }],
  ]),
  source('notRemoteIpBlocks', 'excludes networks', { notRemoteIpBlocks: ['203.0.113.0/24'] }, [
    [{ remoteIp: '198.51.100.7' }],
    [{ remoteIp: '203.0.113.7' }],
  ]),
  source('trustDomains', 'exact, prefix and suffix', { trustDomains: ['cluster.local', 'east.*', '*.example'] }, [
    ids(WEB, 'east.corp/ns/x/sa/y', 'far.example/ns/x/sa/y'),
    [...ids('west.corp/ns/x/sa/y'), PLAINTEXT],
  ]),
  source('notTrustDomains', 'excludes', { notTrustDomains: ['*.example'] }, [
    [...ids(WEB), PLAINTEXT],
    ids('far.example/ns/x/sa/y'),
  ]),
]

const OPERATIONS: readonly Row[] = [
  operation('hosts', 'exact, with the port if one was sent', { hosts: ['a.example'] }, [
    hosts('a.example'),
    hosts('b.example', 'a.example:80'),
  ]),
  operation('hosts', 'are compared without case', { hosts: ['A.Example'] }, [
    hosts('a.EXAMPLE', 'a.example'),
    hosts('b.example'),
  ]),
  operation('hosts', 'prefix and suffix', { hosts: ['a.example:*', '*.b.example'] }, [
    hosts('a.example:8080', 'x.b.example'),
    hosts('a.example', 'b.example'),
  ]),
  operation('hosts', '* is any that is not empty', { hosts: ['*'] }, [hosts('a.example'), hosts('')]),
  operation('notHosts', 'excludes without case', { notHosts: ['a.example', '*.INTERNAL'] }, [
    hosts('b.example'),
    hosts('A.example', 'x.internal'),
  ]),
  operation('ports', 'the port the client addressed', { ports: ['80', '443'] }, [
    [{ port: 80 }, { port: 443 }],
    [{ port: 8080 }],
  ]),
  operation('notPorts', 'excludes', { notPorts: ['80'] }, [[{ port: 443 }], [{ port: 80 }]]),
  operation('methods', 'exact, with case', { methods: ['GET', 'HEAD'] }, [
    methods('GET', 'HEAD'),
    methods('POST', 'get'),
  ]),
  operation('methods', 'prefix and suffix', { methods: ['P*', '*ETE'] }, [methods('PUT', 'DELETE'), methods('GET')]),
  operation('methods', '* is any', { methods: ['*'] }, [methods('GET', 'BREW'), methods('')]),
  operation('notMethods', 'excludes', { notMethods: ['DELETE', 'P*'] }, [methods('GET'), methods('DELETE', 'PUT')]),
  operation('paths', 'exact', { paths: ['/admin'] }, [paths('/admin'), paths('/admin/', '/Admin', '/')]),
  operation('paths', 'x* is a prefix', { paths: ['/admin*'] }, [paths('/admin', '/admin/x'), paths('/', '/x/admin')]),
  operation('paths', '*x is a suffix', { paths: ['*/info'] }, [paths('/info', '/a/info'), paths('/info/a')]),
  operation('paths', '* is any', { paths: ['*'] }, [paths('/', '/a'), []]),
  operation('paths', 'of gRPC are /package.Service/Method', { paths: ['/pkg.Greeter/*'] }, [
    paths('/pkg.Greeter/Hello'),
    paths('/pkg.Other/Hello'),
  ]),
  operation('paths', '{*} is one segment', { paths: ['/foo/{*}'] }, [
    paths('/foo/bar'),
    paths('/foo/', '/foo', '/foo/bar/baz', '/foo/bar/'),
  ]),
  operation('paths', '{*} in the middle', { paths: ['/users/{*}/info'] }, [
    paths('/users/1/info'),
    paths('/users//info', '/users/1/2/info', '/users/1/info/x', '/users/1/inform'),
  ]),
  operation('paths', '{**} at the end is any rest', { paths: ['/foo/{**}'] }, [
    paths('/foo/', '/foo/bar', '/foo/bar/baz/'),
    paths('/foo', '/fooo/x', '/'),
  ]),
  operation('paths', '{**} before literals', { paths: ['/foo/{**}/info'] }, [
    paths('/foo/a/info', '/foo/a/b/info', '/foo//info', '/foo/info/info'),
    paths('/foo/info', '/foo/a/info/x', '/foo/ainfo'),
  ]),
  operation('paths', '{*} before {**}', { paths: ['/{*}/bar/{**}'] }, [
    paths('/foo/bar/', '/foo/bar/x/y'),
    paths('/foo/bar', '/foo/x/bar/y', '//bar/x'),
  ]),
  operation('paths', 'braces that are no operator are literal', { paths: ['/{id}'] }, [paths('/{id}'), paths('/7')]),
  operation('notPaths', 'excludes by exact, prefix and suffix', { notPaths: ['/a', '/b*', '*.key'] }, [
    paths('/', '/a/x', '/key'),
    paths('/a', '/b', '/bc', '/x.key'),
  ]),
  operation('notPaths', 'excludes by template', { notPaths: ['/users/{*}/secret', '/admin/{**}'] }, [
    paths('/users/1', '/admin', '/users/1/secret/x'),
    paths('/users/1/secret', '/admin/', '/admin/x/y'),
  ]),
]

const CONDITIONS: readonly Row[] = [
  when(
    'request.headers[X-Team]',
    'exact; the name without case',
    { values: ['red'] },
    [headers({ 'x-team': 'red' }), [...headers({ 'x-team': 'Red' }, { team: 'red' }), {}]],
    'request.headers[name]',
  ),
  when(
    'request.headers[x-team]',
    'prefix and suffix',
    { values: ['re*', '*ue'] },
    [headers({ 'x-team': 'red' }, { 'x-team': 'blue' }), headers({ 'x-team': 'green' })],
    'request.headers[name]',
  ),
  when(
    'request.headers[x-team]',
    '* is a header that was sent, even empty',
    { values: ['*'] },
    [headers({ 'x-team': 'red' }, { 'x-team': '' }), [{}]],
    'request.headers[name]',
  ),
  when(
    'request.headers[x-team]',
    'notValues exclude; an absent header is none of them',
    { notValues: ['red'] },
    [[...headers({ 'x-team': 'blue' }), {}], headers({ 'x-team': 'red' })],
    'request.headers[name]',
  ),
  when(
    'request.headers[x-team]',
    'notValues * leaves requests without it',
    { notValues: ['*'] },
    [[{}], headers({ 'x-team': 'red' })],
    'request.headers[name]',
  ),
  when('source.ip', 'network, values', { values: ['10.0.0.0/24'] }, [
    [{ sourceIp: '10.0.0.9' }],
    [{ sourceIp: '10.1.0.9' }],
  ]),
  when('source.ip', 'network, notValues', { notValues: ['10.0.0.0/24'] }, [
    [{ sourceIp: '10.1.0.9' }],
    [{ sourceIp: '10.0.0.9' }],
  ]),
  when('remote.ip', 'network, values', { values: ['203.0.113.7'] }, [
    [{ remoteIp: '203.0.113.7' }],
    [{ remoteIp: '203.0.113.8' }],
  ]),
  when('remote.ip', 'network, notValues', { notValues: ['203.0.113.0/24'] }, [
    [{ remoteIp: '10.0.0.1' }],
    [{ remoteIp: '203.0.113.8' }],
  ]),
  when('destination.ip', 'the address the client asked for, values', { values: ['10.96.0.0/16'] }, [
    [{ destinationIp: '10.96.0.9' }],
    [{ destinationIp: '10.0.0.5' }],
  ]),
  when('destination.ip', 'the address the client asked for, notValues', { notValues: ['10.96.0.0/16'] }, [
    [{ destinationIp: '10.0.0.5' }],
    [{ destinationIp: '10.96.0.9' }],
  ]),
  when('destination.port', 'values', { values: ['80'] }, [[{ port: 80 }], [{ port: 81 }]]),
  when('destination.port', 'notValues', { notValues: ['80'] }, [[{ port: 81 }], [{ port: 80 }]]),
  when('source.namespace', 'exact, prefix, suffix and *', { values: ['shop', 'ba*', '*er'] }, [
    ids(WEB, OTHER, 'cluster.local/ns/back/sa/x'),
    [...ids('cluster.local/ns/front/sa/x'), PLAINTEXT],
  ]),
  when('source.namespace', 'notValues', { notValues: ['shop'] }, [[...ids(OTHER), PLAINTEXT], ids(WEB)]),
  when('source.principal', 'exact, prefix and suffix', { values: [WEB, 'cluster.local/ns/other/*', '*/sa/job'] }, [
    ids(WEB, OTHER, 'cluster.local/ns/x/sa/job'),
    [...ids(API), PLAINTEXT],
  ]),
  when('source.principal', '* is any identity', { values: ['*'] }, [ids(WEB), [PLAINTEXT]]),
  when('source.principal', 'notValues', { notValues: [WEB] }, [[...ids(API), PLAINTEXT], ids(WEB)]),
  when('source.serviceAccount', 'values', { values: ['shop/web', 'job'] }, [
    ids(WEB, 'cluster.local/ns/shop/sa/job'),
    [...ids(API, OTHER), PLAINTEXT],
  ]),
  when('source.serviceAccount', 'notValues', { notValues: ['shop/web'] }, [[...ids(API), PLAINTEXT], ids(WEB)]),
  when('source.trustDomain', 'exact, prefix and suffix', { values: ['cluster.local', 'east.*', '*.example'] }, [
    ids(WEB, 'east.corp/ns/x/sa/y', 'far.example/ns/x/sa/y'),
    [...ids('west.corp/ns/x/sa/y'), PLAINTEXT],
  ]),
  when('source.trustDomain', 'notValues', { notValues: ['*.example'] }, [ids(WEB), ids('far.example/ns/x/sa/y')]),
  when(
    'request.auth.principal',
    'exact, prefix, suffix',
    { values: ['https://issuer.example/ann', 'https://b.example/*', '*/root'] },
    [
      [ANN, { token: token({ iss: 'https://b.example' }) }, { token: token({ sub: 'root' }) }],
      [BOB, {}],
    ],
  ),
  when('request.auth.principal', '* is any token', { values: ['*'] }, [[ANN], [{}]]),
  when('request.auth.principal', 'notValues', { notValues: ['*/ann'] }, [[BOB, {}], [ANN]]),
  when('request.auth.audiences', 'one of the audiences is one of the values', { values: ['shop', 'adm*'] }, [
    [{ token: token({ audiences: ['x', 'shop'] }) }, { token: token({ audiences: ['admin'] }) }],
    [{ token: token({ audiences: ['x'] }) }, ANN, {}],
  ]),
  when('request.auth.audiences', 'notValues: none of the audiences', { notValues: ['shop'] }, [
    [{ token: token({ audiences: ['x'] }) }, {}],
    [{ token: token({ audiences: ['x', 'shop'] }) }],
  ]),
  when('request.auth.presenter', 'values', { values: ['app-1', 'job-*'] }, [
    [{ token: token({ presenter: 'app-1' }) }, { token: token({ presenter: 'job-7' }) }],
    [{ token: token({ presenter: 'app-2' }) }, ANN, {}],
  ]),
  when('request.auth.presenter', 'notValues', { notValues: ['app-1'] }, [
    [{ token: token({ presenter: 'app-2' }) }, ANN, {}],
    [{ token: token({ presenter: 'app-1' }) }],
  ]),
  when(
    'request.auth.claims[group]',
    'a text or a member of a list',
    { values: ['admins', 'ops-*'] },
    [
      [claims({ group: 'admins' }), claims({ group: ['x', 'ops-eu'] })],
      [
        claims({ group: 'x' }),
        claims({ group: ['x'] }),
        claims({ group: 7 }),
        claims({ group: { admins: 'admins' } }),
        ANN,
        {},
      ],
    ],
    'request.auth.claims[a]',
  ),
  when(
    'request.auth.claims[group]',
    '* is any text that is not empty',
    { values: ['*'] },
    [
      [claims({ group: 'x' }), claims({ group: ['x'] })],
      [claims({ group: '' }), claims({ group: [] }), ANN],
    ],
    'request.auth.claims[a]',
  ),
  when(
    'request.auth.claims[group]',
    'notValues: not the text and no member',
    { notValues: ['guests'] },
    [
      [claims({ group: 'x' }), ANN, {}],
      [claims({ group: 'guests' }), claims({ group: ['x', 'guests'] })],
    ],
    'request.auth.claims[a]',
  ),
  when(
    'request.auth.claims[scope]',
    'scope is split at spaces',
    { values: ['write'] },
    [[claims({ scope: 'read write' })], [claims({ scope: 'read writer' }), claims({ group: 'write' })]],
    'request.auth.claims[a]',
  ),
  when(
    'request.auth.claims[permission]',
    'permission is split at spaces',
    { values: ['write'] },
    [[claims({ permission: 'write read' })], [claims({ permission: 'read' })]],
    'request.auth.claims[a]',
  ),
  when(
    'request.auth.claims[realm][roles]',
    'a claim inside a claim',
    { values: ['admin'] },
    [
      [claims({ realm: { roles: ['admin'] } }), claims({ realm: { roles: 'admin' } })],
      [claims({ roles: 'admin' }), claims({ realm: 'admin' }), claims({ realm: ['admin'] }), {}],
    ],
    'request.auth.claims[a][b]',
  ),
  when(
    'request.auth.claims[toString][name]',
    'only claims that the token has',
    { values: ['*'] },
    [[claims({ toString: { name: 'x' } })], [ANN, {}]],
    'request.auth.claims[a][b]',
  ),
  when('connection.sni', 'exact, prefix and suffix', { values: ['a.example', 'b.*', '*.c.example'] }, [
    [{ sni: 'a.example' }, { sni: 'b.example' }, { sni: 'x.c.example' }],
    [{ sni: 'd.example' }, {}],
  ]),
  when('connection.sni', 'notValues', { notValues: ['a.example'] }, [
    [{ sni: 'b.example' }, {}],
    [{ sni: 'a.example' }],
  ]),
]

const COMBINATIONS: readonly Row[] = [
  {
    field: 'rules[]',
    says: 'a rule that asks nothing matches everything',
    rule: {},
    hits: [{}, PLAINTEXT, { tcp: true }],
    misses: [],
  },
  {
    field: 'rules[]',
    says: 'from, to and when must all hold',
    rule: {
      from: [{ principals: [WEB] }],
      to: [{ methods: ['GET'] }],
      when: [{ key: 'request.headers[x-team]', values: ['red'] }],
    },
    hits: headers({ 'x-team': 'red' }),
    misses: [{}, { identity: API, headers: { 'x-team': 'red' } }, { method: 'POST', headers: { 'x-team': 'red' } }],
  },
  {
    field: 'from[]',
    says: 'sources are alternatives, the fields of one are not',
    rule: { from: [{ principals: [WEB], ipBlocks: ['10.0.0.5'] }, { namespaces: ['other'] }] },
    hits: [{}, { identity: OTHER, sourceIp: '10.0.0.6' }],
    misses: [{ sourceIp: '10.0.0.6' }, { identity: API }],
  },
  {
    field: 'to[]',
    says: 'operations are alternatives, the fields of one are not',
    rule: {
      to: [
        { methods: ['GET'], paths: ['/a'] },
        { methods: ['POST'], paths: ['/b'] },
      ],
    },
    hits: [{ path: '/a' }, { method: 'POST', path: '/b' }],
    misses: [{ path: '/b' }, { method: 'POST', path: '/a' }],
  },
  {
    field: 'when[]',
    says: 'all conditions must hold, of values and notValues too',
    rule: {
      when: [
        { key: 'source.namespace', values: ['*'], notValues: ['other'] },
        { key: 'destination.port', values: ['80'] },
      ],
    },
    hits: [{}],
    misses: [{ identity: OTHER }, { port: 81 }, PLAINTEXT],
  },
  {
    field: 'values',
    says: 'a positive value loses to a negative one',
    rule: { to: [{ paths: ['/a*'], notPaths: ['/a/secret'] }] },
    hits: paths('/a', '/a/b'),
    misses: paths('/a/secret', '/b'),
  },
]

export const ROWS: readonly Row[] = [...SOURCES, ...OPERATIONS, ...CONDITIONS, ...COMBINATIONS]

/** Titles as ava reports them and docs/authorization.md quotes them. */
export function titleOf({ field, says }: Pick<Row, 'field' | 'says'>): string {
  return `${field}: ${says}`
}
