import { LABELS } from '@ambit/api'
import type { Json, StringMap } from '../watch/json.ts'
import type { GatewayRequest, InstallSettings } from './gateway.types.ts'
import type { DeployedKind } from './gateway-classes.ts'
import type { GatewayNames } from './names.ts'

/** Container and annotations under Istio's names: dashboards, scrapers and people look for them. */
const CONTAINER = 'istio-proxy'
const STATS_PORT = 15020
const READINESS_PORT = 15021
const ENVOY_STATS_PORT = 15090
/** The user of Istio's images. */
const PROXY_ID = 1337
/** A gateway listens on the ports of its listeners, 80 for one, and is not root (Istio). */
const LOW_PORTS: Json = {
  securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
}

export interface PodParts {
  readonly gateway: GatewayRequest
  readonly role: DeployedKind['role']
  readonly settings: InstallSettings
  readonly names: GatewayNames
  /** Labels and annotations that are copied. */
  readonly infrastructure: { readonly labels: StringMap; readonly annotations: StringMap }
  /** Labels that tie the pod to its Gateway; nothing overrides them. */
  readonly ties: StringMap
}

/** The pod template of a waypoint or an ingress gateway. */
export function renderPod(parts: PodParts): Json {
  const { settings, names, infrastructure, role } = parts
  return {
    metadata: {
      annotations: {
        ...infrastructure.annotations,
        'istio.io/rev': settings.revision,
        'prometheus.io/path': '/stats/prometheus',
        'prometheus.io/port': String(STATS_PORT),
        'prometheus.io/scrape': 'true',
      },
      labels: {
        'sidecar.istio.io/inject': 'false',
        [LABELS.dataplaneMode]: 'none',
        [LABELS.canonicalName]: names.name,
        [LABELS.canonicalRevision]: 'latest',
        ...infrastructure.labels,
        ...parts.ties,
      },
    },
    spec: {
      serviceAccountName: names.serviceAccount,
      ...(settings.imagePullSecrets.length === 0
        ? {}
        : { imagePullSecrets: settings.imagePullSecrets.map((name) => ({ name })) }),
      ...(role === 'waypoint' ? settings.placement : LOW_PORTS),
      containers: [container(parts)],
      volumes: VOLUMES,
    },
  }
}

function container({ gateway, role, settings, names }: PodParts): Json {
  return {
    name: CONTAINER,
    image: settings.image,
    ...(settings.imagePullPolicy === undefined ? {} : { imagePullPolicy: settings.imagePullPolicy }),
    ports: [
      { containerPort: STATS_PORT, protocol: 'TCP', name: 'metrics' },
      { containerPort: READINESS_PORT, protocol: 'TCP', name: 'status-port' },
      { containerPort: ENVOY_STATS_PORT, protocol: 'TCP', name: 'http-envoy-prom' },
    ],
    args: [
      'proxy',
      role,
      '--domain',
      `$(POD_NAMESPACE).svc.${settings.domain}`,
      '--serviceCluster',
      `${names.serviceAccount}.$(POD_NAMESPACE)`,
      '--proxyLogLevel',
      settings.logLevel,
      '--proxyComponentLogLevel',
      settings.componentLogLevel,
      '--log_output_level',
      settings.logging,
      ...(settings.logAsJson ? ['--log_as_json'] : []),
    ],
    env: environment(gateway, settings, names),
    resources: role === 'waypoint' ? settings.resources : settings.gatewayResources,
    startupProbe: { ...probe(), initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 30 },
    readinessProbe: { ...probe(), periodSeconds: 15, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 4 },
    securityContext: {
      privileged: false,
      runAsUser: PROXY_ID,
      runAsGroup: PROXY_ID,
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
  }
}

function environment(gateway: GatewayRequest, settings: InstallSettings, names: GatewayNames): readonly Json[] {
  const value = (name: string, text: string): Json => ({ name, value: text })
  const field = (name: string, fieldPath: string): Json => ({ name, valueFrom: { fieldRef: { fieldPath } } })
  const resource = (name: string, of: string): Json => ({
    name,
    valueFrom: { resourceFieldRef: { resource: of, divisor: '0' } },
  })
  const fixed = [
    field('ISTIO_META_SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    field('ISTIO_META_NODE_NAME', 'spec.nodeName'),
    value('PILOT_CERT_PROVIDER', 'istiod'),
    value('CA_ADDR', settings.caAddress),
    field('POD_NAME', 'metadata.name'),
    field('POD_NAMESPACE', 'metadata.namespace'),
    field('INSTANCE_IP', 'status.podIP'),
    field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    field('HOST_IP', 'status.hostIP'),
    resource('ISTIO_CPU_LIMIT', 'limits.cpu'),
    value('PROXY_CONFIG', JSON.stringify(settings.proxyConfig)),
    resource('GOMEMLIMIT', 'limits.memory'),
    value('ISTIO_META_CLUSTER_ID', settings.clusterId),
    ...(settings.network === '' ? [] : [value('ISTIO_META_NETWORK', settings.network)]),
    value('ISTIO_META_INTERCEPTION_MODE', 'REDIRECT'),
    value('ISTIO_META_WORKLOAD_NAME', names.name),
    value('ISTIO_META_OWNER', `kubernetes://apis/apps/v1/namespaces/${gateway.namespace}/deployments/${names.name}`),
    value('ISTIO_META_MESH_ID', settings.meshId),
    value('TRUST_DOMAIN', settings.trustDomain),
    ...(settings.logAsJson ? [value('LOG_FORMAT', 'json')] : []),
  ]
  // A name is written once: an environment with two of a name is refused by server-side apply.
  const taken = new Set(fixed.map(({ name }) => name))
  const more = Object.entries(settings.proxyMetadata).filter(([name]) => !taken.has(name))
  return [...fixed, ...more.map(([name, text]) => value(name, text))]
}

function probe(): Json {
  return { httpGet: { path: '/healthz/ready', port: READINESS_PORT, scheme: 'HTTP' } }
}

const VOLUMES: readonly Json[] = [
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
      sources: [{ serviceAccountToken: { audience: 'istio-ca', expirationSeconds: 43_200, path: 'istio-token' } }],
    },
  },
  { name: 'istiod-ca-cert', configMap: { name: 'istio-ca-root-cert' } },
]
