/** Labels users and peers set, spelled as Istio spells them. */
export const LABELS = {
  dataplaneMode: 'istio.io/dataplane-mode',
  useWaypoint: 'istio.io/use-waypoint',
  useWaypointNamespace: 'istio.io/use-waypoint-namespace',
  waypointFor: 'istio.io/waypoint-for',
  /** `true` on a namespace or service: without its waypoint, traffic is refused instead of going direct. Ours. */
  requireWaypoint: 'ambit.dev/require-waypoint',
  ingressUseWaypoint: 'istio.io/ingress-use-waypoint',
  revision: 'istio.io/rev',
  network: 'topology.istio.io/network',
  tunnel: 'networking.istio.io/tunnel',
  canonicalName: 'service.istio.io/canonical-name',
  canonicalRevision: 'service.istio.io/canonical-revision',
  workloadName: 'service.istio.io/workload-name',
  region: 'topology.kubernetes.io/region',
  zone: 'topology.kubernetes.io/zone',
  subzone: 'topology.istio.io/subzone',
  gatewayManaged: 'gateway.istio.io/managed',
  gatewayName: 'gateway.networking.k8s.io/gateway-name',
  serviceName: 'kubernetes.io/service-name',
} as const

export const ANNOTATIONS = {
  /** Written by the node agent: `enabled`, `pending`. */
  redirection: 'ambient.istio.io/redirection',
  bypassInboundCapture: 'ambient.istio.io/bypass-inbound-capture',
  dnsCapture: 'ambient.istio.io/dns-capture',
  rerouteVirtualInterfaces: 'istio.io/reroute-virtual-interfaces',
  sidecarStatus: 'sidecar.istio.io/status',
  dryRun: 'istio.io/dry-run',
  /** On a waypoint's Gateway, Istio 1.21 and older: the account whose pods it serves. */
  forServiceAccount: 'istio.io/for-service-account',
  trafficDistribution: 'networking.istio.io/traffic-distribution',
} as const

/** Namespace of mesh-wide configuration unless the mesh says otherwise. */
export const ROOT_NAMESPACE = 'istio-system'
