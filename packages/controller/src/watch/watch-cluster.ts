import { isDeepStrictEqual } from 'node:util'
import { LABELS } from '@ambit/api'
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
import type { Inputs } from '../index/mesh-state.ts'
import { keepPod } from './decode-pod.ts'
import { decodeGatewayClass, decodeNamespace, decodeNode } from './decode-topology.ts'
import { inputDecoders, type ListedKind } from './input-decoders.ts'
import type { StringMap } from './json.ts'
import { coversNamespace, coversRevision, type Scope } from './scope.ts'

/** The watched sets, for those who write status or repair objects. */
export interface ClusterWatch {
  readonly synced: Promise<void>
  readonly sets: Readonly<Record<WatchedKind, ReadonlyObjectSet<KubeObject>>>
  /** Looks only at namespaces that one of the selectors selects, and at the root; none selects all. */
  discover(mesh: Pick<Scope, 'discoverySelectors' | 'rootNamespace'>): void
  /** Whether the object counts for this control plane; of others it must not even write the status. */
  covers(object: KubeObject): boolean
}

/** Kinds whose objects may be for one revision only. */
const OF_REVISION: ReadonlySet<string> = new Set(
  [
    KINDS.gateway,
    KINDS.istioGateway,
    KINDS.httpRoute,
    KINDS.grpcRoute,
    KINDS.virtualService,
    KINDS.destinationRule,
    KINDS.serviceEntry,
    KINDS.workloadEntry,
    KINDS.authorizationPolicy,
    KINDS.peerAuthentication,
    KINDS.requestAuthentication,
  ].map(({ kind }) => kind),
)

/** Marks a Service as a further name of the revision its `istio.io/rev` names. */
const TAG_LABEL = 'istio.io/tag'

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
  | 'requestAuthentication'
  | 'gateway'
  | 'istioGateway'
  | 'virtualService'
  | 'destinationRule'
  | 'gatewayClass'
  | 'httpRoute'
  | 'grpcRoute'
  | 'referenceGrant'

/** Feeds the index with everything the mesh is made of. */
export function watchCluster(parts: {
  readonly client: KubeClient
  readonly index: MeshIndex
  readonly domain: string
  readonly revision: string
  /** Of this control plane. */
  readonly namespace: string
  readonly logger: Logger
  readonly signal: AbortSignal
}): ClusterWatch {
  const { client, index, domain, revision, namespace, logger, signal } = parts
  let scope: Scope = { revision, rootNamespace: namespace, tags: new Set(), discoverySelectors: [] }
  /** Decide anew about the objects of one kind, in one namespace or all. */
  const again: ((namespace: string | undefined) => void)[] = []
  const watch = (
    kind: ResourceKind,
    trim: (object: KubeObject) => KubeObject = withoutBallast,
  ): ReadonlyObjectSet<KubeObject> => watchObjects({ client, kind, logger, signal, trim })
  const covers = ({ kind, metadata: { namespace = '', labels = {} } }: KubeObject): boolean =>
    coversNamespace(scope, namespace, labelsOf(sets.namespace.get(undefined, namespace))) &&
    (!OF_REVISION.has(kind) || coversRevision(scope, labels))
  const decoders = inputDecoders(domain)
  const feed = (set: ReadonlyObjectSet<KubeObject>, kind: ListedKind): void => {
    const decode: (object: KubeObject) => Inputs[ListedKind] | undefined = decoders[kind]
    const put = (object: KubeObject, value: Inputs[ListedKind] | undefined): void =>
      index.put(kind, object.metadata.namespace ?? '', object.metadata.name, value)
    const take = (object: KubeObject): void => put(object, covers(object) ? attempt(decode, object, logger) : undefined)
    set.subscribe({ add: take, update: take, delete: (object) => put(object, undefined) })
    again.push((namespace) => {
      for (const object of namespace === undefined ? set : set.inNamespace(namespace)) take(object)
    })
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
    istioGateway: watch(KINDS.istioGateway),
    service: watch(KINDS.service),
    serviceEntry: watch(KINDS.serviceEntry),
    workloadEntry: watch(KINDS.workloadEntry),
    endpointSlice: watch(KINDS.endpointSlice),
    authorizationPolicy: watch(KINDS.authorizationPolicy),
    peerAuthentication: watch(KINDS.peerAuthentication),
    requestAuthentication: watch(KINDS.requestAuthentication),
    virtualService: watch(KINDS.virtualService),
    destinationRule: watch(KINDS.destinationRule),
    httpRoute: watch(KINDS.httpRoute),
    grpcRoute: watch(KINDS.grpcRoute),
    referenceGrant: watch(KINDS.referenceGrant),
    pod: watch(KINDS.pod, keepPod),
  }
  each(sets.namespace, (name, value) => index.putNamespace(name, value), decodeNamespace)
  each(sets.node, (name, value) => index.putNode(name, value), decodeNode)
  each(sets.gatewayClass, (name, value) => index.putGatewayClass(name, value), decodeGatewayClass)
  feed(sets.gateway, 'gateways')
  feed(sets.istioGateway, 'istioGateways')
  feed(sets.service, 'services')
  feed(sets.serviceEntry, 'serviceEntries')
  feed(sets.workloadEntry, 'workloadEntries')
  feed(sets.endpointSlice, 'slices')
  feed(sets.authorizationPolicy, 'policies')
  feed(sets.peerAuthentication, 'authentications')
  feed(sets.requestAuthentication, 'requestAuthentications')
  feed(sets.virtualService, 'virtualServices')
  feed(sets.destinationRule, 'destinationRules')
  feed(sets.httpRoute, 'httpRoutes')
  feed(sets.grpcRoute, 'grpcRoutes')
  feed(sets.referenceGrant, 'grants')
  feed(sets.pod, 'pods')
  const rescope = (change: Partial<Scope>, namespace?: string): void => {
    scope = { ...scope, ...change }
    for (const decide of again) decide(namespace)
  }
  followTags(sets.service, { revision, namespace }, (tags) => rescope({ tags }))
  const moved = ({ metadata: { name } }: KubeObject): void => {
    if (scope.discoverySelectors.length > 0) rescope({}, name)
  }
  sets.namespace.subscribe({
    add: moved,
    update: (after, before) => {
      if (!isDeepStrictEqual(after.metadata.labels, before.metadata.labels)) moved(after)
    },
  })
  const discover: ClusterWatch['discover'] = ({ discoverySelectors, rootNamespace }) => {
    const next = { discoverySelectors, rootNamespace }
    if (!isDeepStrictEqual({ ...scope, ...next }, scope)) rescope(next)
  }
  const synced = Promise.all(Object.values(sets).map((set) => set.synced)).then(() => undefined)
  return { synced, sets, discover, covers }
}

/** Services that are further names of the revision. */
function followTags(
  services: ReadonlyObjectSet<KubeObject>,
  { revision, namespace }: { readonly revision: string; readonly namespace: string },
  changed: (tags: ReadonlySet<string>) => void,
): void {
  const tags = new Map<string, string>()
  const set = ({ metadata }: KubeObject, there: boolean): void => {
    if (metadata.namespace !== namespace) return
    const tag = there && metadata.labels?.[LABELS.revision] === revision ? metadata.labels[TAG_LABEL] : undefined
    if (tags.get(metadata.name) === tag) return
    if (tag === undefined) tags.delete(metadata.name)
    else tags.set(metadata.name, tag)
    changed(new Set(tags.values()))
  }
  const take = (object: KubeObject): void => set(object, true)
  services.subscribe({ add: take, update: take, delete: (object) => set(object, false) })
}

/** Undefined: no such object. */
function labelsOf(object: KubeObject | undefined): StringMap | undefined {
  return object === undefined ? undefined : (object.metadata.labels ?? {})
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
