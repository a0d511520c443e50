// control-plane.md 8.1: what the validation webhook refuses, warns of and lets through.
import test from 'ava'
import { MAX_COMPARED_HOSTS, MAX_REVIEWED_PATTERN_CHARACTERS, MAX_REVIEWED_VALUES } from '../src/limits.ts'
import { review } from '../src/validation/review.ts'
import { ALWAYS_REJECT, validateObject } from '../src/validation/validate-object.ts'

type Spec = Readonly<Record<string, unknown>>
const SECURITY = ['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication']

function judge(kind: string, spec: Spec): { readonly errors: readonly string[]; readonly warnings: readonly string[] } {
  const group = SECURITY.includes(kind) ? 'security' : kind === 'Telemetry' ? 'telemetry' : 'networking'
  return validateObject({ apiVersion: `${group}.istio.io/v1`, kind, metadata: { name: 'x', namespace: 'a' }, spec })
}

const to = (host = 's'): object => ({ destination: { host } })
const vs = (http: Spec, more: Spec = {}): Spec => ({ hosts: ['s'], http: [{ route: [to()], ...http }], ...more })
const dr = (trafficPolicy: Spec): Spec => ({ host: 's', trafficPolicy })
const server = (more: Spec = {}): Spec => ({
  servers: [{ hosts: ['a.example'], port: { number: 80, name: 'http', protocol: 'HTTP' }, ...more }],
})
const tls = (settings: Spec | undefined): Spec =>
  server({ port: { number: 443, name: 'https', protocol: 'HTTPS' }, ...(settings && { tls: settings }) })
const entry = (more: Spec): Spec => ({
  hosts: ['a.example'],
  ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
  resolution: 'STATIC',
  ...more,
})
const ap = (rule: unknown, more: Spec = {}): Spec => ({ rules: [rule], ...more })
const from = (source: Spec): Spec => ({ from: [{ source }] })
const jwt = (more: Spec): Spec => ({ jwtRules: [{ issuer: 'i', ...more }] })

/** Kind, spec, and what the refusal says. */
const REFUSED: readonly (readonly [string, Spec, RegExp])[] = [
  ['VirtualService', { hosts: ['s'] }, /one of http, tls and tcp/],
  ['VirtualService', vs({}, { hosts: ['*'] }), /every host/],
  ['VirtualService', vs({}, { hosts: ['a_b'] }), /spec\.hosts: "a_b" is no domain name/],
  ['VirtualService', vs({}, { hosts: ['a.x', '*.x'] }), /duplicate hosts/],
  ['VirtualService', vs({}, { hosts: ['s', 's'] }), /duplicate hosts/],
  ['VirtualService', vs({}, { gateways: ['a/b/c'] }), /NAMESPACE\/NAME/],
  ['VirtualService', vs({}, { hosts: [], gateways: ['g'] }), /delegate to/],
  ['VirtualService', vs({}, { exportTo: ['*', 'b'] }), /exports to all/],
  ['VirtualService', vs({}, { exportTo: ['.', 'a'] }), /stands there twice/],
  ['VirtualService', vs({ route: [] }), /one of route, redirect and directResponse/],
  ['VirtualService', vs({ redirect: { uri: '/x' } }), /redirect and route/],
  ['VirtualService', vs({ directResponse: { status: 200 } }), /directResponse and route/],
  ['VirtualService', { hosts: ['s'], http: [{ redirect: {} }] }, /one of uri, authority/],
  ['VirtualService', { hosts: ['s'], http: [{ redirect: { uri: '/', redirectCode: 305 } }] }, /redirectCode/],
  ['VirtualService', { hosts: ['s'], http: [{ directResponse: { status: 99 } }] }, /between 200 and 599/],
  ['VirtualService', vs({ route: [to(), to()] }), /must not all be 0/],
  ['VirtualService', vs({ route: [{ ...to(), weight: -1 }] }), /must not be negative/],
  ['VirtualService', vs({ route: [to('*')] }), /\* can be no destination/],
  ['VirtualService', vs({ route: [{ destination: { host: 's', subset: 'a_b' } }] }), /no name of a subset/],
  ['VirtualService', vs({ route: [{ destination: { host: 's', port: { number: 0 } } }] }), /no port/],
  ['VirtualService', vs({ match: [{ uri: { regex: '(' } }] }), /match\[0\]\.uri\.regex: .*RE2/],
  ['VirtualService', vs({ match: [{ uri: { exact: '' } }] }), /must not be empty/],
  ['VirtualService', vs({ match: [{ headers: { 'a b': {} } }] }), /no name of a header/],
  ['VirtualService', vs({ match: [{ headers: { '@request.auth.claims.sub': { exact: 'x' } } }] }), /claims of tokens/],
  ['VirtualService', vs({ match: [{ sourceNamespace: 'A B' }] }), /no namespace/],
  ['VirtualService', vs({ fault: {} }), /delay or abort/],
  ['VirtualService', vs({ fault: { delay: { percentage: { value: 1 } } } }), /fixedDelay: required/],
  ['VirtualService', vs({ fault: { delay: { fixedDelay: 'soon' } } }), /no duration/],
  ['VirtualService', vs({ fault: { abort: { httpStatus: 500, percentage: { value: 101 } } } }), /no percentage/],
  ['VirtualService', vs({ fault: { abort: { grpcStatus: 'NOPE' } } }), /gRPC status/],
  ['VirtualService', vs({ retries: { attempts: 1, retryOn: '5xx,later' } }), /"later"/],
  ['VirtualService', vs({ retries: { attempts: 0, retryOn: '5xx' } }), /turns retries off/],
  ['VirtualService', vs({ rewrite: {} }), /one of uri, authority/],
  ['VirtualService', vs({ rewrite: { uriRegexRewrite: { match: '(', rewrite: '/' } } }), /RE2/],
  ['VirtualService', vs({ mirror: { host: 's' }, mirrors: [{ destination: { host: 's' } }] }), /mirror and mirrors/],
  ['VirtualService', vs({ corsPolicy: { allowMethods: ['get'] } }), /no method/],
  ['VirtualService', vs({ timeout: '1' }), /timeout: "1" is no duration/],
  ['VirtualService', vs({ headers: { request: { remove: ['Host'] } } }), /can not be removed/],
  ['VirtualService', vs({ headers: { request: { set: { a: 'b\nc' } } } }), /no value of a header/],
  [
    'VirtualService',
    { hosts: ['s'], tls: [{ match: [{ sniHosts: ['other'] }], route: [to()] }] },
    /none of spec\.hosts/,
  ],
  ['VirtualService', { hosts: ['s'], tcp: [{ match: [{ port: 70000 }], route: [to()] }] }, /no port/],
  ['VirtualService', { hosts: ['s'], tcp: [{}] }, /at least one destination/],
  ['DestinationRule', { host: '' }, /spec\.host: a name is required/],
  ['DestinationRule', dr({}), /must say something/],
  ['DestinationRule', dr({ connectionPool: {} }), /http or tcp/],
  ['DestinationRule', dr({ connectionPool: { tcp: { maxConnections: -1 } } }), /must not be negative/],
  ['DestinationRule', dr({ loadBalancer: { consistentHash: { httpCookie: {} } } }), /httpCookie\.name/],
  ['DestinationRule', dr({ loadBalancer: { consistentHash: { maglev: { tableSize: 4 } } } }), /prime/],
  ['DestinationRule', dr({ loadBalancer: { warmup: {} } }), /warmup\.duration: required/],
  ['DestinationRule', dr({ loadBalancer: { localityLbSetting: { distribute: [{ to: { a: 99 } }] } } }), /add up to 99/],
  ['DestinationRule', dr({ outlierDetection: { maxEjectionPercent: 101 } }), /no percentage/],
  ['DestinationRule', dr({ outlierDetection: { interval: '0s' } }), /too short/],
  ['DestinationRule', dr({ tls: { mode: 'MUTUAL' } }), /clientCertificate: required/],
  ['DestinationRule', dr({ portLevelSettings: [{ port: { number: 80 } }] }), /beside the port/],
  ['DestinationRule', { host: 's', subsets: [{ name: 'a_b' }] }, /no name of a subset/],
  ['DestinationRule', { host: 's', subsets: [{ name: 'v1' }, { name: 'v1' }] }, /stands there twice/],
  ['DestinationRule', { host: 's', subsets: [{ name: 'v1', labels: { a: 'b c' } }] }, /no value of a label/],
  ['Gateway', {}, /spec\.servers: at least one/],
  ['Gateway', server({ hosts: [] }), /hosts: at least one/],
  ['Gateway', server({ hosts: ['a/b/c'] }), /no domain name/],
  ['Gateway', server({ port: { number: 80, name: 'x', protocol: 'NOPE' } }), /is none of HTTP/],
  ['Gateway', server({ port: { number: 80, protocol: 'HTTP' } }), /port\.name: required/],
  ['Gateway', server({ tls: { mode: 'SIMPLE', credentialName: 'c' } }), /has no TLS/],
  ['Gateway', tls(undefined), /tls: required for HTTPS/],
  ['Gateway', tls({ mode: 'SIMPLE' }), /serverCertificate: required without credentialName/],
  ['ServiceEntry', entry({ hosts: [] }), /spec\.hosts: at least one/],
  ['ServiceEntry', entry({ hosts: ['*'] }), /every host/],
  ['ServiceEntry', entry({ addresses: ['10.0.0.0/99'] }), /neither an IP address nor a network/],
  ['ServiceEntry', entry({ addresses: ['10.0.0.0/8'], resolution: 'DNS' }), /NONE and STATIC only/],
  ['ServiceEntry', entry({ endpoints: [{ address: 'a.example' }] }), /no IP address/],
  ['ServiceEntry', entry({ endpoints: [{ address: '1.2.3.4', ports: { nope: 80 } }] }), /none of that name/],
  ['ServiceEntry', entry({ hosts: ['*.example'], resolution: 'DNS' }), /without endpoints DNS asks/],
  [
    'ServiceEntry',
    entry({ hosts: ['a.b', 'c.d'], ports: [{ number: 1, name: 'tcp', protocol: 'TCP' }] }),
    /told apart/,
  ],
  ['ServiceEntry', entry({ ports: [{ number: 80, name: 'a_b', protocol: 'HTTP' }] }), /no name of a port/],
  ['ServiceEntry', entry({ ports: [{ number: 80, name: 'a', protocol: 'NOPE' }] }), /is none of/],
  ['ServiceEntry', entry({ workloadSelector: { labels: { '*': 'a' } } }), /wildcards/],
  ['ServiceEntry', entry({ exportTo: ['~', 'b'] }), /to nobody/],
  ['WorkloadEntry', {}, /address: required/],
  ['WorkloadEntry', { address: 'unix:///dir/' }, /absolute path/],
  ['WorkloadEntry', { address: 'a_b' }, /no domain name/],
  ['WorkloadEntry', { address: '1.1.1.1', ports: { http: 99_999 } }, /no port/],
  ['AuthorizationPolicy', { action: 'DENY' }, /DENY without rules/],
  ['AuthorizationPolicy', { action: 'CUSTOM', rules: [{}] }, /provider\.name/],
  ['AuthorizationPolicy', ap({}, { provider: { name: 'p' } }), /CUSTOM only/],
  [
    'AuthorizationPolicy',
    ap(from({ principals: ['x'] }), { action: 'CUSTOM', provider: { name: 'p' } }),
    /not supported with CUSTOM/,
  ],
  ['AuthorizationPolicy', ap(null), /must not be null/],
  ['AuthorizationPolicy', ap({ from: [] }), /from: must not be empty/],
  ['AuthorizationPolicy', ap(from({})), /must say something/],
  ['AuthorizationPolicy', ap(from({ principals: [''] })), /empty text/],
  ['AuthorizationPolicy', ap(from({ ipBlocks: ['x'] })), /neither an address nor a network/],
  ['AuthorizationPolicy', ap(from({ serviceAccounts: ['a/b'], namespaces: ['a'] })), /Cannot set serviceAccounts/],
  ['AuthorizationPolicy', ap({ to: [{ operation: { ports: ['x'] } }] }), /no port/],
  ['AuthorizationPolicy', ap({ to: [{ operation: { paths: ['/a/{b}'] } }] }), /neither \{\*\} nor/],
  ['AuthorizationPolicy', ap({ to: [{ operation: { paths: ['/*/{**}'] } }] }), /can not stand in one path/],
  ['AuthorizationPolicy', ap({ when: [{ key: 'nope', values: ['a'] }] }), /no attribute/],
  ['AuthorizationPolicy', ap({ when: [{ key: 'source.ip' }] }), /values or notValues/],
  ['AuthorizationPolicy', ap({}, { selector: { matchLabels: { a: '*' } } }), /wildcards/],
  [
    'AuthorizationPolicy',
    ap({}, { selector: {}, targetRef: { kind: 'Service', group: '', name: 's' } }),
    /only one of selector/,
  ],
  ['AuthorizationPolicy', ap({}, { targetRefs: [{ kind: 'Pod', group: '', name: 's' }] }), /can be no target/],
  ['PeerAuthentication', { portLevelMtls: { 80: { mode: 'STRICT' } } }, /needs a selector/],
  ['PeerAuthentication', { mtls: { mode: 'NOPE' } }, /must be STRICT/],
  ['RequestAuthentication', { jwtRules: [{}] }, /issuer or jwksUri/],
  ['RequestAuthentication', jwt({ jwks: '{}' }), /no JSON Web Key Set/],
  ['RequestAuthentication', jwt({ jwks: 'x' }), /no JSON Web Key Set/],
  ['RequestAuthentication', jwt({ jwksUri: 'ftp://a' }), /http or https/],
  ['RequestAuthentication', jwt({ fromHeaders: [{}] }), /fromHeaders\[0\]\.name/],
  ['RequestAuthentication', jwt({ outputClaimToHeaders: [{ claim: 'c', header: 'a b' }] }), /no name of a header/],
  ['Telemetry', { tracing: [{ randomSamplingPercentage: 101 }] }, /between 0 and 100/],
  ['Telemetry', { metrics: [{ overrides: [{ tagOverrides: { a: {} } }] }] }, /UPSERT needs a value/],
  ['Telemetry', { tracing: [{ customTags: { a: {} } }] }, /one of literal/],
  ['Telemetry', { accessLogging: [{ filter: {} }] }, /filter\.expression/],
]
for (const [index, [kind, spec, problem]] of REFUSED.entries()) {
  test(`refused ${index}: ${kind}: ${problem.source}`, (t) => {
    const { errors } = judge(kind, spec)
    t.true(
      errors.some((error) => problem.test(error)),
      JSON.stringify(errors),
    )
  })
}

const ALLOWED: readonly (readonly [string, Spec])[] = [
  ['VirtualService', vs({})],
  ['VirtualService', vs({}, { hosts: ['*'], gateways: ['istio-system/gw'] })],
  ['VirtualService', vs({}, { hosts: ['10.0.0.1', '*.example.com', '*foo.org'] })],
  ['VirtualService', vs({ delegate: { name: 'd' }, route: [] })],
  [
    'VirtualService',
    vs({ match: [{ uri: { prefix: '' }, headers: { a: {} }, withoutHeaders: { b: { regex: '*' } } }] }),
  ],
  ['VirtualService', vs({ timeout: '0s', retries: { attempts: 0 } })],
  ['VirtualService', vs({ retries: { attempts: 3, retryOn: 'gateway-error,503' } })],
  [
    'VirtualService',
    vs({
      route: [
        { ...to(), weight: 90 },
        { ...to('t'), weight: 0 },
      ],
    }),
  ],
  ['VirtualService', vs({ match: [{ headers: { '@request.auth.claims.sub': { exact: 'x' } } }] }, { gateways: ['g'] })],
  ['DestinationRule', { host: '*.local', subsets: [{ name: 'v1', labels: { version: 'v1' } }] }],
  ['DestinationRule', dr({ loadBalancer: { simple: 'RANDOM' }, tls: { mode: 'ISTIO_MUTUAL' } })],
  ['DestinationRule', dr({ loadBalancer: { consistentHash: { maglev: { tableSize: 65_537 } } } })],
  ['Gateway', server()],
  ['Gateway', server({ hosts: ['*', './a.example', 'b/*.example'], tls: { httpsRedirect: true } })],
  ['Gateway', tls({ mode: 'SIMPLE', credentialName: 'c' })],
  ['Gateway', tls({ mode: 'PASSTHROUGH' })],
  ['ServiceEntry', entry({ endpoints: [{ address: '1.2.3.4', ports: { http: 8080 } }], exportTo: ['~'] })],
  ['ServiceEntry', entry({ addresses: ['10.0.0.0/8', '240.0.0.1'] })],
  ['ServiceEntry', entry({ hosts: ['*.example.com'], resolution: 'DYNAMIC_DNS' })],
  ['WorkloadEntry', { address: 'vm.example', labels: { app: 'a' } }],
  ['WorkloadEntry', { address: 'unix://@abstract' }],
  ['AuthorizationPolicy', {}],
  ['AuthorizationPolicy', ap({}, { action: 'DENY' })],
  ['AuthorizationPolicy', ap({ to: [{ operation: { paths: ['/a/{*}/b/{**}', '/x*', '*'] } }] })],
  ['AuthorizationPolicy', ap({ when: [{ key: 'request.headers[x-a]', values: ['*'] }] })],
  ['AuthorizationPolicy', ap({ when: [{ key: 'request.auth.claims[a][b]', notValues: ['c'] }] })],
  ['PeerAuthentication', { selector: { matchLabels: { a: 'b' } }, portLevelMtls: { 80: { mode: 'DISABLE' } } }],
  ['RequestAuthentication', jwt({ jwksUri: 'https://issuer.example/keys', jwks: '' })],
  ['Telemetry', { metrics: [{ providers: [{ name: 'prometheus' }] }] }],
  ['EnvoyFilter', { anything: true }],
]
for (const [index, [kind, spec]] of ALLOWED.entries())
  test(`allowed ${index}: ${kind}`, (t) => t.deepEqual(judge(kind, spec).errors, []))

const WARNED: readonly (readonly [string, Spec, RegExp])[] = [
  ['VirtualService', { hosts: ['s'], http: [{ route: [to()] }, { route: [to()] }] }, /http\[1\]: is never reached/],
  ['VirtualService', vs({ mirror: { host: 's' }, mirrorPercent: 10 }), /deprecated/],
  ['DestinationRule', dr({ outlierDetection: { consecutiveErrors: 5 } }), /deprecated/],
  ['DestinationRule', dr({ loadBalancer: { localityLbSetting: { failover: [] } } }), /does nothing without/],
  ['AuthorizationPolicy', ap({}, { selector: {} }), /without labels/],
  ['AuthorizationPolicy', ap({ to: [{ operation: { methods: ['GET'] } }] }, { action: 'DENY' }), /ports of TCP/],
  ['RequestAuthentication', jwt({ jwks: '{"keys":[{"kty":"oct","k":"x"}]}' }), /private key/],
]
for (const [kind, spec, warning] of WARNED)
  test(`warned of: ${kind}: ${warning.source}`, (t) => {
    const { errors, warnings } = judge(kind, spec)
    t.deepEqual(errors, [])
    t.true(
      warnings.some((one) => warning.test(one)),
      JSON.stringify(warnings),
    )
  })

const question = (object: object, operation = 'CREATE'): object => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: { uid: 'u-1', operation, kind: { group: 'networking.istio.io', kind: 'Gateway' }, object },
})
const gatewayOf = (spec: Spec, annotations: object = {}): object => ({
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'Gateway',
  metadata: { name: 'g', namespace: 'a', annotations },
  spec,
})

test('an answer has the uid of its question, and says why', (t) => {
  t.deepEqual(review(question(gatewayOf(server()))), {
    allowed: true,
    kind: 'networking.istio.io/Gateway',
    answer: { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: 'u-1', allowed: true } },
  })
  const refused = review(question(gatewayOf({}))).answer as { response: { status: { message: string } } }
  t.like(refused, { response: { uid: 'u-1', allowed: false } })
  t.is(refused.response.status.message, 'configuration is invalid: spec.servers: at least one is required')
  t.false(review(question(gatewayOf(server(), { [ALWAYS_REJECT]: 'true' }))).allowed)
  t.true(review(question(gatewayOf({}), 'DELETE')).allowed)
})

test('however much is wrong, the answer has an end', (t) => {
  const http = Array.from({ length: 1000 }, () => ({}))
  const object = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: {},
    spec: { hosts: ['s'], http },
  }
  const text = JSON.stringify(review(question(object)).answer)
  t.true(text.length < 4000)
  t.regex(text, /and \d+ more/)
})

for (const nonsense of [
  undefined,
  null,
  1,
  'x',
  [],
  {},
  { kind: 'AdmissionReview' },
  { apiVersion: 'admission.k8s.io/v1beta1' },
])
  test(`no question: ${JSON.stringify(nonsense)}`, (t) => t.is(review(nonsense).answer, undefined))

test('whatever the fields hold, there is an answer', (t) => {
  const odd = [null, 0, '', 'x', [], [null], {}, [{}], [[]], { x: null }, true]
  for (const kind of [
    'VirtualService',
    'DestinationRule',
    'Gateway',
    'ServiceEntry',
    'WorkloadEntry',
    'AuthorizationPolicy',
    'PeerAuthentication',
    'RequestAuthentication',
    'Telemetry',
  ])
    for (const value of odd) {
      const fields =
        'hosts http tls tcp gateways exportTo host trafficPolicy subsets servers selector ports endpoints addresses rules action provider targetRef targetRefs mtls portLevelMtls jwtRules metrics tracing accessLogging workloadSelector'
      t.notThrows(() => judge(kind, Object.fromEntries(fields.split(' ').map((field) => [field, value]))))
      const rule = {
        match: value,
        route: value,
        from: value,
        to: value,
        when: value,
        headers: value,
        fault: value,
        corsPolicy: value,
        mirror: value,
        mirrors: value,
        redirect: value,
        retries: value,
        rewrite: value,
        port: value,
        tls: value,
        overrides: value,
        customTags: value,
        fromHeaders: value,
        jwks: value,
        loadBalancer: value,
        connectionPool: value,
        outlierDetection: value,
        portLevelSettings: value,
      }
      t.notThrows(() =>
        judge(kind, {
          http: [rule],
          rules: [rule],
          servers: [rule],
          jwtRules: [rule],
          metrics: [rule],
          tracing: [rule],
          trafficPolicy: rule,
          subsets: [{ trafficPolicy: rule }],
          tls: [rule],
          tcp: [rule],
        }),
      )
    }
})

test('what is too large to be looked at in a moment is not looked at for long', (t) => {
  const startedMs = performance.now()
  const many = judge('VirtualService', { hosts: Array.from({ length: MAX_REVIEWED_VALUES }, (_, n) => `h${n}`) })
  t.regex(many.warnings.join(), /was not looked at/)
  t.deepEqual(many.errors, [])
  const hosts = judge('VirtualService', { hosts: Array.from({ length: MAX_COMPARED_HOSTS + 1 }, (_, n) => `h${n}`) })
  t.regex(hosts.errors.join(), /spec\.hosts: more than 1000/)
  const hostile = `(${'a?'.repeat(1000)})`
  const match = Array.from({ length: 1000 }, () => ({ uri: { regex: hostile } }))
  const patterns = judge('VirtualService', vs({ match }))
  t.true(patterns.errors.length < MAX_REVIEWED_PATTERN_CHARACTERS / hostile.length)
  t.is(patterns.warnings.filter((one) => /too many/.test(one)).length, 1)
  // All three together; a thousand such patterns alone would be a minute.
  t.true(performance.now() - startedMs < 20_000)
})
