import { type Logger, messageOf } from '@ambit/core'
import {
  KINDS,
  type KubeClient,
  type KubeObject,
  type ReadonlyObjectSet,
  type ResourceKind,
  watchObjects,
} from '@ambit/kube'
import type { MeshIndex } from '../index/mesh-index.ts'
import type { InputKind, Inputs } from '../index/mesh-state.ts'
import { decodeAuthorizationPolicy } from './decode-authorization-policy.ts'
import { decodePeerAuthentication } from './decode-peer-authentication.ts'
import { decodePod, trimPod } from './decode-pod.ts'
import { decodeEndpointSlice, decodeService } from './decode-service.ts'
import { decodeServiceEntry, decodeWorkloadEntry } from './decode-service-entry.ts'
import { decodeGateway, decodeGatewayClass, decodeNamespace, decodeNode } from './decode-topology.ts'

/** The watched sets, for those who write status or repair objects. */
export interface ClusterWatch {
  readonly synced: Promise<void>
  readonly sets: Readonly<Record<WatchedKind, ReadonlyObjectSet<KubeObject>>>
}

export type WatchedKind =
  | 'pod'
  | 'node'
  | 'namespace'
  | 'service'
  | 'endpointSlice'
  | 'serviceEntry'
  | 'workloadEntry'
  | 'authorizationPolicy'
  | 'peerAuthentication'
  | 'gateway'
  | 'gatewayClass'

/** Feeds the index with everything the mesh is made of. */
export function watchCluster(parts: {
  readonly client: KubeClient
  readonly index: MeshIndex
  readonly domain: string
  readonly logger: Logger
  readonly signal: AbortSignal
}): ClusterWatch {
  const { client, index, domain, logger, signal } = parts
  const watch = (
    kind: ResourceKind,
    trim: (object: KubeObject) => KubeObject = withoutBallast,
  ): ReadonlyObjectSet<KubeObject> => watchObjects({ client, kind, logger, signal, trim })
  const feed = <K extends InputKind>(
    set: ReadonlyObjectSet<KubeObject>,
    kind: K,
    decode: (object: KubeObject) => Inputs[K] | undefined,
  ): void => {
    const put = (object: KubeObject, value: Inputs[K] | undefined): void =>
      index.put(kind, object.metadata.namespace ?? '', object.metadata.name, value)
    const take = (object: KubeObject): void => put(object, attempt(decode, object, logger))
    set.subscribe({ add: take, update: take, delete: (object) => put(object, undefined) })
  }
  const each = <T>(
    set: ReadonlyObjectSet<KubeObject>,
    put: (name: string, value: T | undefined) => void,
    decode: (object: KubeObject) => T,
  ): void => {
    const take = (object: KubeObject): void => put(object.metadata.name, attempt(decode, object, logger))
    set.subscribe({ add: take, update: take, delete: ({ metadata }) => put(metadata.name, undefined) })
  }
  const sets: ClusterWatch['sets'] = {
    namespace: watch(KINDS.namespace),
    node: watch(KINDS.node, withoutSpecAndStatus),
    gatewayClass: watch(KINDS.gatewayClass),
    gateway: watch(KINDS.gateway),
    service: watch(KINDS.service),
    serviceEntry: watch(KINDS.serviceEntry),
    workloadEntry: watch(KINDS.workloadEntry),
    endpointSlice: watch(KINDS.endpointSlice),
    authorizationPolicy: watch(KINDS.authorizationPolicy),
    peerAuthentication: watch(KINDS.peerAuthentication),
    pod: watch(KINDS.pod, trimPod),
  }
  each(sets.namespace, (name, value) => index.putNamespace(name, value), decodeNamespace)
  each(sets.node, (name, value) => index.putNode(name, value), decodeNode)
  each(sets.gatewayClass, (name, value) => index.putGatewayClass(name, value), decodeGatewayClass)
  feed(sets.gateway, 'gateways', decodeGateway)
  feed(sets.service, 'services', (object) => decodeService(object, domain))
  feed(sets.serviceEntry, 'serviceEntries', decodeServiceEntry)
  feed(sets.workloadEntry, 'workloadEntries', decodeWorkloadEntry)
  feed(sets.endpointSlice, 'slices', decodeEndpointSlice)
  feed(sets.authorizationPolicy, 'policies', decodeAuthorizationPolicy)
  feed(sets.peerAuthentication, 'authentications', decodePeerAuthentication)
  feed(sets.pod, 'pods', decodePod)
  const synced = Promise.all(Object.values(sets).map((set) => set.synced)).then(() => undefined)
  return { synced, sets }
}

/** One object that can not be decoded must not stop the others; it counts as absent. */
function attempt<T>(decode: (object: KubeObject) => T, object: KubeObject, logger: Logger): T | undefined {
  try {
    return decode(object)
  } catch (error) {
    const { namespace = '', name } = object.metadata
    logger.error(`cannot read ${object.kind} ${namespace}/${name}: ${messageOf(error)}`)
    return undefined
  }
}

/** Managed fields are half of an object and nobody here reads them. */
function withoutBallast(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & {
    readonly managedFields?: unknown
  }
  return { ...object, metadata }
}

function withoutSpecAndStatus(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = withoutBallast(object)
  return { apiVersion, kind, metadata }
}
