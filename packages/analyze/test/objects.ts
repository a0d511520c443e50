import type { AnyObject } from '../src/index.ts'

type Json = Readonly<Record<string, unknown>>
type Meta = { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> }

function object(apiVersion: string, kind: string, at: string, spec: Json, extra: Meta & Json = {}): AnyObject {
  const { labels, annotations, ...more } = extra
  const slash = at.indexOf('/')
  const metadata = {
    name: at.slice(slash + 1),
    ...(slash < 0 ? {} : { namespace: at.slice(0, slash) }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  }
  return { apiVersion, kind, metadata, spec, ...more }
}

export const namespace = (
  name: string,
  labels: Record<string, string> = {},
  annotations?: Record<string, string>,
): AnyObject => object('v1', 'Namespace', name, {}, { labels, ...(annotations === undefined ? {} : { annotations }) })
export const pod = (
  at: string,
  labels: Record<string, string> = {},
  spec: Json = {},
  extra: Meta & Json = {},
): AnyObject =>
  object(
    'v1',
    'Pod',
    at,
    { containers: [{ name: 'app' }], ...spec },
    { labels, status: { phase: 'Running' }, ...extra },
  )
export const service = (at: string, spec: Json = {}, extra: Meta & Json = {}): AnyObject =>
  object(
    'v1',
    'Service',
    at,
    { selector: { app: at.split('/')[1] }, ports: [{ name: 'http', port: 80 }], ...spec },
    extra,
  )
export const deployment = (at: string, spec: Json = {}, extra: Meta & Json = {}): AnyObject =>
  object('apps/v1', 'Deployment', at, spec, extra)
export const secret = (at: string, data: Record<string, string>): AnyObject => object('v1', 'Secret', at, {}, { data })
export const networking = (kind: string, at: string, spec: Json, extra: Meta & Json = {}): AnyObject =>
  object('networking.istio.io/v1', kind, at, spec, extra)
export const virtual = (at: string, spec: Json): AnyObject => networking('VirtualService', at, spec)
export const rule = (at: string, spec: Json): AnyObject => networking('DestinationRule', at, spec)
export const entry = (at: string, spec: Json, extra: Meta & Json = {}): AnyObject =>
  networking('ServiceEntry', at, spec, extra)
export const istioGateway = (at: string, spec: Json): AnyObject => networking('Gateway', at, spec)
export const security = (kind: string, at: string, spec: Json, extra: Meta & Json = {}): AnyObject =>
  object('security.istio.io/v1', kind, at, spec, extra)
export const telemetry = (at: string, spec: Json): AnyObject => object('telemetry.istio.io/v1', 'Telemetry', at, spec)
export const gatewayApi = (kind: string, at: string, spec: Json, extra: Meta & Json = {}): AnyObject =>
  object('gateway.networking.k8s.io/v1', kind, at, spec, extra)
export const wasm = (at: string): AnyObject => object('extensions.istio.io/v1alpha1', 'WasmPlugin', at, {})
export const crd = (group: string, kind: string, versions: readonly string[], bundle?: string): AnyObject =>
  object(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    `${kind.toLowerCase()}s.${group}`,
    { group, names: { kind }, versions: versions.map((name) => ({ name, served: true })) },
    bundle === undefined ? {} : { annotations: { 'gateway.networking.k8s.io/bundle-version': bundle } },
  )
export const webhook = (kind: 'Mutating' | 'Validating', name: string, ...webhooks: readonly Json[]): AnyObject =>
  object('admissionregistration.k8s.io/v1', `${kind}WebhookConfiguration`, name, {}, { webhooks })

/** A waypoint that serves. */
export const waypoint = (at: string, extra: Meta & Json = {}, listeners?: readonly Json[]): AnyObject =>
  gatewayApi(
    'Gateway',
    at,
    {
      gatewayClassName: 'istio-waypoint',
      listeners: listeners ?? [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    },
    { status: { addresses: [{ type: 'IPAddress', value: '10.0.0.9' }] }, ...extra },
  )

export const to = (host: string, more: Json = {}): Json => ({ destination: { host, ...more } })
export const route = (...destinations: readonly Json[]): Json => ({ route: destinations })
