import type { ResourceKind } from './object.types.ts'

const kind = (apiVersion: string, name: string, plural: string): ResourceKind => ({ apiVersion, kind: name, plural })

export type KindName =
  | 'pod'
  | 'node'
  | 'namespace'
  | 'service'
  | 'configMap'
  | 'secret'
  | 'serviceAccount'
  | 'endpointSlice'
  | 'lease'
  | 'tokenReview'
  | 'deployment'
  | 'daemonSet'
  | 'horizontalPodAutoscaler'
  | 'podDisruptionBudget'
  | 'authorizationPolicy'
  | 'peerAuthentication'
  | 'requestAuthentication'
  | 'serviceEntry'
  | 'workloadEntry'
  | 'gateway'
  | 'istioGateway'
  | 'virtualService'
  | 'destinationRule'
  | 'validatingWebhook'
  | 'gatewayClass'
  | 'httpRoute'
  | 'grpcRoute'
  | 'referenceGrant'

/** The kinds this project reads or writes. */
export const KINDS: Readonly<Record<KindName, ResourceKind>> = {
  pod: kind('v1', 'Pod', 'pods'),
  node: kind('v1', 'Node', 'nodes'),
  namespace: kind('v1', 'Namespace', 'namespaces'),
  service: kind('v1', 'Service', 'services'),
  configMap: kind('v1', 'ConfigMap', 'configmaps'),
  secret: kind('v1', 'Secret', 'secrets'),
  serviceAccount: kind('v1', 'ServiceAccount', 'serviceaccounts'),
  endpointSlice: kind('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  lease: kind('coordination.k8s.io/v1', 'Lease', 'leases'),
  tokenReview: kind('authentication.k8s.io/v1', 'TokenReview', 'tokenreviews'),
  deployment: kind('apps/v1', 'Deployment', 'deployments'),
  daemonSet: kind('apps/v1', 'DaemonSet', 'daemonsets'),
  horizontalPodAutoscaler: kind('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
  podDisruptionBudget: kind('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  authorizationPolicy: kind('security.istio.io/v1', 'AuthorizationPolicy', 'authorizationpolicies'),
  peerAuthentication: kind('security.istio.io/v1', 'PeerAuthentication', 'peerauthentications'),
  requestAuthentication: kind('security.istio.io/v1', 'RequestAuthentication', 'requestauthentications'),
  serviceEntry: kind('networking.istio.io/v1', 'ServiceEntry', 'serviceentries'),
  workloadEntry: kind('networking.istio.io/v1', 'WorkloadEntry', 'workloadentries'),
  gateway: kind('gateway.networking.k8s.io/v1', 'Gateway', 'gateways'),
  istioGateway: kind('networking.istio.io/v1', 'Gateway', 'gateways'),
  virtualService: kind('networking.istio.io/v1', 'VirtualService', 'virtualservices'),
  destinationRule: kind('networking.istio.io/v1', 'DestinationRule', 'destinationrules'),
  validatingWebhook: kind(
    'admissionregistration.k8s.io/v1',
    'ValidatingWebhookConfiguration',
    'validatingwebhookconfigurations',
  ),
  gatewayClass: kind('gateway.networking.k8s.io/v1', 'GatewayClass', 'gatewayclasses'),
  httpRoute: kind('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes'),
  grpcRoute: kind('gateway.networking.k8s.io/v1', 'GRPCRoute', 'grpcroutes'),
  // Served by every release of Gateway API; v1 only by the latest.
  referenceGrant: kind('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', 'referencegrants'),
}
