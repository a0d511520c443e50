/** What is known of one of Istio's annotations. */
export interface AnnotationFacts {
  /** Kinds it means something on. */
  readonly on: readonly string[] | 'any'
  /** What to write instead; empty: nothing. Undefined: it is current. */
  readonly deprecated?: string | undefined
  /** Of a feature of this mesh that may still change. */
  readonly alpha?: boolean | undefined
  /** Why a value means nothing; undefined: it means something. */
  readonly problemOf?: ((value: string) => string | undefined) | undefined
}

const GO_BOOL = /^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/

function bool(value: string): string | undefined {
  return GO_BOOL.test(value) ? undefined : `${JSON.stringify(value)} is neither true nor false`
}

function oneOf(...words: readonly string[]): (value: string) => string | undefined {
  return (value) =>
    words.some((word) => word.toLowerCase() === value.toLowerCase())
      ? undefined
      : `${JSON.stringify(value)} is none of ${words.join(', ')}`
}

function percent(value: string): string | undefined {
  return /^\d{1,3}$/.test(value) && Number(value) <= 100
    ? undefined
    : `${JSON.stringify(value)} is no number from 0 to 100`
}

function binding(value: string): string | undefined {
  return /^(?:PROXY(?:\/\d{1,5})?|NONE)$/.test(value)
    ? undefined
    : `${JSON.stringify(value)} is neither NONE, PROXY nor PROXY/port`
}

const POD = ['Pod'] as const
const GATEWAY = ['Gateway'] as const
const pod: AnnotationFacts = { on: POD }
const SIDECAR_NAMES: readonly string[] = [
  'sidecar.istio.io/status',
  'sidecar.istio.io/rewriteAppHTTPProbers',
  'sidecar.istio.io/proxyImage',
  'sidecar.istio.io/proxyImageType',
  'sidecar.istio.io/proxyCPU',
  'sidecar.istio.io/proxyCPULimit',
  'sidecar.istio.io/proxyMemory',
  'sidecar.istio.io/proxyMemoryLimit',
  'sidecar.istio.io/interceptionMode',
  'sidecar.istio.io/bootstrapOverride',
  'sidecar.istio.io/userVolume',
  'sidecar.istio.io/userVolumeMount',
  'sidecar.istio.io/enableCoreDump',
  'sidecar.istio.io/logLevel',
  'sidecar.istio.io/componentLogLevel',
  'sidecar.istio.io/agentLogLevel',
  'sidecar.istio.io/extraStatTags',
  'sidecar.istio.io/statsHistogramBuckets',
  'sidecar.istio.io/statsCompression',
  'sidecar.istio.io/nativeSidecar',
  'status.sidecar.istio.io/port',
  'readiness.status.sidecar.istio.io/applicationPorts',
  'readiness.status.sidecar.istio.io/failureThreshold',
  'readiness.status.sidecar.istio.io/initialDelaySeconds',
  'readiness.status.sidecar.istio.io/periodSeconds',
  'traffic.sidecar.istio.io/includeOutboundIPRanges',
  'traffic.sidecar.istio.io/excludeOutboundIPRanges',
  'traffic.sidecar.istio.io/includeInboundPorts',
  'traffic.sidecar.istio.io/excludeInboundPorts',
  'traffic.sidecar.istio.io/includeOutboundPorts',
  'traffic.sidecar.istio.io/excludeOutboundPorts',
  'traffic.sidecar.istio.io/excludeInterfaces',
  'proxy.istio.io/config',
  'proxy.istio.io/overrides',
  'prometheus.istio.io/merge-metrics',
  'inject.istio.io/templates',
]
const OLD_SIDECAR_NAMES: readonly string[] = [
  'sidecar.istio.io/controlPlaneAuthPolicy',
  'sidecar.istio.io/discoveryAddress',
  'sidecar.istio.io/statsInclusionPrefixes',
  'sidecar.istio.io/statsInclusionSuffixes',
  'sidecar.istio.io/statsInclusionRegexps',
  'alpha.istio.io/identity',
]

function each(names: readonly string[], facts: AnnotationFacts): Readonly<Record<string, AnnotationFacts>> {
  return Object.fromEntries(names.map((name) => [name, facts]))
}

/** Istio's annotations, and where they belong. */
export const ANNOTATION_FACTS: Readonly<Record<string, AnnotationFacts>> = {
  ...each(SIDECAR_NAMES, pod),
  ...each(OLD_SIDECAR_NAMES, { on: POD, deprecated: '' }),
  'sidecar.istio.io/inject': { on: POD, deprecated: 'the label "sidecar.istio.io/inject"', problemOf: bool },
  'traffic.sidecar.istio.io/kubevirtInterfaces': { on: POD, deprecated: 'istio.io/reroute-virtual-interfaces' },
  'alpha.istio.io/kubernetes-serviceaccounts': { on: ['Service'], deprecated: '' },
  'alpha.istio.io/canonical-serviceaccounts': { on: ['Service'], deprecated: '' },
  'galley.istio.io/analyze-suppress': { on: 'any' },
  'ambient.istio.io/redirection': { on: POD, problemOf: oneOf('enabled', 'pending', 'disabled') },
  'ambient.istio.io/bypass-inbound-capture': { on: POD, alpha: true, problemOf: bool },
  'ambient.istio.io/dns-capture': { on: POD, problemOf: bool },
  'ambient.istio.io/waypoint-inbound-binding': { on: ['Gateway', 'GatewayClass'], problemOf: binding },
  'ambient.istio.io/xfcc-include-client-identity': { on: ['Gateway', 'GatewayClass'], problemOf: bool },
  'istio.io/reroute-virtual-interfaces': pod,
  'istio.io/rev': { on: 'any' },
  'istio.io/dry-run': { on: ['AuthorizationPolicy'], problemOf: bool },
  'istio.io/use-waypoint-canary-weight': { on: ['Service', 'ServiceEntry', 'Namespace'], problemOf: percent },
  'istio.io/for-service-account': {
    on: GATEWAY,
    deprecated: 'the label istio.io/use-waypoint on what is to be served',
  },
  'istio.io/autoRegistrationGroup': { on: ['WorkloadEntry'] },
  'istio.io/workloadController': { on: ['WorkloadEntry'] },
  'istio.io/connectedAt': { on: ['WorkloadEntry'] },
  'istio.io/disconnectedAt': { on: ['WorkloadEntry'] },
  'networking.istio.io/exportTo': { on: ['Service'] },
  'networking.istio.io/traffic-distribution': {
    on: ['Service', 'ServiceEntry', 'Namespace'],
    problemOf: oneOf('PreferClose', 'PreferSameZone', 'PreferSameNode', 'Any'),
  },
  'networking.istio.io/service-type': { on: GATEWAY, problemOf: oneOf('ClusterIP', 'LoadBalancer', 'NodePort') },
  'networking.istio.io/address-type': { on: GATEWAY, problemOf: oneOf('IPAddress', 'Hostname') },
  'gateway.istio.io/name-override': { on: GATEWAY },
  'gateway.istio.io/service-account': { on: GATEWAY },
  'gateway.istio.io/controller-version': { on: ['Gateway', 'Service', 'Deployment', 'ServiceAccount'] },
  'gateway.istio.io/tls-terminate-mode': { on: GATEWAY },
  'topology.istio.io/controlPlaneClusters': { on: ['Namespace'] },
}
