import { LABELS } from '@ambit/api'
import type { Json, StringMap } from '../watch/json.ts'
import type { GatewayRequest, InstallSettings, RenderedObject } from './gateway.types.ts'
import { infrastructureAnnotations, infrastructureLabels } from './infrastructure.ts'
import { gatewayNames, isForServiceAccount, LEGACY_GATEWAY_NAME_LABEL } from './names.ts'
import { renderPod } from './render-pod.ts'

/** Value of the label that marks what the controller of class `istio-waypoint` owns. */
export const MANAGED_BY = 'istio.io-mesh-controller'
const GATEWAY_CLASS_LABEL = 'gateway.networking.k8s.io/gateway-class-name'
const SERVICE_TYPE_ANNOTATION = 'networking.istio.io/service-type'
const SERVICE_TYPES: readonly string[] = ['ClusterIP', 'LoadBalancer', 'NodePort']
const STATUS_PORT = { name: 'status-port', port: 15021, protocol: 'TCP', appProtocol: 'tcp' }
/** Longest name of a Service's port. */
const MAX_PORT_NAME = 63

/** One slot for each kind that overlays may change. */
export interface RenderedWaypoint {
  readonly serviceAccount: RenderedObject | undefined
  readonly service: RenderedObject
  readonly deployment: RenderedObject
  /** Applied only when an overlay asks for one. */
  readonly horizontalPodAutoscaler: RenderedObject
  readonly podDisruptionBudget: RenderedObject
}

/**
 * Everything a Gateway of class `istio-waypoint` becomes. `presentSelector`: of the Deployment that is there; a
 * selector can not be changed, so one by the older label stays.
 */
export function renderWaypoint(
  gateway: GatewayRequest,
  settings: InstallSettings,
  presentSelector: StringMap | undefined,
): RenderedWaypoint {
  const names = gatewayNames(gateway)
  const legacy = usesLegacyLabel(gateway, presentSelector)
  const selector = { [legacy ? LEGACY_GATEWAY_NAME_LABEL : LABELS.gatewayName]: gateway.name }
  const infrastructure = {
    labels: infrastructureLabels(gateway, settings.network),
    annotations: infrastructureAnnotations(gateway),
  }
  const ties = {
    ...selector,
    [LABELS.gatewayName]: gateway.name,
    [GATEWAY_CLASS_LABEL]: gateway.className,
    [LABELS.gatewayManaged]: MANAGED_BY,
  }
  const object = (apiVersion: string, kind: string, name: string, fields: Json): RenderedObject => ({
    apiVersion,
    kind,
    metadata: {
      namespace: gateway.namespace,
      name,
      labels: { ...infrastructure.labels, ...ties },
      annotations: infrastructure.annotations,
      ownerReferences: [
        { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name: gateway.name, uid: gateway.uid },
      ],
    },
    ...fields,
  })
  const service = object('v1', 'Service', names.name, { spec: serviceSpec(gateway, selector) })
  return {
    serviceAccount: names.makesServiceAccount ? object('v1', 'ServiceAccount', names.serviceAccount, {}) : undefined,
    service: {
      ...service,
      metadata: {
        ...service.metadata,
        annotations: { 'networking.istio.io/traffic-distribution': 'PreferClose', ...infrastructure.annotations },
      },
    },
    deployment: object('apps/v1', 'Deployment', names.name, {
      spec: {
        selector: { matchLabels: selector },
        template: renderPod({ gateway, settings, names, infrastructure, ties }),
      },
    }),
    horizontalPodAutoscaler: object('autoscaling/v2', 'HorizontalPodAutoscaler', names.name, {
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: names.name }, maxReplicas: 1 },
    }),
    podDisruptionBudget: object('policy/v1', 'PodDisruptionBudget', names.name, {
      spec: { selector: { matchLabels: selector } },
    }),
  }
}

function usesLegacyLabel(gateway: GatewayRequest, present: StringMap | undefined): boolean {
  if (present === undefined) return isForServiceAccount(gateway)
  return present[LEGACY_GATEWAY_NAME_LABEL] !== undefined && present[LABELS.gatewayName] === undefined
}

function serviceSpec(gateway: GatewayRequest, selector: StringMap): Json {
  const asked = gateway.annotations[SERVICE_TYPE_ANNOTATION] ?? ''
  const type = SERVICE_TYPES.includes(asked) ? asked : 'ClusterIP'
  const address = gateway.addresses[0]?.value
  return {
    type,
    ipFamilyPolicy: 'PreferDualStack',
    ...(type === 'LoadBalancer' && address ? { loadBalancerIP: address } : {}),
    selector,
    ports: servicePorts(gateway),
  }
}

/** One port each, the first listener of a port names it. */
function servicePorts(gateway: GatewayRequest): readonly Json[] {
  const ports = new Map<number, Json>([[STATUS_PORT.port, STATUS_PORT]])
  const names = new Set([STATUS_PORT.name])
  for (const { name, port, protocol } of gateway.listeners) {
    if (port === 0 || ports.has(port)) continue
    const wanted = isForServiceAccount(gateway) ? `https-${protocol.toLowerCase()}` : portName(name)
    const unique = names.has(wanted) ? `port-${port}` : wanted
    names.add(unique)
    ports.set(port, { name: unique, port, protocol: 'TCP', appProtocol: protocol.toLowerCase() })
  }
  return [...ports.values()]
}

function portName(name: string): string {
  const cleaned = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, MAX_PORT_NAME)
    .replaceAll(/^-+|-+$/g, '')
  return cleaned || 'listener'
}
