import type { KubeObject } from '@ambit/kube'
import { specOf } from '../watch/decode-meta.ts'
import { text } from '../watch/json.ts'

export interface BuiltinClass {
  readonly name: string
  /** Field manager of everything written for Gateways of the class, too. */
  readonly controllerName: string
  readonly description: string
  /** What is deployed for its Gateways; undefined: nothing. */
  readonly deploys: DeployedKind | undefined
  /** Why its Gateways are refused; undefined: they are not. */
  readonly refusal: string | undefined
  /** Gateway API's names of what works, for `status.supportedFeatures`. */
  readonly supportedFeatures: readonly string[]
}

/** How what is deployed for one class differs from what is for another. */
export interface DeployedKind {
  /** As the proxy is started (Istio's words). */
  readonly role: 'waypoint' | 'router'
  /** Value of the label that marks what the class's controller owns. */
  readonly managedBy: string
  /** Whether the name of the class is appended to the Gateway's. */
  readonly namedByClass: boolean
  readonly serviceType: 'ClusterIP' | 'LoadBalancer'
  /** What its status tells of a Service without external addresses. */
  readonly internalAddresses: readonly ('IPAddress' | 'Hostname')[]
}

export const WAYPOINT_KIND: DeployedKind = {
  role: 'waypoint',
  managedBy: 'istio.io-mesh-controller',
  namedByClass: false,
  serviceType: 'ClusterIP',
  internalAddresses: ['IPAddress', 'Hostname'],
}

export const INGRESS_KIND: DeployedKind = {
  role: 'router',
  managedBy: 'istio.io-gateway-controller',
  namedByClass: true,
  serviceType: 'LoadBalancer',
  internalAddresses: ['Hostname'],
}

export const WAYPOINT_CLASS: BuiltinClass = {
  name: 'istio-waypoint',
  controllerName: 'istio.io/mesh-controller',
  description: 'The default Istio waypoint GatewayClass',
  deploys: WAYPOINT_KIND,
  refusal: undefined,
  supportedFeatures: ['GatewayInfrastructurePropagation'],
}

export const INGRESS_CLASS: BuiltinClass = {
  name: 'istio',
  controllerName: 'istio.io/gateway-controller',
  description: 'The default Istio GatewayClass',
  deploys: INGRESS_KIND,
  refusal: undefined,
  supportedFeatures: [
    'GRPCRoute',
    'Gateway',
    'GatewayHTTPListenerIsolation',
    'GatewayInfrastructurePropagation',
    'GatewayPort8080',
    'HTTPRoute',
    'HTTPRouteBackendProtocolH2C',
    'HTTPRouteBackendProtocolWebSocket',
    'HTTPRouteBackendRequestHeaderModification',
    'HTTPRouteBackendTimeout',
    'HTTPRouteCORS',
    'HTTPRouteHostRewrite',
    'HTTPRouteMethodMatching',
    'HTTPRouteParentRefPort',
    'HTTPRoutePathRedirect',
    'HTTPRoutePathRewrite',
    'HTTPRoutePortRedirect',
    'HTTPRouteQueryParamMatching',
    'HTTPRouteRequestMirror',
    'HTTPRouteRequestMultipleMirrors',
    'HTTPRouteRequestPercentageMirror',
    'HTTPRouteRequestTimeout',
    'HTTPRouteResponseHeaderModification',
    'HTTPRouteSchemeRedirect',
    'ReferenceGrant',
  ],
}

/** Created where absent; what is there is somebody's, even if changed. */
export const BUILTIN_CLASSES: readonly BuiltinClass[] = [
  INGRESS_CLASS,
  {
    name: 'istio-remote',
    controllerName: 'istio.io/unmanaged-gateway',
    description: 'Remote to this cluster. Does not deploy or affect configuration.',
    deploys: undefined,
    refusal:
      'this control plane does not use gateways of other networks: nothing is sent to a Gateway of class istio-remote',
    supportedFeatures: [],
  },
  WAYPOINT_CLASS,
]

/**
 * What the class name of a Gateway means to us: by the controller its GatewayClass names, or by the name alone as long
 * as there is no such object. Undefined: another controller's.
 */
export function classOf(className: string, present: KubeObject | undefined): BuiltinClass | undefined {
  if (present === undefined) return BUILTIN_CLASSES.find(({ name }) => name === className)
  return classOfController(text(specOf(present)['controllerName']))
}

export function classOfController(controllerName: string | undefined): BuiltinClass | undefined {
  return BUILTIN_CLASSES.find((one) => one.controllerName === controllerName)
}
