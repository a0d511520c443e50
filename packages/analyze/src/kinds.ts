/** A kind that is looked at, and what an answer without it leaves out. */
export interface ReadKind {
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  readonly leavesOut: string
}

const MESH = 'conditions are those the control plane wrote into statuses'

function kind(apiVersion: string, name: string, plural: string, leavesOut: string, namespaced = true): ReadKind {
  return { apiVersion, kind: name, plural, namespaced, leavesOut }
}

const NETWORKING = 'networking.istio.io/v1'
const SECURITY = 'security.istio.io/v1'
const GATEWAY_API = 'gateway.networking.k8s.io/v1'
const ADMISSION = 'admissionregistration.k8s.io/v1'

/** Everything that is listed. Secrets are not: only those that are named are read, one by one. */
export const READ_KINDS: readonly ReadKind[] = [
  kind('v1', 'Namespace', 'namespaces', `IST0102, IST0123; ${MESH}`, false),
  kind('v1', 'Pod', 'pods', `selectors and subsets are not compared with pods; ${MESH}`),
  kind('v1', 'Service', 'services', `whether hosts of other namespaces exist; ${MESH}`),
  kind('apps/v1', 'Deployment', 'deployments', 'annotations of Deployments, IST0175'),
  kind(NETWORKING, 'VirtualService', 'virtualservices', 'what is wrong with VirtualServices'),
  kind(
    NETWORKING,
    'DestinationRule',
    'destinationrules',
    'what is wrong with DestinationRules, and whether subsets exist',
  ),
  kind(NETWORKING, 'Gateway', 'gateways', 'what is wrong with Istio’s Gateways, and whether VirtualServices name one'),
  kind(NETWORKING, 'ServiceEntry', 'serviceentries', `whether hosts of other namespaces exist; ${MESH}`),
  kind(NETWORKING, 'WorkloadEntry', 'workloadentries', `subsets of WorkloadEntries; ${MESH}`),
  kind(NETWORKING, 'Sidecar', 'sidecars', 'Sidecars without effect'),
  kind('networking.istio.io/v1alpha3', 'EnvoyFilter', 'envoyfilters', 'EnvoyFilters, which have no effect'),
  kind('extensions.istio.io/v1alpha1', 'WasmPlugin', 'wasmplugins', 'WasmPlugins, which have no effect'),
  kind(SECURITY, 'AuthorizationPolicy', 'authorizationpolicies', 'what is wrong with AuthorizationPolicies'),
  kind(SECURITY, 'PeerAuthentication', 'peerauthentications', 'what is wrong with PeerAuthentications'),
  kind(SECURITY, 'RequestAuthentication', 'requestauthentications', 'what is wrong with RequestAuthentications'),
  kind('telemetry.istio.io/v1', 'Telemetry', 'telemetries', 'what is wrong with Telemetries'),
  kind(GATEWAY_API, 'GatewayClass', 'gatewayclasses', `whether classes exist is not asked; ${MESH}`, false),
  kind(GATEWAY_API, 'Gateway', 'gateways', `whether Gateways and waypoints exist is not asked; ${MESH}`),
  kind(GATEWAY_API, 'HTTPRoute', 'httproutes', 'what is wrong with HTTPRoutes'),
  kind(GATEWAY_API, 'GRPCRoute', 'grpcroutes', 'what is wrong with GRPCRoutes'),
  kind('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', 'referencegrants', MESH),
  kind(ADMISSION, 'MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', 'IST0139', false),
  kind(ADMISSION, 'ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', 'IST0139', false),
  kind(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
    'IST0156, IST0172, IST0176',
    false,
  ),
]
