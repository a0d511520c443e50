import type { ReadKind } from '@ambit/analyze'

/** Everything that decides who may speak to whom, and what an answer without it leaves out. */
export const MESH_KINDS: readonly ReadKind[] = [
  kind('v1', 'Namespace', 'namespaces', 'which namespaces are captured, and by which waypoint', false),
  kind('v1', 'Node', 'nodes', 'where pods run', false),
  kind('v1', 'Pod', 'pods', 'who runs, and which policies select it'),
  kind('v1', 'Service', 'services', 'what is behind a service'),
  kind('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', 'services without a selector'),
  kind('networking.istio.io/v1', 'VirtualService', 'virtualservices', 'routes'),
  kind('networking.istio.io/v1', 'DestinationRule', 'destinationrules', 'subsets'),
  kind('networking.istio.io/v1', 'Gateway', 'gateways', 'listeners of gateways'),
  kind('networking.istio.io/v1', 'ServiceEntry', 'serviceentries', 'hosts outside of the cluster'),
  kind('networking.istio.io/v1', 'WorkloadEntry', 'workloadentries', 'workloads outside of the cluster'),
  kind('security.istio.io/v1', 'AuthorizationPolicy', 'authorizationpolicies', 'what they allow and deny'),
  kind('security.istio.io/v1', 'PeerAuthentication', 'peerauthentications', 'whether plain text is refused'),
  kind('security.istio.io/v1', 'RequestAuthentication', 'requestauthentications', 'whether tokens are checked'),
  kind('gateway.networking.k8s.io/v1', 'GatewayClass', 'gatewayclasses', 'which Gateways are served', false),
  kind('gateway.networking.k8s.io/v1', 'Gateway', 'gateways', 'waypoints and gateways'),
  kind('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes', 'routes'),
  kind('gateway.networking.k8s.io/v1', 'GRPCRoute', 'grpcroutes', 'routes'),
  kind('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', 'referencegrants', 'references to other namespaces'),
]

function kind(apiVersion: string, name: string, plural: string, leavesOut: string, namespaced = true): ReadKind {
  return { apiVersion, kind: name, plural, namespaced, leavesOut }
}
