import type { AnyObject } from '../src/index.ts'
import {
  crd,
  deployment,
  entry,
  gatewayApi,
  istioGateway,
  namespace,
  networking,
  pod,
  route,
  rule,
  secret,
  security,
  service,
  telemetry,
  to,
  virtual,
  wasm,
  waypoint,
  webhook,
} from './objects.ts'

export interface Case {
  readonly code: string
  readonly when: string
  readonly objects: readonly AnyObject[]
  /** Of `Level [CODE] (origin) message`; undefined: there is no message of the code. */
  readonly line: RegExp | undefined
}

const says = (code: string, when: string, line: RegExp, ...objects: readonly AnyObject[]): Case => ({
  code,
  when,
  objects,
  line,
})
const silent = (code: string, when: string, ...objects: readonly AnyObject[]): Case => ({
  code,
  when,
  objects,
  line: undefined,
})

const ROUTER = pod('istio-ingress/gw', { istio: 'ingress' })
const ROUTER_SERVICE = service('istio-ingress/gw', {
  selector: { istio: 'ingress' },
  ports: [{ port: 80, targetPort: 8080 }, { port: 443 }],
})
const http = (hosts: readonly string[] = ['*'], port = 80): object => ({
  port: { number: port, name: 'http', protocol: 'HTTP' },
  hosts,
})
const https = (credentialName: string): object => ({
  port: { number: 443, name: 'https', protocol: 'HTTPS' },
  hosts: ['*'],
  tls: { mode: 'SIMPLE', credentialName },
})
const gateway = (name: string, ...servers: readonly object[]): AnyObject =>
  istioGateway(`shop/${name}`, { selector: { istio: 'ingress' }, servers })
const TWO_PORTS = service('shop/web', {
  ports: [
    { name: 'http', port: 80 },
    { name: 'http-admin', port: 81 },
  ],
})
const WEB = service('shop/web')
const webRoute = (name: string, spec: object): AnyObject => virtual(`shop/${name}`, { hosts: ['web'], ...spec })
const AMBIENT = namespace('shop', { 'istio.io/dataplane-mode': 'ambient' })
const tls = (mode: string, more: object = {}): object => ({ tls: { mode, ...more } })
const policy = (spec: object, kind = 'AuthorizationPolicy'): AnyObject => security(kind, 'shop/p', { ...spec })
const JWT = { jwtRules: [{ issuer: 'https://issuer.example', jwks: '{"keys":[]}' }] }
const httpRoute = (name: string, spec: object): AnyObject => gatewayApi('HTTPRoute', `shop/${name}`, { ...spec })
const ISTIOD = service('istio-system/istiod', { ports: [{ name: 'https-webhook', port: 443 }] })
const hook = (name: string, at: string, more: object = {}): Readonly<Record<string, unknown>> => ({
  name: `${name}.istio.io`,
  clientConfig: { service: { namespace: 'istio-system', name: at } },
  ...more,
})
const istiodDeployment = (...env: readonly object[]): AnyObject =>
  deployment(
    'istio-system/istiod',
    { template: { spec: { containers: [{ name: 'discovery', env }] } } },
    { labels: { app: 'istiod' } },
  )

export const CASES: readonly Case[] = [
  says(
    'IST0002',
    'a delay in percent',
    /VirtualService shop\/v\) Deprecated: http\[0\]\.fault\.delay\.percent, use fault\.delay\.percentage/,
    WEB,
    webRoute('v', { http: [{ ...route(to('web')), fault: { delay: { percent: 5, fixedDelay: '1s' } } }] }),
  ),
  says(
    'IST0002',
    'a CRD of rbac.istio.io',
    /Deprecated: ServiceRole of rbac/,
    crd('rbac.istio.io', 'ServiceRole', ['v1']),
  ),
  silent(
    'IST0002',
    'percentages',
    WEB,
    webRoute('v', {
      http: [{ ...route(to('web')), fault: { delay: { percentage: { value: 5 }, fixedDelay: '1s' } } }],
    }),
  ),

  says(
    'IST0101',
    'the host of a route',
    /Error \[IST0101\] \(VirtualService shop\/v\) Referenced host not found: "nobody"/,
    webRoute('v', { http: [route(to('nobody'))] }),
  ),
  says(
    'IST0101',
    'the port of a route',
    /Referenced host:port not found: "web:99"/,
    WEB,
    webRoute('v', { http: [route(to('web', { port: { number: 99 } }))] }),
  ),
  says(
    'IST0101',
    'a subset',
    /Referenced host\+subset in destinationrule not found: "web\+v9"/,
    WEB,
    webRoute('v', { http: [route(to('web', { subset: 'v9' }))] }),
  ),
  says(
    'IST0101',
    'a mirror',
    /Referenced mirror host not found: "nobody"/,
    WEB,
    webRoute('v', { http: [{ ...route(to('web')), mirror: { host: 'nobody' } }] }),
  ),
  says(
    'IST0101',
    'a gateway',
    /Referenced gateway not found: "nowhere"/,
    WEB,
    webRoute('v', { gateways: ['nowhere'], http: [route(to('web'))] }),
  ),
  says(
    'IST0101',
    'the pods of a Gateway',
    /\(Gateway shop\/g\) Referenced selector not found: "istio=ingress"/,
    gateway('g', http()),
  ),
  says(
    'IST0101',
    'the Secret of a Gateway',
    /Referenced credentialName not found: "cert"/,
    ROUTER,
    gateway('g', https('cert')),
  ),
  says(
    'IST0101',
    'a namespace in a policy',
    /\(AuthorizationPolicy shop\/p\) Referenced namespace not found: "gone"/,
    AMBIENT,
    policy({ rules: [{ from: [{ source: { namespaces: ['gone'] } }] }] }),
  ),
  says(
    'IST0101',
    'a namespace’s waypoint',
    /\(Namespace shop\) Referenced waypoint not found: "shop\/wp"/,
    namespace('shop', { 'istio.io/use-waypoint': 'wp' }),
  ),
  says(
    'IST0101',
    'a pod’s waypoint',
    /\(Pod shop\/a\) Referenced waypoint not found: "other\/wp"/,
    pod('shop/a', { 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-namespace': 'other' }),
  ),
  says(
    'IST0101',
    'the class of a Gateway',
    /Referenced GatewayClass not found: "nginx"/,
    gatewayApi('Gateway', 'shop/g', { gatewayClassName: 'nginx', listeners: [] }),
  ),
  says(
    'IST0101',
    'the Gateway of a route',
    /\(HTTPRoute shop\/r\) Referenced gateway not found: "shop\/g"/,
    httpRoute('r', { parentRefs: [{ name: 'g' }] }),
  ),
  silent(
    'IST0101',
    'everything named is there',
    AMBIENT,
    WEB,
    ROUTER,
    ROUTER_SERVICE,
    waypoint('shop/wp'),
    gateway('g', http()),
    gatewayApi('Gateway', 'shop/k', { gatewayClassName: 'istio', listeners: [] }),
    rule('shop/web', { host: 'web', subsets: [{ name: 'v1', labels: { version: 'v1' } }] }),
    pod('shop/a', { app: 'web', version: 'v1', 'istio.io/use-waypoint': 'wp' }),
    webRoute('v', {
      gateways: ['g', 'mesh'],
      http: [
        { ...route(to('web', { subset: 'v1', port: { number: 80 } })), mirror: { host: 'web.shop.svc.cluster.local' } },
      ],
    }),
    policy({ rules: [{ from: [{ source: { namespaces: ['sh*'] } }] }] }),
    httpRoute('r', { parentRefs: [{ name: 'k' }] }),
  ),
  silent('IST0101', 'no waypoint is wanted', namespace('shop', { 'istio.io/use-waypoint': 'none' })),

  says(
    'IST0102',
    'a namespace without a label',
    /Info \[IST0102\] \(Namespace shop\) .*kubectl label namespace shop istio\.io\/dataplane-mode=ambient/,
    namespace('shop'),
  ),
  silent(
    'IST0102',
    'namespaces that say what they want',
    AMBIENT,
    namespace('a', { 'istio.io/dataplane-mode': 'none' }),
    namespace('b', { 'istio-injection': 'disabled' }),
    namespace('istio-system'),
    namespace('kube-system'),
  ),

  says(
    'IST0103',
    'a namespace asks for sidecars',
    /Warning \[IST0103\] \(Pod shop\/a\) The pod shop\/a is not in the mesh/,
    namespace('shop', { 'istio-injection': 'enabled' }),
    pod('shop/a'),
  ),
  silent(
    'IST0103',
    'ambient, and pods that object',
    AMBIENT,
    pod('shop/a'),
    namespace('b', { 'istio-injection': 'enabled' }),
    pod('b/none', { 'istio.io/dataplane-mode': 'none' }),
    pod('b/ambient', { 'istio.io/dataplane-mode': 'ambient' }),
    pod('b/host', {}, { hostNetwork: true }),
    pod('b/no', { 'sidecar.istio.io/inject': 'false' }),
  ),

  says(
    'IST0106',
    'a weight below zero',
    /Error \[IST0106\] \(VirtualService shop\/v\) Schema validation error: spec\.http/,
    WEB,
    webRoute('v', { http: [{ route: [{ ...to('web'), weight: -1 }] }] }),
  ),
  silent('IST0106', 'a VirtualService as it should be', WEB, webRoute('v', { http: [route(to('web'))] })),

  says(
    'IST0107',
    'a pod’s annotation on a namespace',
    /Warning \[IST0107\] \(Namespace shop\) Misplaced annotation: ambient\.istio\.io\/dns-capture is for Pod/,
    namespace('shop', {}, { 'ambient.istio.io/dns-capture': 'true' }),
  ),
  silent(
    'IST0107',
    'a pod’s annotation on a pod',
    pod('shop/a', {}, {}, { annotations: { 'ambient.istio.io/dns-capture': 'true' } }),
  ),
  says(
    'IST0108',
    'a typing error',
    /Unknown annotation: ambient\.istio\.io\/dns-captur$/m,
    pod('shop/a', {}, {}, { annotations: { 'ambient.istio.io/dns-captur': 'true' } }),
  ),
  silent(
    'IST0108',
    'annotations of others',
    pod(
      'shop/a',
      {},
      {},
      { annotations: { 'example.com/x': '1', 'notistio.io/x': '1', 'ambient.istio.io/redirection': 'enabled' } },
    ),
  ),
  says(
    'IST0125',
    'a value that means nothing',
    /Invalid annotation ambient\.istio\.io\/dns-capture: "maybe" is neither true nor false/,
    pod('shop/a', {}, {}, { annotations: { 'ambient.istio.io/dns-capture': 'maybe' } }),
  ),
  says(
    'IST0125',
    'a preference nobody knows',
    /Invalid annotation networking\.istio\.io\/traffic-distribution/,
    service('shop/web', {}, { annotations: { 'networking.istio.io/traffic-distribution': 'PreferFar' } }),
  ),
  silent(
    'IST0125',
    'a preference in another case',
    service('shop/web', {}, { annotations: { 'networking.istio.io/traffic-distribution': 'preferclose' } }),
  ),
  says(
    'IST0135',
    'the annotation for injection',
    /Info \[IST0135\] .*"sidecar\.istio\.io\/inject" is deprecated/,
    pod('shop/a', {}, {}, { annotations: { 'sidecar.istio.io/inject': 'false' } }),
  ),
  silent(
    'IST0135',
    'the label beside it',
    pod('shop/a', { 'sidecar.istio.io/inject': 'false' }, {}, { annotations: { 'sidecar.istio.io/inject': 'false' } }),
  ),
  says(
    'IST0136',
    'inbound traffic past ztunnel',
    /Info \[IST0136\] .*"ambient\.istio\.io\/bypass-inbound-capture"/,
    pod('shop/a', {}, {}, { annotations: { 'ambient.istio.io/bypass-inbound-capture': 'true' } }),
  ),
  silent(
    'IST0136',
    'an annotation past alpha',
    pod('shop/a', {}, {}, { annotations: { 'ambient.istio.io/dns-capture': 'true' } }),
  ),

  says(
    'IST0109',
    'two for one host',
    /Error \[IST0109\] \(VirtualService shop\/v\) The VirtualServices shop\/v, shop\/w .* web\.shop\.svc\.cluster\.local/,
    WEB,
    webRoute('v', { http: [route(to('web'))] }),
    webRoute('w', { http: [route(to('web'))] }),
  ),
  silent(
    'IST0109',
    'seen by different namespaces, or at a gateway',
    WEB,
    webRoute('v', { exportTo: ['.'], http: [] }),
    virtual('other/w', { hosts: ['web.shop.svc.cluster.local'], exportTo: ['.'], http: [] }),
    webRoute('x', { gateways: ['g'], http: [] }),
  ),

  says(
    'IST0112',
    'two ports and none named',
    /Error \[IST0112\] .*has the ports 80, 81/,
    TWO_PORTS,
    webRoute('v', { http: [route(to('web'))] }),
  ),
  silent(
    'IST0112',
    'one of two ports is named',
    TWO_PORTS,
    webRoute('v', { http: [route(to('web', { port: { number: 81 } }))] }),
  ),

  says(
    'IST0118',
    'a name of no protocol',
    /Info \[IST0118\] \(Service shop\/web\) Port name web \(port: 80, targetPort: 8080\) doesn't follow/,
    service('shop/web', { ports: [{ name: 'web', port: 80, targetPort: 8080 }] }),
  ),
  silent(
    'IST0118',
    'protocols by name, appProtocol and UDP',
    service('shop/web', {
      ports: [
        { name: 'http-web', port: 80 },
        { name: 'x', port: 81, appProtocol: 'http2' },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    }),
  ),

  says(
    'IST0123',
    'sidecars and ambient',
    /Warning \[IST0123\] \(Namespace shop\) .*istio-injection=enabled, istio\.io\/dataplane-mode=ambient/,
    namespace('shop', { 'istio-injection': 'enabled', 'istio.io/dataplane-mode': 'ambient' }),
  ),
  silent(
    'IST0123',
    'no sidecars, and ambient',
    namespace('shop', { 'istio-injection': 'disabled', 'istio.io/dataplane-mode': 'ambient' }),
  ),

  says(
    'IST0127',
    'a policy that selects nobody',
    /Warning \[IST0127\] \(AuthorizationPolicy shop\/p\) No matching workloads .*: app=x,tier=y/,
    pod('shop/a', { app: 'x' }),
    policy({ selector: { matchLabels: { tier: 'y', app: 'x' } } }),
  ),
  says(
    'IST0127',
    'a PeerAuthentication that selects nobody',
    /\(PeerAuthentication shop\/p\) No matching/,
    policy({ selector: { matchLabels: { app: 'x' } } }, 'PeerAuthentication'),
  ),
  silent(
    'IST0127',
    'a pod is selected, in the root namespace one of another',
    pod('shop/a', { app: 'x' }),
    policy({ selector: { matchLabels: { app: 'x' } } }),
    security('AuthorizationPolicy', 'istio-system/p', { selector: { matchLabels: { app: 'x' } } }),
  ),
  says(
    'IST0127',
    'pods that ended count for nothing',
    /No matching/,
    pod('shop/a', { app: 'x' }, {}, { status: { phase: 'Succeeded' } }),
    policy({ selector: { matchLabels: { app: 'x' } } }),
  ),

  says(
    'IST0128',
    'TLS without an authority',
    /Warning \[IST0128\] .*asks for TLS \(SIMPLE\) with web and names no caCertificates/,
    WEB,
    rule('shop/d', { host: 'web', trafficPolicy: tls('SIMPLE') }),
  ),
  silent(
    'IST0128',
    'an authority is named',
    WEB,
    rule('shop/d', { host: 'web', trafficPolicy: tls('SIMPLE', { caCertificates: '/ca.pem' }) }),
  ),
  says(
    'IST0129',
    'TLS at a port',
    /Warning \[IST0129\] .*at port 80/,
    WEB,
    rule('shop/d', { host: 'web', trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, ...tls('MUTUAL') }] } }),
  ),
  silent(
    'IST0129',
    'the mesh’s own TLS at a port',
    WEB,
    rule('shop/d', {
      host: 'web',
      trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, ...tls('ISTIO_MUTUAL') }] },
    }),
  ),

  says(
    'IST0130',
    'a rule after one for everything',
    /Warning \[IST0130\] .*Rule http #1 .* never used: rule all before it takes everything/,
    WEB,
    webRoute('v', {
      http: [
        { name: 'all', ...route(to('web')) },
        { match: [{ uri: { prefix: '/a' } }], ...route(to('web')) },
      ],
    }),
  ),
  says(
    'IST0130',
    'a rule with the same match',
    /Rule b of the VirtualService is never used: what it matches is taken by rule a/,
    WEB,
    webRoute('v', {
      http: ['a', 'b'].map((name) => ({ name, match: [{ uri: { prefix: '/a' } }], ...route(to('web')) })),
    }),
  ),
  says(
    'IST0130',
    'two HTTPRoutes with the same match',
    /\(HTTPRoute shop\/s\) Match #0 of rule #0 .* rule #0 of HTTPRoute shop\/r has the same one/,
    WEB,
    ...['r', 's'].map((name) =>
      httpRoute(name, {
        parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
        rules: [{ matches: [{ path: { type: 'Exact', value: '/a' } }], backendRefs: [{ name: 'web', port: 80 }] }],
      }),
    ),
  ),
  silent(
    'IST0130',
    'different matches, and everything at the end',
    WEB,
    webRoute('v', {
      http: [
        { match: [{ uri: { prefix: '/a' } }], ...route(to('web')) },
        { match: [{ uri: { prefix: '/b' } }], ...route(to('web')) },
        route(to('web')),
      ],
    }),
  ),
  says(
    'IST0131',
    'one match of two is double',
    /Info \[IST0131\] .*Match #1 of rule b .*rule a has the same one/,
    WEB,
    webRoute('v', {
      http: [
        { name: 'a', match: [{ uri: { exact: '/a' } }], ...route(to('web')) },
        { name: 'b', match: [{ uri: { exact: '/b' } }, { uri: { exact: '/a' } }], ...route(to('web')) },
      ],
    }),
  ),
  silent(
    'IST0131',
    'matches that differ in a header',
    WEB,
    webRoute('v', {
      http: [
        { match: [{ uri: { exact: '/a' } }], ...route(to('web')) },
        { match: [{ uri: { exact: '/a' }, headers: { x: { exact: '1' } } }], ...route(to('web')) },
      ],
    }),
  ),

  says(
    'IST0132',
    'a gateway for other hosts',
    /Warning \[IST0132\] .*Gateway shop\/g takes none of the hosts a\.example\.com/,
    ROUTER,
    WEB,
    gateway('g', http(['b.example.com'])),
    virtual('shop/v', { hosts: ['a.example.com'], gateways: ['g'], http: [route(to('web'))] }),
  ),
  silent(
    'IST0132',
    'a wildcard that takes it',
    ROUTER,
    WEB,
    gateway('g', http(['./*.example.com'])),
    virtual('shop/v', { hosts: ['a.example.com'], gateways: ['shop/g'], http: [route(to('web'))] }),
  ),

  says(
    'IST0133',
    'what the webhook warns of',
    /Warning \[IST0133\] .*Schema validation warning: /,
    WEB,
    webRoute('v', {
      http: [
        { ...route(to('web')), match: [{ sourceLabels: { a: 'b' } }] },
        { match: [], ...route(to('web')) },
      ],
      gateways: ['mesh', 'x'],
      hosts: ['web', '*.x'],
      tcp: [],
    }),
    policy({
      action: 'DENY',
      rules: [{ to: [{ operation: { methods: ['GET'] } }] }],
      selector: { matchLabels: { app: 'w*' } },
    }),
  ),
  says(
    'IST0133',
    'a waypoint for what there is not',
    /\(Gateway shop\/wp\) istio\.io\/waypoint-for: "http" is none of/,
    waypoint('shop/wp', { labels: { 'istio.io/waypoint-for': 'http' } }),
  ),
  says(
    'IST0133',
    'a waypoint called none',
    /\(Gateway shop\/none\) metadata\.name: none/,
    waypoint('shop/none', { labels: { 'istio.io/waypoint-for': 'all' } }),
  ),
  silent('IST0133', 'a waypoint for all', waypoint('shop/wp', { labels: { 'istio.io/waypoint-for': 'all' } })),

  says(
    'IST0134',
    'TCP without an address',
    /Warning \[IST0134\]/,
    entry(
      'shop/e',
      { hosts: ['a.example.com'], resolution: 'STATIC', ports: [{ number: 9, name: 'tcp', protocol: 'TCP' }] },
      { labels: { 'networking.istio.io/enable-autoallocate-ip': 'false' } },
    ),
  ),
  silent(
    'IST0134',
    'addresses are allocated',
    entry('shop/e', {
      hosts: ['a.example.com'],
      resolution: 'STATIC',
      ports: [{ number: 9, name: 'tcp', protocol: 'TCP' }],
    }),
  ),

  says(
    'IST0138',
    'one certificate in two Gateways',
    /Warning \[IST0138\] \(Gateway shop\/a\) The Gateways shop\/a, shop\/b/,
    ROUTER,
    gateway('a', https('cert')),
    gateway('b', https('cert')),
  ),
  silent('IST0138', 'a certificate each', ROUTER, gateway('a', https('one')), gateway('b', https('two'))),

  says(
    'IST0139',
    'a webhook that leads nowhere',
    /Error \[IST0139\] .*Webhook validation\.istio\.io leads to the Service istio-system\/gone/,
    webhook('Validating', 'istiod', hook('validation', 'gone')),
  ),
  says(
    'IST0139',
    'two injectors for the same pods',
    /Webhook inject\.istio\.io is for pods that/,
    ISTIOD,
    webhook('Mutating', 'a', hook('inject', 'istiod')),
    webhook('Mutating', 'b', hook('inject', 'istiod')),
  ),
  silent(
    'IST0139',
    'a control plane that is there, and webhooks of others',
    ISTIOD,
    webhook('Validating', 'istiod', hook('validation', 'istiod')),
    webhook('Mutating', 'x', { name: 'x.example.com', clientConfig: { service: { namespace: 'x', name: 'x' } } }),
  ),

  says(
    'IST0140',
    'a gateway that passes by the subsets',
    /Warning \[IST0140\] \(VirtualService shop\/edge\)/,
    WEB,
    webRoute('split', { http: [route(to('web', { subset: 'v1' }))] }),
    virtual('shop/edge', { hosts: ['x.example.com'], gateways: ['g'], http: [route(to('web'))] }),
  ),
  silent(
    'IST0140',
    'the gateway names the subset',
    WEB,
    webRoute('split', { http: [route(to('web', { subset: 'v1' }))] }),
    virtual('shop/edge', { hosts: ['x.example.com'], gateways: ['g'], http: [route(to('web', { subset: 'v1' }))] }),
  ),

  says(
    'IST0145',
    'two Gateways for one host',
    /Error \[IST0145\] \(Gateway shop\/a\) The Gateways shop\/b/,
    ROUTER,
    gateway('a', http(['x.example.com'])),
    gateway('b', http(['x.example.com'])),
  ),
  silent(
    'IST0145',
    'other hosts, ports and pods',
    ROUTER,
    gateway('a', http(['x.example.com'])),
    gateway('b', http(['y.example.com'])),
    gateway('c', http(['x.example.com'], 81)),
    istioGateway('shop/d', { selector: { istio: 'egress' }, servers: [http(['x.example.com'])] }),
  ),

  says(
    'IST0149',
    'a claim, and nobody who checks tokens',
    /Error \[IST0149\] .*claim @request\.auth\.claims\.group/,
    ROUTER,
    WEB,
    gateway('g', http()),
    virtual('shop/v', {
      hosts: ['*'],
      gateways: ['g'],
      http: [{ match: [{ headers: { '@request.auth.claims.group': { exact: 'a' } } }], ...route(to('web')) }],
    }),
  ),
  silent(
    'IST0149',
    'tokens are checked at the gateway',
    ROUTER,
    WEB,
    gateway('g', http()),
    security('RequestAuthentication', 'istio-ingress/r', { selector: { matchLabels: { istio: 'ingress' } }, ...JWT }),
    virtual('shop/v', {
      hosts: ['*'],
      gateways: ['g'],
      http: [{ match: [{ headers: { '@request.auth.claims.group': { exact: 'a' } } }], ...route(to('web')) }],
    }),
  ),

  says(
    'IST0150',
    'an ExternalName with a port called tcp',
    /Warning \[IST0150\]/,
    service('shop/x', { type: 'ExternalName', externalName: 'x.example.com', ports: [{ name: 'tcp', port: 1 }] }),
  ),
  silent(
    'IST0150',
    'an ExternalName for https',
    service('shop/x', { type: 'ExternalName', externalName: 'x.example.com', ports: [{ name: 'https', port: 443 }] }),
  ),

  says(
    'IST0156',
    'only v1alpha2 is served',
    /Error \[IST0156\].*version v1alpha2 is lower than the minimum version: v1beta1/,
    crd('gateway.networking.k8s.io', 'Gateway', ['v1alpha2']),
  ),
  silent('IST0156', 'v1 and v1beta1 are served', crd('gateway.networking.k8s.io', 'Gateway', ['v1', 'v1beta1'])),
  says(
    'IST0172',
    'v1 is not served',
    /Warning \[IST0172\]/,
    crd('gateway.networking.k8s.io', 'HTTPRoute', ['v1beta1']),
  ),
  silent('IST0172', 'kinds of today', crd('gateway.networking.k8s.io', 'HTTPRoute', ['v1', 'v1beta1'])),
  says(
    'IST0176',
    'a release that is too old',
    /Warning \[IST0176\].*is at version "v1\.2\.0" but Istio requires at least "v1\.5\.0"/,
    crd('gateway.networking.k8s.io', 'TLSRoute', ['v1'], 'v1.2.0'),
  ),
  silent('IST0176', 'a release just new enough', crd('gateway.networking.k8s.io', 'TLSRoute', ['v1'], 'v1.5.0')),

  says(
    'IST0157',
    'no provider for the access log',
    /Warning \[IST0157\]/,
    telemetry('shop/t', { accessLogging: [{}] }),
  ),
  silent(
    'IST0157',
    'a provider, or no log',
    telemetry('shop/t', { accessLogging: [{ providers: [{ name: 'envoy' }] }, { disabled: true }] }),
  ),
  says(
    'IST0159',
    'two for one pod',
    /Error \[IST0159\] .*shop\/s, shop\/t are all for pod shop\/a/,
    pod('shop/a', { app: 'x', v: '1' }),
    telemetry('shop/s', { selector: { matchLabels: { app: 'x' } } }),
    telemetry('shop/t', { selector: { matchLabels: { v: '1' } } }),
  ),
  silent(
    'IST0159',
    'pods of their own',
    pod('shop/a', { app: 'x' }),
    telemetry('shop/s', { selector: { matchLabels: { app: 'x' } } }),
    telemetry('shop/t', { selector: { matchLabels: { app: 'y' } } }),
  ),
  says(
    'IST0160',
    'two for one namespace',
    /Error \[IST0160\] .*shop\/s, shop\/t are all for the whole namespace shop/,
    telemetry('shop/s', {}),
    telemetry('shop/t', {}),
  ),
  silent('IST0160', 'one for each namespace', telemetry('shop/s', {}), telemetry('other/t', {})),

  says(
    'IST0161',
    'a Secret that holds no certificate',
    /Error \[IST0161\] .*Secret istio-ingress\/cert .*can’t be used/,
    ROUTER,
    secret('istio-ingress/cert', { 'tls.crt': 'bm8=', 'tls.key': 'bm8=' }),
    gateway('g', https('cert')),
  ),
  silent(
    'IST0161',
    'a Secret that is not named',
    ROUTER,
    secret('istio-ingress/cert', { 'tls.crt': 'bm8=' }),
    gateway('g', http()),
  ),
  says(
    'IST0162',
    'a port the Service has not',
    /Warning \[IST0162\] .*port 9999/,
    ROUTER,
    ROUTER_SERVICE,
    gateway('g', http(['*'], 9999)),
  ),
  silent(
    'IST0162',
    'a port, or where a port leads',
    ROUTER,
    ROUTER_SERVICE,
    gateway('g', http(['*'], 80), http(['*'], 8080)),
  ),

  says(
    'IST0165',
    'a name inside the control plane',
    /Warning \[IST0165\] .*use an HTTPRoute/,
    WEB,
    webRoute('v', { gateways: ['shop/g-istio-autogenerated-k8s-gateway-http'], http: [route(to('web'))] }),
  ),
  silent('IST0165', 'a Gateway of its own', WEB, webRoute('v', { gateways: ['shop/g'], http: [route(to('web'))] })),
  says(
    'IST0166',
    'a selector for a waypoint’s pods',
    /Warning \[IST0166\] .*Ineffective selector on Kubernetes Gateway wp/,
    pod('shop/wp', { app: 'wp', 'gateway.networking.k8s.io/gateway-name': 'wp' }),
    policy({ selector: { matchLabels: { app: 'wp' } } }),
  ),
  silent(
    'IST0166',
    'a targetRef',
    waypoint('shop/wp'),
    pod('shop/wp', { 'gateway.networking.k8s.io/gateway-name': 'wp' }),
    policy({ targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'wp' }] }),
  ),

  says(
    'IST0167',
    'a Sidecar in an ambient namespace',
    /Warning \[IST0167\] \(Sidecar shop\/s\) The policy has no impact: the namespace is in ambient mode/,
    AMBIENT,
    networking('Sidecar', 'shop/s', {}),
  ),
  says(
    'IST0167',
    'a Sidecar for ambient pods',
    /pods it selects are in ambient mode/,
    namespace('shop'),
    pod('shop/a', { app: 'x', 'istio.io/dataplane-mode': 'ambient' }),
    networking('Sidecar', 'shop/s', { workloadSelector: { labels: { app: 'x' } } }),
  ),
  says('IST0167', 'an EnvoyFilter', /no proxy of this mesh is Envoy/, networking('EnvoyFilter', 'shop/f', {})),
  says('IST0167', 'a WasmPlugin', /WebAssembly/, wasm('shop/w')),
  says(
    'IST0167',
    'tokens that a ztunnel would have to check',
    /\(RequestAuthentication shop\/p\) The policy has no impact: ztunnel checks no tokens/,
    AMBIENT,
    pod('shop/a', { app: 'x' }),
    policy({ selector: { matchLabels: { app: 'x' } }, ...JWT }, 'RequestAuthentication'),
  ),
  says(
    'IST0167',
    'rules about tokens nobody checks',
    /there is no RequestAuthentication in shop or istio-system/,
    policy({ rules: [{ from: [{ source: { requestPrincipals: ['*'] } }] }] }),
  ),
  silent(
    'IST0167',
    'tokens that a waypoint checks',
    AMBIENT,
    waypoint('shop/wp'),
    policy(
      { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'wp' }], ...JWT },
      'RequestAuthentication',
    ),
    policy({ rules: [{ when: [{ key: 'request.auth.claims[a]', values: ['b'] }] }] }),
    networking('Sidecar', 'other/s', {}),
  ),

  says(
    'IST0171',
    'a service whose waypoint is not there',
    /Warning \[IST0171\] \(Service shop\/web\) A condition with a negative status is present: type=istio\.io\/WaypointBound, reason=WaypointIsNotReady/,
    AMBIENT,
    service('shop/web', {}, { labels: { 'istio.io/use-waypoint': 'wp' } }),
  ),
  says(
    'IST0171',
    'a waypoint without an address',
    /reason=WaypointIsNotReady/,
    AMBIENT,
    waypoint('shop/wp', { status: {} }),
    service('shop/web', {}, { labels: { 'istio.io/use-waypoint': 'wp' } }),
  ),
  says(
    'IST0171',
    'a waypoint for workloads',
    /reason=UnsupportedTrafficType/,
    AMBIENT,
    waypoint('shop/wp', { labels: { 'istio.io/waypoint-for': 'workload' } }),
    service('shop/web', {}, { labels: { 'istio.io/use-waypoint': 'wp' } }),
  ),
  says(
    'IST0171',
    'a waypoint that lets no other namespace in',
    /reason=AttachmentDenied/,
    AMBIENT,
    waypoint('infra/wp'),
    service('shop/web', {}, { labels: { 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-namespace': 'infra' } }),
  ),
  says(
    'IST0171',
    'rules about requests without a waypoint',
    /\(AuthorizationPolicy shop\/p\) .*type=ZtunnelAccepted, reason=UnsupportedValue.*methods/,
    AMBIENT,
    pod('shop/a', { app: 'x' }),
    policy({
      action: 'DENY',
      selector: { matchLabels: { app: 'x' } },
      rules: [{ to: [{ operation: { methods: ['GET'] } }] }],
    }),
  ),
  says(
    'IST0171',
    'a target that is not there',
    /type=WaypointAccepted, reason=TargetNotFound/,
    AMBIENT,
    policy({ targetRefs: [{ kind: 'Service', group: '', name: 'gone' }] }),
  ),
  says(
    'IST0171',
    'a target without a waypoint',
    /type=WaypointAccepted, reason=AncestorNotBound/,
    AMBIENT,
    WEB,
    policy({ targetRefs: [{ kind: 'Service', group: '', name: 'web' }] }),
  ),
  says(
    'IST0171',
    'one target of two',
    /reason=PartiallyInvalid/,
    AMBIENT,
    waypoint('shop/wp'),
    policy({
      targetRefs: [
        { kind: 'Service', group: '', name: 'gone' },
        { kind: 'Gateway', group: 'gateway.networking.k8s.io', name: 'wp' },
      ],
    }),
  ),
  says(
    'IST0171',
    'a route whose service has no waypoint',
    /\(HTTPRoute shop\/r\) .*type=ResolvedWaypoints/,
    AMBIENT,
    WEB,
    httpRoute('r', {
      parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
      rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
    }),
  ),
  says(
    'IST0171',
    'a route to a backend that is not there',
    /type=ResolvedRefs, reason=BackendNotFound/,
    WEB,
    httpRoute('r', {
      parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
      rules: [{ backendRefs: [{ name: 'gone', port: 80 }] }],
    }),
  ),
  says(
    'IST0171',
    'a waypoint with another listener',
    /\(Gateway shop\/wp\) .*Expected a single listener on port 15008/,
    waypoint('shop/wp', {}, [{ name: 'http', port: 80, protocol: 'HTTP' }]),
  ),
  says(
    'IST0171',
    'a Gateway that does not run',
    /type=Programmed, reason=AddressNotAssigned/,
    waypoint('shop/wp', {
      status: {
        conditions: [{ type: 'Programmed', status: 'False', reason: 'AddressNotAssigned', message: 'no pods' }],
      },
    }),
  ),
  silent(
    'IST0171',
    'a service with a waypoint, a policy and a route',
    AMBIENT,
    waypoint('shop/wp'),
    service('shop/web', {}, { labels: { 'istio.io/use-waypoint': 'wp' } }),
    pod('shop/a', { app: 'web' }),
    policy({
      targetRefs: [{ kind: 'Service', group: '', name: 'web' }],
      rules: [{ to: [{ operation: { methods: ['GET'] } }] }],
    }),
    httpRoute('r', {
      parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
      rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
    }),
  ),
  silent(
    'IST0171',
    'a service that wants no waypoint',
    namespace('shop', { 'istio.io/use-waypoint': 'gone' }),
    service('shop/web', {}, { labels: { 'istio.io/use-waypoint': 'none' } }),
  ),

  says(
    'IST0173',
    'a subset of nobody',
    /Error \[IST0173\] .*subset v2 .*has no pods/,
    WEB,
    pod('shop/a', { app: 'web', version: 'v1' }),
    rule('shop/web', {
      host: 'web',
      subsets: [
        { name: 'v1', labels: { version: 'v1' } },
        { name: 'v2', labels: { version: 'v2' } },
      ],
    }),
  ),
  silent(
    'IST0173',
    'pods by version and place, and endpoints of a ServiceEntry',
    WEB,
    pod('shop/a', { app: 'web', version: 'v1' }),
    rule('shop/web', {
      host: 'web',
      subsets: [{ name: 'v1', labels: { version: 'v1', 'topology.kubernetes.io/region': 'r' } }],
    }),
    entry('shop/e', {
      hosts: ['e.example.com'],
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      endpoints: [{ address: '10.0.0.1', labels: { version: 'v2' } }],
    }),
    rule('shop/e', { host: 'e.example.com', subsets: [{ name: 'v2', labels: { version: 'v2' } }] }),
  ),
  says(
    'IST0174',
    'the host of nobody',
    /Warning \[IST0174\] .*The host gone of the DestinationRule/,
    rule('shop/d', { host: 'gone' }),
  ),
  silent(
    'IST0174',
    'a wildcard for services, and a ServiceEntry',
    WEB,
    rule('shop/d', { host: '*.shop.svc.cluster.local' }),
    entry('shop/e', {
      hosts: ['*.example.com'],
      resolution: 'NONE',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    }),
    rule('shop/f', { host: '*.example.com' }),
  ),

  says(
    'IST0175',
    'keys may come from anywhere',
    /Warning \[IST0175\] \(Deployment istio-system\/istiod\) .*\(shop\/p\)/,
    istiodDeployment(),
    policy(JWT, 'RequestAuthentication'),
  ),
  silent(
    'IST0175',
    'networks are kept out, or no tokens are checked',
    istiodDeployment({ name: 'BLOCKED_CIDRS_IN_JWKS_URIS', value: '10.0.0.0/8' }),
    policy(JWT, 'RequestAuthentication'),
  ),
  says(
    'IST0177',
    'two protocols at one port',
    /Warning \[IST0177\] .*shop\/a, shop\/b disagree .* e\.example\.com:80: HTTP, TCP/,
    ...(['HTTP', 'TCP'] as const).map((protocol, i) =>
      entry(`shop/${'ab'[i]}`, {
        hosts: ['e.example.com'],
        resolution: 'DNS',
        ports: [{ number: 80, name: 'x', protocol }],
      }),
    ),
  ),
  silent(
    'IST0177',
    'one protocol twice',
    ...['a', 'b'].map((name) =>
      entry(`shop/${name}`, {
        hosts: ['e.example.com'],
        resolution: 'DNS',
        ports: [{ number: 80, name: 'x', protocol: 'HTTP' }],
      }),
    ),
  ),
]

export function titleOf({ code, when, line }: Case): string {
  return `${code} ${line === undefined ? 'not' : 'for'}: ${when}`
}
