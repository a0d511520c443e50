import { LABELS } from '@ambit/api'
import type { Json, StringMap } from '../watch/json.ts'
import type { GatewayRequest, InstallSettings, RenderedObject } from './gateway.types.ts'
import type { DeployedKind } from './gateway-classes.ts'
import { infrastructureAnnotations, infrastructureLabels } from './infrastructure.ts'
import { gatewayNames, isForServiceAccount, LEGACY_GATEWAY_NAME_LABEL } from './names.ts'
import { renderPod } from './render-pod.ts'

const GATEWAY_CLASS_LABEL = 'gateway.networking.k8s.io/gateway-class-name'
const SERVICE_TYPE_ANNOTATION = 'networking.istio.io/service-type'
const SERVICE_TYPES: readonly string[] = ['ClusterIP', 'LoadBalancer', 'NodePort']
const CLOSE_TRAFFIC: StringMap = { 'networking.istio.io/traffic-distribution': 'PreferClose' }
const STATUS_PORT = { name: 'status-port', port: 15021, protocol: 'TCP', appProtocol: 'tcp' }
/** Longest name of a Service's port. */
const MAX_PORT_NAME = 63

/** One slot for each kind that overlays may change. */
export interface RenderedGateway {
  readonly serviceAccount: RenderedObject | undefined
  readonly service: RenderedObject
  readonly deployment: RenderedObject
  /** Applied only when an overlay asks for one. */
  readonly horizontalPodAutoscaler: RenderedObject
  readonly podDisruptionBudget: RenderedObject
}

/**
 * Everything a Gateway becomes. `presentSelector`: of the Deployment that is there; a
 * selector can not be changed, so one by the older label stays.
 */
export function renderGateway(
  gateway: GatewayRequest,
  kind: DeployedKind,
  settings: InstallSettings,
  presentSelector: StringMap | undefined,
): RenderedGateway {
  const names = gatewayNames(gateway, kind)
  const legacy = usesLegacyLabel(gateway, kind, presentSelector)
  const selector = { [legacy ? LEGACY_GATEWAY_NAME_LABEL : LABELS.gatewayName]: gateway.name }
  const infrastructure = {
    labels: infrastructureLabels(gateway, kind.role === 'waypoint' ? settings.network : ''),
    annotations: infrastructureAnnotations(gateway),
  }
  const ties = {
    ...selector,
    [LABELS.gatewayName]: gateway.name,
    [GATEWAY_CLASS_LABEL]: gateway.className,
    [LABELS.gatewayManaged]: kind.managedBy,
  }
  const object = (apiVersion: string, kindName: string, name: string, fields: Json): RenderedObject => ({
    apiVersion,
    kind: kindName,
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
  const service = object('v1', 'Service', names.name, { spec: serviceSpec(gateway, kind, selector) })
  return {
    serviceAccount: names.makesServiceAccount ? object('v1', 'ServiceAccount', names.serviceAccount, {}) : undefined,
    service: {
      ...service,
      metadata: {
        ...service.metadata,
        annotations: { ...(kind.role === 'waypoint' ? CLOSE_TRAFFIC : {}), ...infrastructure.annotations },
      },
    },
    deployment: object('apps/v1', 'Deployment', names.name, {
      spec: {
        selector: { matchLabels: selector },
        template: renderPod({ gateway, role: kind.role, settings, names, infrastructure, ties }),
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

function usesLegacyLabel(
  gateway: GatewayRequest,
  { role }: Pick<DeployedKind, 'role'>,
  present: StringMap | undefined,
): boolean {
  if (present === undefined) return role === 'waypoint' && isForServiceAccount(gateway)
  return present[LEGACY_GATEWAY_NAME_LABEL] !== undefined && present[LABELS.gatewayName] === undefined
}

function serviceSpec(gateway: GatewayRequest, kind: DeployedKind, selector: StringMap): Json {
  const type = serviceTypeOf(gateway, kind)
  const address = gateway.addresses[0]?.value
  return {
    type,
    ipFamilyPolicy: 'PreferDualStack',
    ...(type === 'LoadBalancer' && address ? { loadBalancerIP: address } : {}),
    selector,
    ports: servicePorts(gateway, kind),
  }
}

/** As asked, else what is usual for the class. */
export function serviceTypeOf({ annotations }: Pick<GatewayRequest, 'annotations'>, kind: DeployedKind): string {
  const asked = annotations[SERVICE_TYPE_ANNOTATION] ?? ''
  return SERVICE_TYPES.includes(asked) ? asked : kind.serviceType
}

/** One port each, the first listener of a port names it. */
function servicePorts(gateway: GatewayRequest, { role }: DeployedKind): readonly Json[] {
  const ports = new Map<number, Json>([[STATUS_PORT.port, STATUS_PORT]])
  const names = new Set([STATUS_PORT.name])
  for (const { name, port, protocol } of gateway.listeners) {
    if (port === 0 || ports.has(port)) continue
    const wanted =
      role === 'waypoint' && isForServiceAccount(gateway) ? `https-${protocol.toLowerCase()}` : portName(name)
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
