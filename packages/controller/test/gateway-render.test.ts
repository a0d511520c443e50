// What a Gateway of class istio-waypoint becomes, field by field.
import { LABELS } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import { decodeGatewayRequest } from '../src/gateway/decode-gateway-request.ts'
import type { GatewayRequest, InstallSettings } from '../src/gateway/gateway.types.ts'
import { classOf, INGRESS_KIND, WAYPOINT_CLASS, WAYPOINT_KIND } from '../src/gateway/gateway-classes.ts'
import { decodeInstallSettings } from '../src/gateway/install-settings.ts'
import { managementOf } from '../src/gateway/management.ts'
import { gatewayNames, nameProblem } from '../src/gateway/names.ts'
import { renderGateway } from '../src/gateway/render-gateway.ts'
import { isOurRevision, revisionOf } from '../src/gateway/revision.ts'
import * as make from './support/objects.ts'
import { renderWaypoint } from './support/render.ts'

const CONTEXT = {
  config: { revision: 'default', namespace: 'istio-system', domain: 'cluster.local', clusterId: 'Kubernetes' },
  mesh: { network: '', trustDomain: 'cluster.local' },
}
const VALUES = { global: { hub: 'ambit', tag: '0.1.0', proxy: { image: 'waypoint', logLevel: 'warning' } } }

function settingsOf(values: unknown = VALUES, mesh = '', context = CONTEXT): InstallSettings {
  const verdict = decodeInstallSettings(JSON.stringify(values), mesh, context)
  if (!verdict.ok) throw new Error(verdict.reason)
  return verdict.settings
}

function request(
  fields: Readonly<Record<string, unknown>> = {},
  extra: make.Extra = {},
  name = 'waypoint',
): GatewayRequest {
  return decodeGatewayRequest(
    make.gateway(`shop/${name}`, { spec: fields }, { ...extra, metadata: { uid: 'uid-1', ...extra.metadata } }),
  )
}

const TIES = {
  'gateway.networking.k8s.io/gateway-name': 'waypoint',
  'gateway.networking.k8s.io/gateway-class-name': 'istio-waypoint',
  'gateway.istio.io/managed': 'istio.io-mesh-controller',
}
const META = {
  namespace: 'shop',
  name: 'waypoint',
  labels: TIES,
  annotations: {},
  ownerReferences: [{ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name: 'waypoint', uid: 'uid-1' }],
}
const SELECTOR = { 'gateway.networking.k8s.io/gateway-name': 'waypoint' }

test('service account and Service', (t) => {
  const { serviceAccount, service } = renderWaypoint(request(), settingsOf(), undefined)
  t.deepEqual(serviceAccount, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: META })
  t.deepEqual(service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...META, annotations: { 'networking.istio.io/traffic-distribution': 'PreferClose' } },
    spec: {
      type: 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      selector: SELECTOR,
      ports: [
        { name: 'status-port', port: 15021, protocol: 'TCP', appProtocol: 'tcp' },
        { name: 'mesh', port: 15008, protocol: 'TCP', appProtocol: 'hbone' },
      ],
    },
  })
})

test('Deployment', (t) => {
  const mesh = 'defaultConfig: {proxyMetadata: {ISTIO_META_ENABLE_HBONE: "true", POD_NAME: forged}}'
  const { deployment } = renderWaypoint(request(), settingsOf(VALUES, mesh), undefined)
  const field = (name: string, fieldPath: string): unknown => ({ name, valueFrom: { fieldRef: { fieldPath } } })
  const resource = (name: string, of: string): unknown => ({
    name,
    valueFrom: { resourceFieldRef: { resource: of, divisor: '0' } },
  })
  const httpGet = { path: '/healthz/ready', port: 15021, scheme: 'HTTP' }
  t.deepEqual(deployment, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: META,
    spec: {
      selector: { matchLabels: SELECTOR },
      template: {
        metadata: {
          annotations: {
            'istio.io/rev': 'default',
            'prometheus.io/path': '/stats/prometheus',
            'prometheus.io/port': '15020',
            'prometheus.io/scrape': 'true',
          },
          labels: {
            'sidecar.istio.io/inject': 'false',
            'istio.io/dataplane-mode': 'none',
            'service.istio.io/canonical-name': 'waypoint',
            'service.istio.io/canonical-revision': 'latest',
            ...TIES,
          },
        },
        spec: {
          serviceAccountName: 'waypoint',
          containers: [
            {
              name: 'istio-proxy',
              image: 'ambit/waypoint:0.1.0',
              ports: [
                { containerPort: 15020, protocol: 'TCP', name: 'metrics' },
                { containerPort: 15021, protocol: 'TCP', name: 'status-port' },
                { containerPort: 15090, protocol: 'TCP', name: 'http-envoy-prom' },
              ],
              args: [
                'proxy',
                'waypoint',
                '--domain',
                '$(POD_NAMESPACE).svc.cluster.local',
                '--serviceCluster',
                'waypoint.$(POD_NAMESPACE)',
                '--proxyLogLevel',
                'warning',
                '--proxyComponentLogLevel',
                'misc:error',
                '--log_output_level',
                'default:info',
              ],
              env: [
                field('ISTIO_META_SERVICE_ACCOUNT', 'spec.serviceAccountName'),
                field('ISTIO_META_NODE_NAME', 'spec.nodeName'),
                { name: 'PILOT_CERT_PROVIDER', value: 'istiod' },
                { name: 'CA_ADDR', value: 'istiod.istio-system.svc:15012' },
                field('POD_NAME', 'metadata.name'),
                field('POD_NAMESPACE', 'metadata.namespace'),
                field('INSTANCE_IP', 'status.podIP'),
                field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
                field('HOST_IP', 'status.hostIP'),
                resource('ISTIO_CPU_LIMIT', 'limits.cpu'),
                {
                  name: 'PROXY_CONFIG',
                  value:
                    '{"discoveryAddress":"istiod.istio-system.svc:15012","proxyMetadata":{"ISTIO_META_ENABLE_HBONE":"true","POD_NAME":"forged"}}',
                },
                resource('GOMEMLIMIT', 'limits.memory'),
                { name: 'ISTIO_META_CLUSTER_ID', value: 'Kubernetes' },
                { name: 'ISTIO_META_INTERCEPTION_MODE', value: 'REDIRECT' },
                { name: 'ISTIO_META_WORKLOAD_NAME', value: 'waypoint' },
                {
                  name: 'ISTIO_META_OWNER',
                  value: 'kubernetes://apis/apps/v1/namespaces/shop/deployments/waypoint',
                },
                { name: 'ISTIO_META_MESH_ID', value: 'cluster.local' },
                { name: 'TRUST_DOMAIN', value: 'cluster.local' },
                { name: 'ISTIO_META_ENABLE_HBONE', value: 'true' },
              ],
              resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '2', memory: '1Gi' } },
              startupProbe: { httpGet, initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 30 },
              readinessProbe: {
                httpGet,
                periodSeconds: 15,
                timeoutSeconds: 1,
                successThreshold: 1,
                failureThreshold: 4,
              },
              securityContext: {
                privileged: false,
                runAsUser: 1337,
                runAsGroup: 1337,
                runAsNonRoot: true,
                readOnlyRootFilesystem: true,
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [
                { name: 'workload-socket', mountPath: '/var/run/secrets/workload-spiffe-uds' },
                { name: 'istiod-ca-cert', mountPath: '/var/run/secrets/istio' },
                { name: 'istio-data', mountPath: '/var/lib/istio/data' },
                { name: 'istio-envoy', mountPath: '/etc/istio/proxy' },
                { name: 'istio-token', mountPath: '/var/run/secrets/tokens' },
                { name: 'istio-podinfo', mountPath: '/etc/istio/pod' },
              ],
            },
          ],
          volumes: [
            { name: 'workload-socket', emptyDir: {} },
            { name: 'istio-envoy', emptyDir: { medium: 'Memory' } },
            { name: 'go-proxy-envoy', emptyDir: { medium: 'Memory' } },
            { name: 'istio-data', emptyDir: {} },
            { name: 'go-proxy-data', emptyDir: {} },
            {
              name: 'istio-podinfo',
              downwardAPI: {
                items: [
                  { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
                  { path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } },
                ],
              },
            },
            {
              name: 'istio-token',
              projected: {
                sources: [
                  { serviceAccountToken: { audience: 'istio-ca', expirationSeconds: 43_200, path: 'istio-token' } },
                ],
              },
            },
            { name: 'istiod-ca-cert', configMap: { name: 'istio-ca-root-cert' } },
          ],
        },
      },
    },
  })
})

test('labels and annotations of the Gateway are copied, but for those about the Gateway', (t) => {
  const extra = {
    labels: { team: 'a', 'gateway.networking.k8s.io/gateway-name': 'forged', 'gateway.istio.io/managed': 'forged' },
    annotations: {
      note: 'b',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'gateway.istio.io/controller-version': '5',
    },
  }
  const { service, deployment } = renderWaypoint(request({}, extra), settingsOf(), undefined)
  t.deepEqual(service.metadata.labels, { team: 'a', ...TIES })
  t.deepEqual(deployment.metadata['annotations'], { note: 'b' })
  const infrastructure = { labels: { only: 'this' }, annotations: {} }
  const chosen = renderWaypoint(request({ infrastructure }, extra), settingsOf(), undefined)
  t.deepEqual(chosen.deployment.metadata.labels, { only: 'this', ...TIES })
  t.deepEqual(chosen.deployment.metadata['annotations'], {})
})

test('the cluster’s network is the default of the network label', (t) => {
  const settings = settingsOf(VALUES, '', { ...CONTEXT, mesh: { ...CONTEXT.mesh, network: 'n1' } })
  const { deployment } = renderWaypoint(request(), settings, undefined)
  t.is(deployment.metadata.labels[LABELS.network], 'n1')
  t.true(JSON.stringify(deployment).includes('{"name":"ISTIO_META_NETWORK","value":"n1"}'))
  const own = renderWaypoint(request({}, { labels: { [LABELS.network]: 'n2' } }), settings, undefined)
  t.is(own.deployment.metadata.labels[LABELS.network], 'n2')
})

test('listeners become ports, each once and under a name of its own', (t) => {
  const listeners = [
    { name: 'My.Mesh', port: 15008, protocol: 'HBONE' },
    { name: 'again', port: 15008, protocol: 'TLS' },
    { name: 'my-mesh', port: 15009, protocol: 'TLS' },
    { name: 'bad', port: 0, protocol: 'TLS' },
  ]
  const { service } = renderWaypoint(request({ listeners }), settingsOf(), undefined)
  t.deepEqual((service['spec'] as { ports: unknown[] }).ports.slice(1), [
    { name: 'my-mesh', port: 15008, protocol: 'TCP', appProtocol: 'hbone' },
    { name: 'port-15009', port: 15009, protocol: 'TCP', appProtocol: 'tls' },
  ])
})

test('the waypoint of a service account, as Istio 1.18 names it', (t) => {
  const gateway = request({}, { annotations: { 'istio.io/for-service-account': 'web' } }, 'web')
  const { serviceAccount, service, deployment } = renderWaypoint(gateway, settingsOf(), undefined)
  for (const object of [serviceAccount, service, deployment]) t.is(object?.metadata.name, 'web-istio-waypoint')
  t.like(service['spec'], {
    selector: { 'istio.io/gateway-name': 'web' },
    ports: [{ name: 'status-port' }, { name: 'https-hbone', port: 15008 }],
  })
  t.like(deployment['spec'], {
    selector: { matchLabels: { 'istio.io/gateway-name': 'web' } },
    template: { metadata: { labels: { 'istio.io/gateway-name': 'web', [LABELS.gatewayName]: 'web' } } },
  })
})

test('a selector that is there stays: it can not be changed', (t) => {
  const legacy = renderWaypoint(request(), settingsOf(), { 'istio.io/gateway-name': 'waypoint' })
  t.like(legacy.deployment['spec'], { selector: { matchLabels: { 'istio.io/gateway-name': 'waypoint' } } })
  const annotated = request({}, { annotations: { 'istio.io/for-service-account': 'web' } })
  const present = renderWaypoint(annotated, settingsOf(), SELECTOR)
  t.deepEqual((present.service['spec'] as { selector: unknown }).selector, SELECTOR)
})

const names = test.macro({
  exec: (t, annotations: Readonly<Record<string, string>>, expected: unknown) =>
    t.deepEqual(
      gatewayNames({ name: 'wp', className: 'istio-waypoint', annotations }, WAYPOINT_KIND),
      expected as never,
    ),
  title: (_, annotations) => `names: ${JSON.stringify(annotations)}`,
})
test(names, {}, { name: 'wp', serviceAccount: 'wp', makesServiceAccount: true })
test(names, { 'gateway.istio.io/name-override': 'x' }, { name: 'x', serviceAccount: 'x', makesServiceAccount: true })
test(
  names,
  { 'gateway.istio.io/service-account': 'acc' },
  { name: 'wp', serviceAccount: 'acc', makesServiceAccount: false },
)

test('names Kubernetes would refuse are named before it does', (t) => {
  t.is(nameProblem({ name: 'wp', className: 'istio-waypoint', annotations: {} }, WAYPOINT_KIND), undefined)
  t.regex(
    nameProblem({ name: 'x'.repeat(64), className: 'istio-waypoint', annotations: {} }, WAYPOINT_KIND) ?? '',
    /63 characters/,
  )
  t.regex(
    nameProblem({ name: '1wp', className: 'istio-waypoint', annotations: {} }, WAYPOINT_KIND) ?? '',
    /name-override/,
  )
  t.is(
    nameProblem(
      { name: '1wp', className: 'istio-waypoint', annotations: { 'gateway.istio.io/name-override': 'wp' } },
      WAYPOINT_KIND,
    ),
    undefined,
  )
})

test('service type and address', (t) => {
  const annotations = { 'networking.istio.io/service-type': 'LoadBalancer' }
  const { service } = renderWaypoint(
    request({ addresses: [{ value: '192.0.2.1' }] }, { annotations }),
    settingsOf(),
    undefined,
  )
  t.like(service['spec'], { type: 'LoadBalancer', loadBalancerIP: '192.0.2.1' })
  const odd = renderWaypoint(
    request({}, { annotations: { 'networking.istio.io/service-type': 'ExternalName' } }),
    settingsOf(),
    undefined,
  )
  t.like(odd.service['spec'], { type: 'ClusterIP' })
})

const manages = test.macro({
  exec(t, gateway: () => GatewayRequest, expected: boolean | RegExp) {
    const management = managementOf(gateway(), WAYPOINT_CLASS)
    if (expected instanceof RegExp) t.regex(management.managed ? '' : management.reason, expected)
    else t.deepEqual(management, { managed: true, takesOver: expected, kind: WAYPOINT_KIND })
  },
  title: (title = '') => `deployed: ${title}`,
})
const version = (text: string): make.Extra => ({ annotations: { 'gateway.istio.io/controller-version': text } })
test('a new Gateway is taken over', manages, () => request(), true)
test('ours stays ours', manages, () => request({}, version('5')), false)
test('an earlier controller’s is taken over', manages, () => request({}, version('4')), true)
test('nonsense is taken over', manages, () => request({}, version('x')), true)
test('a later controller’s is left alone', manages, () => request({}, version('6')), /later controller/)
test('one IP address', manages, () => request({ addresses: [{ type: 'IPAddress', value: '10.0.0.1' }] }), true)
test(
  'a hostname is there already',
  manages,
  () => request({ addresses: [{ type: 'Hostname', value: 'a' }] }),
  /deployed already/,
)
test(
  'two addresses',
  manages,
  () => request({ addresses: [{ value: '10.0.0.1' }, { value: '10.0.0.2' }] }),
  /deployed already/,
)
test(
  'on its way out',
  manages,
  () => request({}, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
  /being deleted/,
)

test('a class is known by its controller, by name only while it is not there', (t) => {
  const made = (controllerName: string): KubeObject =>
    ({ apiVersion: 'v1', kind: 'GatewayClass', metadata: { name: 'x' }, spec: { controllerName } }) as KubeObject
  t.is(classOf('istio-waypoint', undefined), WAYPOINT_CLASS)
  t.is(classOf('own', made('istio.io/mesh-controller')), WAYPOINT_CLASS)
  t.is(classOf('istio-waypoint', made('example.com/other')), undefined)
  t.is(classOf('own', undefined), undefined)
  const remote = request({ gatewayClassName: 'istio-remote' })
  t.is(managementOf(remote, classOf('istio-remote', undefined)).managed, false)
})

test('a Gateway is for the revision of its label, else of its namespace, else the default', (t) => {
  t.is(revisionOf({ 'istio.io/rev': 'a' }, { 'istio.io/rev': 'b' }), 'a')
  t.is(revisionOf({}, { 'istio.io/rev': 'b' }), 'b')
  t.is(revisionOf({}, undefined), 'default')
  const tag = make.service('istio-system/tag', {}, { labels: { 'istio.io/tag': 'prod', 'istio.io/rev': 'canary' } })
  t.true(isOurRevision('prod', 'canary', [tag]))
  t.false(isOurRevision('prod', 'default', [tag]))
})

const settings = test.macro({
  exec(t, values: string | undefined, expected: RegExp) {
    const verdict = decodeInstallSettings(values, '', CONTEXT)
    t.regex(verdict.ok ? '' : verdict.reason, expected)
  },
  title: (_, values) => `settings refused: ${String(values)}`,
})
test(settings, undefined, /not there/)
test(settings, '{', /JSON/)
test(settings, '[]', /no JSON object/)
test(settings, '{"global":{"hub":"a","tag":"b"}}', /lack global.hub/)

test('settings follow the installation', (t) => {
  const canary = { ...CONTEXT, config: { ...CONTEXT.config, revision: 'canary' } }
  const values = {
    global: {
      hub: 'r.example:5000/mesh',
      tag: 2,
      imagePullPolicy: 'Always',
      imagePullSecrets: ['a', { name: 'b' }],
      logAsJson: true,
      meshID: 'm',
      multiCluster: { clusterName: 'c1' },
      proxy: { image: 'waypoint' },
      waypoint: { resources: { limits: { memory: '2Gi' } }, nodeSelector: { pool: 'mesh' }, tolerations: [] },
    },
  }
  const decoded = settingsOf(values, 'defaultConfig: {discoveryAddress: other:1}', canary)
  t.like(decoded, {
    image: 'r.example:5000/mesh/waypoint:2',
    imagePullPolicy: 'Always',
    caAddress: 'istiod-canary.istio-system.svc:15012',
    clusterId: 'c1',
    meshId: 'm',
    resources: { limits: { memory: '2Gi' } },
  })
  t.deepEqual(decoded.imagePullSecrets, ['a', 'b'])
  t.deepEqual(decoded.placement, { nodeSelector: { pool: 'mesh' } })
  const { deployment } = renderWaypoint(request(), decoded, undefined)
  t.like(deployment['spec'], {
    template: { spec: { imagePullSecrets: [{ name: 'a' }, { name: 'b' }], nodeSelector: { pool: 'mesh' } } },
  })
  for (const said of ['"--log_as_json"', '{"name":"LOG_FORMAT","value":"json"}'])
    t.true(JSON.stringify(deployment).includes(said), said)
  t.is(settingsOf({ global: { proxy: { image: 'r.example/whole:1' } } }).image, 'r.example/whole:1')
})

test('a Gateway of class istio: named after it, a load balancer with its ports, a proxy that routes', (t) => {
  const listeners = [
    { name: 'http', port: 80, protocol: 'HTTP' },
    { name: 'https', port: 443, protocol: 'HTTPS' },
    { name: 'second', port: 443, protocol: 'HTTPS' },
  ]
  const values = {
    global: { ...VALUES.global, proxy: { ...VALUES.global.proxy, resources: { limits: { cpu: '3' } } } },
  }
  const mesh = { ...CONTEXT, mesh: { ...CONTEXT.mesh, network: 'n1' } }
  const render = (gateway: GatewayRequest): ReturnType<typeof renderGateway> =>
    renderGateway(gateway, INGRESS_KIND, settingsOf(values, '', mesh), undefined)
  const front = request({ gatewayClassName: 'istio', listeners }, {}, 'front')
  const { serviceAccount, service, deployment, podDisruptionBudget } = render(front)
  for (const object of [serviceAccount, service, deployment, podDisruptionBudget]) {
    t.is(object?.metadata.name, 'front-istio')
    t.deepEqual(object?.metadata.labels, {
      'gateway.networking.k8s.io/gateway-name': 'front',
      'gateway.networking.k8s.io/gateway-class-name': 'istio',
      'gateway.istio.io/managed': 'istio.io-gateway-controller',
    })
  }
  t.deepEqual(service.metadata['annotations'], {})
  t.deepEqual(service['spec'], {
    type: 'LoadBalancer',
    ipFamilyPolicy: 'PreferDualStack',
    selector: { 'gateway.networking.k8s.io/gateway-name': 'front' },
    ports: [
      { name: 'status-port', port: 15_021, protocol: 'TCP', appProtocol: 'tcp' },
      { name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' },
      { name: 'https', port: 443, protocol: 'TCP', appProtocol: 'https' },
    ],
  })
  const template = (deployment['spec'] as { readonly template: { readonly metadata: unknown; readonly spec: unknown } })
    .template
  t.like(template.metadata, {
    labels: { 'istio.io/dataplane-mode': 'none', 'service.istio.io/canonical-name': 'front-istio' },
  })
  t.like(template.spec, {
    serviceAccountName: 'front-istio',
    securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
  })
  const [container] = (template.spec as { readonly containers: readonly { args: string[]; resources: unknown }[] })
    .containers
  t.deepEqual(container?.args.slice(0, 2), ['proxy', 'router'])
  t.deepEqual(container?.resources, { limits: { cpu: '3' } })
  const annotations = {
    'networking.istio.io/service-type': 'ClusterIP',
    'gateway.istio.io/name-override': 'edge',
    'gateway.istio.io/service-account': 'own',
  }
  const own = render(request({ gatewayClassName: 'istio', listeners }, { annotations }, 'front'))
  t.is(own.service.metadata.name, 'edge')
  t.like(own.service['spec'], { type: 'ClusterIP' })
  t.is(own.serviceAccount, undefined)
})
