// The cluster that the control plane is measured with, as realistic as its size allows.
import type { KubeObject } from '../../../packages/sandbox/src/apiserver/contract.types.ts'

export interface MeshSize {
  readonly pods: number
  readonly services: number
  readonly namespaces: number
  readonly nodes: number
  readonly policies: number
}

export const CONTROL_NAMESPACE = 'istio-system'
export const NODE_ACCOUNT = 'ztunnel'

/** One Deployment with its Service, account and pods. */
export interface App {
  readonly namespace: string
  readonly name: string
  readonly index: number
}

export function apps({ services, namespaces }: MeshSize): readonly App[] {
  return Array.from({ length: services }, (_, index) => ({
    namespace: namespaceName(index % namespaces),
    name: `app-${index}`,
    index,
  }))
}

export function namespaceName(index: number): string {
  return `team-${index}`
}

export function nodeName(index: number): string {
  return `node-${index}`
}

export function hostOf({ namespace, name }: App): string {
  return `${namespace}/${name}.${namespace}.svc.cluster.local`
}

export function namespaceObject(index: number): KubeObject {
  // Every tenth namespace asks for a waypoint.
  const waypoint = index % 10 === 0 ? { 'istio.io/use-waypoint': 'waypoint' } : {}
  const labels = { 'istio.io/dataplane-mode': 'ambient', ...waypoint }
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespaceName(index), labels } }
}

export function nodeObject(index: number): KubeObject {
  const labels = {
    'kubernetes.io/hostname': nodeName(index),
    'topology.kubernetes.io/region': 'region',
    'topology.kubernetes.io/zone': `zone-${index % 3}`,
  }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName(index), labels } }
}

export function serviceAccount(namespace: string, name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } }
}

export function serviceObject({ namespace, name }: App): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name, labels: { app: name } },
    spec: {
      selector: { app: name },
      ports: [
        { name: 'http', port: 80, targetPort: 8080 },
        { name: 'grpc', port: 9090, targetPort: 'grpc' },
      ],
    },
  }
}

export function replicaSet({ namespace, name }: App): KubeObject {
  const labels = { app: name, 'pod-template-hash': 'a1b2c3d4e5' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }] } }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { namespace, name: `${name}-a1b2c3d4e5`, labels },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  }
}

export function policyObject(app: App, revision: number): KubeObject {
  const { namespace, name } = app
  const principals = [`cluster.local/ns/${namespace}/sa/caller-${revision}`, `cluster.local/ns/${namespace}/sa/${name}`]
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { namespace, name: `allow-${name}` },
    spec: {
      selector: { matchLabels: { app: name } },
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals } }], to: [{ operation: { ports: ['8080', '9090'] } }] }],
    },
  }
}

export function waypointObject(namespace: string): KubeObject {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { namespace, name: 'waypoint', labels: { 'istio.io/waypoint-for': 'service' } },
    spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
  }
}

export interface PodPlace {
  readonly app: App
  readonly name: string
  readonly ip: string
  readonly node: string
}

export function podIp(index: number): string {
  return `10.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
}

/** About what a Deployment's pod with probes, resources, an account's token and defaults has: 5 KB of JSON with its status. */
export function podObject({ app, name, node }: PodPlace, ownerUid: string, version: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: app.namespace,
      name,
      generateName: `${app.name}-a1b2c3d4e5-`,
      labels: { app: app.name, version, 'pod-template-hash': 'a1b2c3d4e5', team: app.namespace },
      annotations: {
        'ambient.istio.io/redirection': 'enabled',
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': '9100',
        'checksum/config': 'd2c9a0f7a0c2f1f6d0f4b8c4e5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e',
      },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app.name}-a1b2c3d4e5`, uid: ownerUid, controller: true },
      ],
    },
    spec: {
      nodeName: node,
      serviceAccountName: app.name,
      containers: ['app', 'metrics'].map((container, at) => ({
        name: container,
        image: `registry.example/team/${container}@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`,
        args: ['--config=/etc/app/config.yaml', '--log-level=info'],
        ports:
          at === 0
            ? [
                { name: 'http', containerPort: 8080 },
                { name: 'grpc', containerPort: 9090 },
              ]
            : [{ name: 'metrics', containerPort: 9100 }],
        env: ['POD_NAME', 'POD_NAMESPACE', 'DATABASE_URL', 'CACHE_URL', 'REGION'].map((variable) => ({
          name: variable,
          value: `value-of-${variable.toLowerCase()}`,
        })),
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 10 },
        livenessProbe: { httpGet: { path: '/live', port: 8080 }, periodSeconds: 10 },
        volumeMounts: [{ name: 'config', mountPath: '/etc/app' }],
      })),
      volumes: [{ name: 'config', configMap: { name: app.name } }],
    },
  }
}

export function podStatus({ ip }: Pick<PodPlace, 'ip'>, ready: boolean): Readonly<Record<string, unknown>> {
  const at = '2026-01-01T00:00:00Z'
  const condition = (type: string, yes: boolean): unknown => ({
    type,
    status: yes ? 'True' : 'False',
    lastTransitionTime: at,
  })
  return {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    hostIP: '192.168.0.1',
    startTime: at,
    conditions: [
      condition('PodScheduled', true),
      condition('Initialized', true),
      condition('ContainersReady', ready),
      condition('Ready', ready),
    ],
    containerStatuses: ['app', 'metrics'].map((name) => ({
      name,
      ready,
      restartCount: 0,
      image: `registry.example/team/${name}:1`,
      imageID: '',
      started: true,
      state: { running: { startedAt: at } },
    })),
  }
}

/** What the EndpointSlice controller would write: Services select their pods. */
export function sliceObject(app: App, endpoints: readonly unknown[]): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: app.namespace,
      name: `${app.name}-x7k2p`,
      labels: { 'kubernetes.io/service-name': app.name, 'endpointslice.kubernetes.io/managed-by': 'controller' },
    },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: 'grpc', port: 9090, protocol: 'TCP' },
    ],
    endpoints,
  }
}

export function endpointOf({ app, name, ip, node }: PodPlace, uid: string, ready: boolean): unknown {
  return {
    addresses: [ip],
    conditions: { ready, serving: ready, terminating: false },
    nodeName: node,
    zone: 'zone-0',
    targetRef: { kind: 'Pod', namespace: app.namespace, name, uid },
  }
}
