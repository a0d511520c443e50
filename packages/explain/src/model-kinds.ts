import type { ReadKind } from '@ambit/analyze'

const NETWORKING = 'networking.istio.io/v1'
const SECURITY = 'security.istio.io/v1'
const GATEWAY_API = 'gateway.networking.k8s.io/v1'

function kind(apiVersion: string, name: string, plural: string, leavesOut: string, namespaced = true): ReadKind {
  return { apiVersion, kind: name, plural, namespaced, leavesOut }
}

/** What a mesh is made of, and what an answer leaves out that was not told of a kind. Secrets are not among it: nobody's keys are read. */
export const MODEL_KINDS: readonly ReadKind[] = [
  kind('v1', 'Namespace', 'namespaces', 'who is enrolled by namespace, and waypoints that namespaces ask for', false),
  kind('v1', 'Node', 'nodes', 'where endpoints are, for routing that prefers near ones', false),
  kind('v1', 'Pod', 'pods', 'clients and endpoints, and the policies that select them'),
  kind('v1', 'Service', 'services', 'services, their waypoints and the policies on them'),
  kind('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', 'endpoints of services without selectors'),
  kind(NETWORKING, 'ServiceEntry', 'serviceentries', 'hosts outside of the cluster'),
  kind(NETWORKING, 'WorkloadEntry', 'workloadentries', 'workloads outside of the cluster'),
  kind(NETWORKING, 'VirtualService', 'virtualservices', 'routes of VirtualServices'),
  kind(NETWORKING, 'DestinationRule', 'destinationrules', 'subsets'),
  kind(NETWORKING, 'Gateway', 'gateways', 'listeners of Istio’s Gateways'),
  kind(
    SECURITY,
    'AuthorizationPolicy',
    'authorizationpolicies',
    'AuthorizationPolicies: what is called allowed may be denied',
  ),
  kind(
    SECURITY,
    'PeerAuthentication',
    'peerauthentications',
    'PeerAuthentications: plain text that is called allowed may be denied',
  ),
  kind(
    SECURITY,
    'RequestAuthentication',
    'requestauthentications',
    'RequestAuthentications: requests with tokens may be denied',
  ),
  kind(
    GATEWAY_API,
    'GatewayClass',
    'gatewayclasses',
    'classes of Gateways: those of Istio’s names are taken for Istio’s',
    false,
  ),
  kind(GATEWAY_API, 'Gateway', 'gateways', 'waypoints and gateways: traffic is taken to go past them'),
  kind(GATEWAY_API, 'HTTPRoute', 'httproutes', 'routes of HTTPRoutes'),
  kind(GATEWAY_API, 'GRPCRoute', 'grpcroutes', 'routes of GRPCRoutes'),
  kind(
    'gateway.networking.k8s.io/v1beta1',
    'ReferenceGrant',
    'referencegrants',
    'routes to backends of other namespaces',
  ),
]
