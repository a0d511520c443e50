import { ANNOTATIONS, LABELS } from '@ambit/api'
import { PORTS } from '@ambit/core'
import type { Cluster, ClusterObject } from '../cluster/cluster.types.ts'
import type { JsonObject } from '../json.ts'
import { asList, asObject, asText } from '../json.ts'
import type { WaypointRequest } from './waypoint-request.ts'

const API_VERSION = 'gateway.networking.k8s.io/v1'
/** What istioctl 1.18 writes. */
const OLD_API_VERSION = 'gateway.networking.k8s.io/v1beta1'
const CLASS = 'istio-waypoint'

/** The Gateway that asks for a waypoint; without a namespace it is left to whoever applies it. Members in YAML's order. */
export function waypointGateway(request: WaypointRequest, namespace: string | undefined): ClusterObject {
  const { name, trafficType, revision, serviceAccount } = request
  const labels = {
    ...(revision === undefined ? {} : { [LABELS.revision]: revision }),
    ...(trafficType === undefined ? {} : { [LABELS.waypointFor]: trafficType }),
  }
  return {
    apiVersion: serviceAccount === undefined ? API_VERSION : OLD_API_VERSION,
    kind: 'Gateway',
    metadata: {
      ...(serviceAccount ? { annotations: { [ANNOTATIONS.forServiceAccount]: serviceAccount } } : {}),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      name,
      ...(namespace === undefined ? {} : { namespace }),
    },
    spec: {
      gatewayClassName: CLASS,
      listeners: [{ name: 'mesh', port: PORTS.hbone, protocol: 'HBONE' }],
    },
  }
}

/** All Gateways of a namespace, or of the cluster, in order. */
export async function listGateways(
  cluster: Cluster,
  namespace: string | undefined,
  labelSelector?: string,
): Promise<readonly ClusterObject[]> {
  const gateways = await cluster.list({ apiVersion: API_VERSION, kind: 'Gateway', namespace, labelSelector })
  const key = ({ metadata }: ClusterObject): string => `${metadata.namespace ?? ''}/${metadata.name}`
  return gateways.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

export function readGateway(cluster: Cluster, namespace: string, name: string): Promise<ClusterObject | undefined> {
  return cluster.read({ apiVersion: API_VERSION, kind: 'Gateway', namespace, name })
}

/** False when it was not there. */
export function deleteGateway(cluster: Cluster, namespace: string, name: string): Promise<boolean> {
  return cluster.delete({ apiVersion: API_VERSION, kind: 'Gateway', namespace, name })
}

/** Is this Gateway a waypoint, and not somebody's ingress? */
export function isWaypoint(gateway: ClusterObject): boolean {
  return asText(asObject(gateway['spec'])['gatewayClassName']) === CLASS
}

/** The service account a waypoint of Istio 1.18's form is for. */
export function serviceAccountOf(gateway: ClusterObject): string {
  return gateway.metadata.annotations?.[ANNOTATIONS.forServiceAccount] ?? ''
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

/** The condition that says whether a waypoint serves; undefined when no controller has looked at it. */
export function programmedCondition(gateway: ClusterObject | undefined): Condition | undefined {
  const found = conditionsOf(gateway).find((condition) => condition['type'] === 'Programmed')
  if (found === undefined) return undefined
  return {
    type: 'Programmed',
    status: asText(found['status']),
    reason: asText(found['reason']),
    message: asText(found['message']),
  }
}

/** Does the waypoint serve what its Gateway asks for now? */
export function isProgrammed(gateway: ClusterObject | undefined): boolean {
  const found = conditionsOf(gateway).find((condition) => condition['type'] === 'Programmed')
  if (found === undefined || found['status'] !== 'True') return false
  const seen = found['observedGeneration']
  return typeof seen !== 'number' || seen >= (gateway?.metadata.generation ?? 0)
}

/** A waypoint without an address does not exist for clients: their traffic goes direct. */
export function hasAddress(gateway: ClusterObject | undefined): boolean {
  return asList(asObject(gateway?.['status'])['addresses']).length > 0
}

function conditionsOf(gateway: ClusterObject | undefined): readonly JsonObject[] {
  return asList(asObject(gateway?.['status'])['conditions']).map(asObject)
}
