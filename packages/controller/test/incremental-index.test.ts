import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import fc from 'fast-check'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const GATEWAY_GROUP = 'gateway.networking.k8s.io'
const namespace = fc.constantFrom('istio-system', 'a', 'b')
const name = fc.constantFrom('x', 'y')
const app = fc.constantFrom<Readonly<Record<string, string>>>(
  {},
  { app: 'one' },
  { app: 'two', 'istio.io/use-waypoint': 'wp' },
)
const created = fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z')
const mode = fc.constantFrom('UNSET', 'STRICT', 'PERMISSIVE', 'DISABLE')
const selector = fc.constantFrom(undefined, { matchLabels: { app: 'one' } }, { matchLabels: { app: 'two' } })
const waypointLabels = fc.constantFrom<Readonly<Record<string, string>>>(
  {},
  { 'istio.io/use-waypoint': 'wp' },
  { 'istio.io/use-waypoint': 'none' },
  { 'ambit.dev/require-waypoint': 'true' },
  { 'istio.io/use-waypoint': 'wp', 'ambit.dev/require-waypoint': 'true' },
  { 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-namespace': 'b', 'istio.io/ingress-use-waypoint': 'true' },
)

/** Any object of a tiny world in which names collide often. */
const anyObject: fc.Arbitrary<KubeObject> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({
        namespace,
        name,
        app,
        ready: fc.boolean(),
        node: fc.constantFrom('n1', 'n2'),
        phase: fc.constantFrom('Running', 'Succeeded'),
        account: fc.constantFrom('default', 'special'),
      })
      .map((o) =>
        make.pod(
          `${o.namespace}/${o.name}`,
          { ready: o.ready, spec: { nodeName: o.node, serviceAccountName: o.account }, status: { phase: o.phase } },
          { labels: { ...o.app } },
        ),
      ),
  },
  fc
    .record({ namespace, name, app, type: fc.constantFrom('ClusterIP', 'ExternalName'), labels: waypointLabels })
    .map((o) =>
      make.service(
        `${o.namespace}/${o.name}`,
        { selector: o.app['app'] === undefined ? {} : { app: o.app['app'] }, type: o.type },
        { labels: { ...o.labels } },
      ),
    ),
  fc.record({ namespace, name, of: name, target: fc.option(name) }).map((o) =>
    make.slice(`${o.namespace}/${o.name}`, o.of, {
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [
        { addresses: ['10.7.0.1'], ...(o.target === null ? {} : { targetRef: { kind: 'Pod', name: o.target } }) },
      ],
    }),
  ),
  fc
    .record({
      namespace,
      name,
      created,
      host: fc.constantFrom('x.a.svc.cluster.local', 'example.org'),
      kind: fc.constantFrom('inline', 'dns', 'selector'),
      labels: waypointLabels,
    })
    .map((o) =>
      make.serviceEntry(
        `${o.namespace}/${o.name}`,
        {
          hosts: [o.host],
          ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
          resolution: o.kind === 'dns' ? 'DNS' : 'STATIC',
          ...(o.kind === 'inline' ? { endpoints: [{ address: '10.8.0.1', labels: { app: 'one' } }] } : {}),
          ...(o.kind === 'selector' ? { workloadSelector: { labels: { app: 'one' } } } : {}),
        },
        { labels: { ...o.labels }, metadata: { creationTimestamp: o.created } },
      ),
    ),
  fc
    .record({ namespace, name, app })
    .map((o) => make.workloadEntry(`${o.namespace}/${o.name}`, { address: '10.6.0.1', labels: { ...o.app } })),
  fc
    .record({ namespace, name, selector, action: fc.constantFrom('ALLOW', 'DENY', 'AUDIT') })
    .map((o) => make.policy(`${o.namespace}/${o.name}`, { selector: o.selector, action: o.action, rules: [{}] })),
  fc
    .record({
      namespace,
      name,
      kinds: fc.subarray(['Service', 'ServiceEntry', 'Gateway', 'GatewayClass'] as const, { minLength: 1 }),
      tokens: fc.boolean(),
    })
    .map((o) => {
      const group = { Service: '', ServiceEntry: 'networking.istio.io' }
      const targets = { Service: o.name, ServiceEntry: o.name, Gateway: 'wp', GatewayClass: 'istio-waypoint' }
      const targetRefs = o.kinds.map((kind) => ({
        kind,
        group: { Gateway: GATEWAY_GROUP, GatewayClass: GATEWAY_GROUP, ...group }[kind],
        name: targets[kind],
      }))
      return o.tokens
        ? make.requestAuthentication(`${o.namespace}/${o.name}`, { targetRefs })
        : make.policy(`${o.namespace}/${o.name}`, { targetRefs, rules: [{}] })
    }),
  fc.record({ namespace, name, gateway: fc.constantFrom('wp', 'one') }).map((o) =>
    make.policy(`${o.namespace}/${o.name}`, {
      selector: { matchLabels: { 'istio.io/gateway-name': o.gateway } },
      rules: [{ to: [{ operation: { methods: ['GET'] } }] }],
    }),
  ),
  {
    weight: 3,
    arbitrary: fc
      .record({
        namespace,
        name,
        created,
        grpc: fc.boolean(),
        parent: fc.record({
          kind: fc.constantFrom('Service', 'ServiceEntry'),
          namespace,
          name,
          port: fc.constantFrom(undefined, 80, 81),
        }),
        backend: fc.record({ kind: fc.constantFrom('Service', 'Hostname'), namespace }),
      })
      .map((o) => {
        const group = o.parent.kind === 'Service' ? '' : 'networking.istio.io'
        const backend =
          o.backend.kind === 'Service'
            ? { name: 'x', namespace: o.backend.namespace, port: 80 }
            : { group: 'networking.istio.io', kind: 'Hostname', name: 'example.org', port: 80 }
        const spec = {
          parentRefs: [{ group, ...o.parent }],
          rules: [{ ...(o.grpc ? {} : { matches: [{ path: { value: `/${o.name}` } }] }), backendRefs: [backend] }],
        }
        const extra = { metadata: { creationTimestamp: o.created } }
        return o.grpc
          ? make.grpcRoute(`${o.namespace}/${o.name}`, spec, extra)
          : make.httpRoute(`${o.namespace}/${o.name}`, spec, extra)
      }),
  },
  fc
    .record({
      namespace,
      name,
      host: fc.constantFrom('x', 'x.a.svc.cluster.local', 'example.org', '*.cluster.local', undefined),
      to: fc.constantFrom('x', 'y', 'example.org', 'x.b.svc.cluster.local'),
      subset: fc.constantFrom(undefined, 'one', 'two'),
      gateway: fc.constantFrom('mesh', 'x'),
      delegate: fc.option(fc.record({ namespace, name })),
      exportTo: fc.constantFrom(undefined, ['.'], ['a']),
      created,
    })
    .map((o) => {
      const destination = { host: o.to, ...(o.subset && { subset: o.subset }) }
      const rule = o.delegate === null ? { route: [{ destination }] } : { delegate: o.delegate }
      const spec = {
        ...(o.host && { hosts: [o.host], gateways: [o.gateway] }),
        ...(o.exportTo && { exportTo: o.exportTo }),
        http: [rule],
        tcp: [{ route: [{ destination }] }],
      }
      return make.virtualService(`${o.namespace}/${o.name}`, spec, { metadata: { creationTimestamp: o.created } })
    }),
  fc
    .record({
      namespace,
      name,
      host: fc.constantFrom('x', 'x.a.svc.cluster.local', 'example.org', '*.cluster.local', '*'),
      subsets: fc.subarray(['one', 'two']),
      simple: fc.constantFrom('RANDOM', 'ROUND_ROBIN'),
      exportTo: fc.constantFrom(undefined, ['.'], ['a']),
      created,
    })
    .map((o) =>
      make.destinationRule(
        `${o.namespace}/${o.name}`,
        {
          host: o.host,
          subsets: o.subsets.map((subset) => ({ name: subset, labels: { app: subset } })),
          trafficPolicy: { loadBalancer: { simple: o.simple } },
          ...(o.exportTo && { exportTo: o.exportTo }),
        },
        { metadata: { creationTimestamp: o.created } },
      ),
    ),
  fc.record({ namespace, name, from: namespace, kind: fc.constantFrom('HTTPRoute', 'GRPCRoute') }).map((o) =>
    make.referenceGrant(`${o.namespace}/${o.name}`, {
      from: [{ group: GATEWAY_GROUP, kind: o.kind, namespace: o.from }],
      to: [{ group: '', kind: 'Service' }],
    }),
  ),
  fc
    .constantFrom('istio.io/mesh-controller', 'example.org/other')
    .map((controller) => make.gatewayClass('istio-waypoint', controller)),
  fc
    .record({
      namespace: fc.constantFrom('a', 'b'),
      account: fc.constantFrom('default', 'special', undefined),
      ready: fc.boolean(),
    })
    .map((o) =>
      make.gateway(
        `${o.namespace}/${o.account === undefined ? 'namespace' : 'one'}`,
        { addresses: o.ready ? [{ type: 'IPAddress', value: '10.9.0.2' }] : [] },
        o.account === undefined ? {} : { annotations: { 'istio.io/for-service-account': o.account } },
      ),
    ),
  fc
    .record({ namespace, name, selector, mode, port: mode, created })
    .map((o) =>
      make.peerAuthentication(
        `${o.namespace}/${o.name}`,
        { selector: o.selector, mtls: { mode: o.mode }, portLevelMtls: { 9090: { mode: o.port } } },
        { metadata: { creationTimestamp: o.created } },
      ),
    ),
  fc
    .record({
      namespace: fc.constantFrom('a', 'b'),
      ready: fc.boolean(),
      for: fc.constantFrom('service', 'workload', 'all'),
      from: fc.constantFrom('Same', 'All'),
    })
    .map((o) =>
      make.gateway(
        `${o.namespace}/wp`,
        {
          addresses: o.ready ? [{ type: 'IPAddress', value: '10.9.0.1' }] : [],
          spec: {
            listeners: [
              { name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes: { namespaces: { from: o.from } } },
            ],
          },
        },
        { labels: { 'istio.io/waypoint-for': o.for } },
      ),
    ),
  fc.record({ namespace, labels: waypointLabels }).map((o) => make.namespace(o.namespace, { labels: { ...o.labels } })),
  fc
    .record({ name: fc.constantFrom('n1', 'n2'), zone: fc.constantFrom('z1', 'z2') })
    .map((o) =>
      make.node(o.name, { labels: { 'topology.kubernetes.io/region': 'r', 'topology.kubernetes.io/zone': o.zone } }),
    ),
)

const operation = fc.record({
  object: anyObject,
  there: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
  flush: fc.boolean(),
})

test('what comes of many small changes is what comes of the final state', (t) => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 5, maxLength: 60, size: 'max' }), (operations) => {
      const incremental = new Mesh()
      const final = new Map<string, KubeObject>()
      for (const { object, there, flush } of operations) {
        const key = `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
        incremental.put(object, there)
        final.delete(key)
        if (there) final.set(key, object)
        if (flush) incremental.index.flush()
      }
      incremental.index.flush()
      const fresh = Mesh.of(...final.values())
      t.deepEqual(incremental.dump(), fresh.dump())
      t.deepEqual(incremental.said(), fresh.said())
    }),
    { numRuns: 1_000 },
  )
})

test('a change of one pod compiles one unit', (t) => {
  const mesh = Mesh.of(
    make.service('a/x', { selector: { app: 'one' } }),
    make.pod('a/x'),
    make.pod('a/y', { ip: '10.0.0.2' }),
  )
  mesh.put(make.pod('a/x', { ready: false }), true)
  t.is(mesh.index.pending, 1)
  t.is(mesh.index.flush(), 1)
})

test('a node that only reports again touches nothing', (t) => {
  const mesh = Mesh.of(make.node('node-a'), make.pod('a/x'))
  mesh.put(make.node('node-a'), true)
  t.is(mesh.index.pending, 0)
})

test('a policy that selects touches the workloads it selects', (t) => {
  const mesh = Mesh.of(make.pod('a/x', {}, { labels: { app: 'one' } }), make.pod('a/y', { ip: '10.0.0.2' }))
  mesh.put(make.policy('a/p', { selector: { matchLabels: { app: 'one' } }, rules: [{}] }), true)
  t.is(mesh.index.pending, 2)
})
