import type { KubeObject } from '@ambit/kube'

type Fields = Readonly<Record<string, unknown>>

export interface Extra {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly metadata?: Fields
}

function object(apiVersion: string, kind: string, at: string, fields: Fields, extra: Extra = {}): KubeObject {
  const slash = at.indexOf('/')
  return {
    apiVersion,
    kind,
    metadata: {
      ...(slash < 0 ? {} : { namespace: at.slice(0, slash) }),
      name: at.slice(slash + 1),
      labels: extra.labels ?? {},
      annotations: extra.annotations ?? {},
      ...extra.metadata,
    },
    ...fields,
  }
}

export interface PodFields {
  readonly ip?: string
  readonly ready?: boolean
  readonly spec?: Fields
  readonly status?: Fields
}

export function pod(at: string, fields: PodFields = {}, extra: Extra = {}): KubeObject {
  const ip = fields.ip ?? '10.0.0.1'
  return object(
    'v1',
    'Pod',
    at,
    {
      spec: { serviceAccountName: 'default', nodeName: 'node-a', containers: [{}], ...fields.spec },
      status: {
        phase: 'Running',
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [{ type: 'Ready', status: fields.ready === false ? 'False' : 'True' }],
        ...fields.status,
      },
    },
    { ...extra, metadata: { uid: `uid-${at}`, ...extra.metadata } },
  )
}

export function service(at: string, spec: Fields = {}, extra: Extra = {}): KubeObject {
  const defaults = { clusterIP: '10.1.0.1', ports: [{ name: 'http', port: 80, targetPort: 8080 }] }
  return object('v1', 'Service', at, { spec: { ...defaults, ...spec } }, extra)
}

export function slice(at: string, serviceName: string, fields: Fields, extra: Extra = {}): KubeObject {
  const labels = { 'kubernetes.io/service-name': serviceName, ...extra.labels }
  return object('discovery.k8s.io/v1', 'EndpointSlice', at, { addressType: 'IPv4', ...fields }, { ...extra, labels })
}

export function namespace(name: string, extra: Extra = {}): KubeObject {
  return object('v1', 'Namespace', name, {}, extra)
}

export function node(name: string, extra: Extra = {}): KubeObject {
  return object('v1', 'Node', name, {}, extra)
}

export function serviceEntry(at: string, spec: Fields, extra: Extra & { readonly status?: Fields } = {}): KubeObject {
  return object('networking.istio.io/v1', 'ServiceEntry', at, { spec, status: extra.status ?? {} }, extra)
}

export function workloadEntry(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('networking.istio.io/v1', 'WorkloadEntry', at, { spec }, extra)
}

export function policy(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('security.istio.io/v1', 'AuthorizationPolicy', at, { spec }, extra)
}

export function peerAuthentication(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('security.istio.io/v1', 'PeerAuthentication', at, { spec }, extra)
}

export function gateway(
  at: string,
  fields: { spec?: Fields; addresses?: readonly unknown[] } = {},
  extra: Extra = {},
): KubeObject {
  const addresses = fields.addresses ?? [{ type: 'IPAddress', value: '10.9.0.1' }]
  const spec = {
    gatewayClassName: 'istio-waypoint',
    listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    ...fields.spec,
  }
  return object('gateway.networking.k8s.io/v1', 'Gateway', at, { spec, status: { addresses } }, extra)
}

export function gatewayClass(name: string, controllerName: string, extra: Extra = {}): KubeObject {
  return object('gateway.networking.k8s.io/v1', 'GatewayClass', name, { spec: { controllerName } }, extra)
}

export function httpRoute(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('gateway.networking.k8s.io/v1', 'HTTPRoute', at, { spec }, extra)
}

export function grpcRoute(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('gateway.networking.k8s.io/v1', 'GRPCRoute', at, { spec }, extra)
}

export function virtualService(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('networking.istio.io/v1', 'VirtualService', at, { spec }, extra)
}

export function destinationRule(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('networking.istio.io/v1', 'DestinationRule', at, { spec }, extra)
}

export function referenceGrant(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', at, { spec }, extra)
}

export function requestAuthentication(at: string, spec: Fields, extra: Extra = {}): KubeObject {
  return object('security.istio.io/v1', 'RequestAuthentication', at, { spec }, extra)
}
