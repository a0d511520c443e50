import { messageOf } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import type { ResourceTable } from '@ambit/xds'
import type { MeshContext } from '../domain.types.ts'
import { decodeGatewayRequest } from '../gateway/decode-gateway-request.ts'
import { classOf } from '../gateway/gateway-classes.ts'
import { gatewayStatus } from '../gateway/gateway-status.ts'
import { CREDENTIAL_PENDING } from '../index/credentials.ts'
import { MeshIndex } from '../index/mesh-index.ts'
import type { MeshState } from '../index/mesh-state.ts'
import { type UnitKind, unit } from '../index/units.ts'
import type { Credential } from '../ingress.types.ts'
import { type Condition } from '../status/condition.ts'
import { conditionsOf } from '../status/status-sync.ts'
import { decodeGatewayClass, decodeNamespace, decodeNode } from '../watch/decode-topology.ts'
import { inputDecoders, type ListedKind } from '../watch/input-decoders.ts'
import { list, record, text } from '../watch/json.ts'

/** By group and kind: versions of a kind are read alike. */
const LISTED: Readonly<Record<string, ListedKind>> = {
  'core/Pod': 'pods',
  'core/Service': 'services',
  'discovery.k8s.io/EndpointSlice': 'slices',
  'networking.istio.io/ServiceEntry': 'serviceEntries',
  'networking.istio.io/WorkloadEntry': 'workloadEntries',
  'networking.istio.io/VirtualService': 'virtualServices',
  'networking.istio.io/DestinationRule': 'destinationRules',
  'networking.istio.io/Gateway': 'istioGateways',
  'security.istio.io/AuthorizationPolicy': 'policies',
  'security.istio.io/PeerAuthentication': 'authentications',
  'security.istio.io/RequestAuthentication': 'requestAuthentications',
  'gateway.networking.k8s.io/Gateway': 'gateways',
  'gateway.networking.k8s.io/HTTPRoute': 'httpRoutes',
  'gateway.networking.k8s.io/GRPCRoute': 'grpcRoutes',
  'gateway.networking.k8s.io/ReferenceGrant': 'grants',
}

const UNITS: Readonly<Partial<Record<ListedKind, UnitKind>>> = {
  services: 'service',
  serviceEntries: 'serviceEntry',
  workloadEntries: 'workloadEntry',
  policies: 'policy',
  virtualServices: 'virtualService',
  destinationRules: 'destinationRule',
  httpRoutes: 'httpRoute',
  grpcRoutes: 'grpcRoute',
}

/** A condition, and which part of the object it speaks of: a listener, or a route's parent; empty for the whole. */
export interface JudgedCondition extends Condition {
  readonly part: string
}

/** What the control plane would make of a set of objects if they were the cluster. */
export interface Judgement {
  readonly state: MeshState
  /** What it would write into the object's status. */
  readonly conditionsOf: (object: KubeObject) => readonly JudgedCondition[]
  /** Objects it could not read or compile. */
  readonly failures: readonly string[]
}

/** `group/Kind`, the group of Kubernetes' first kinds being `core`. */
export function groupKindOf({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): string {
  const slash = apiVersion.indexOf('/')
  return `${slash < 0 ? 'core' : apiVersion.slice(0, slash)}/${kind}`
}

/**
 * The index of the running control plane over objects that lie before us: nothing is watched, written or served.
 * `credential` answers for a Secret; undefined says that it could not be looked for, and then nothing is said of who names it.
 * `table` takes what proxies would be told.
 */
export function judgeObjects(
  objects: Iterable<KubeObject>,
  mesh: MeshContext,
  credential: (namespace: string, name: string) => Credential | undefined,
  table: Pick<ResourceTable, 'update'> = { update: () => undefined },
): Judgement {
  const failures: string[] = []
  const index = new MeshIndex(mesh, table)
  index.onError((key, error) => failures.push(`${key}: ${messageOf(error)}`))
  const decoders = inputDecoders(mesh.domain)
  const classes = new Map<string, KubeObject>()
  for (const object of objects) {
    const { namespace = '', name } = object.metadata
    try {
      const kind = LISTED[groupKindOf(object)]
      if (kind !== undefined) index.put(kind, namespace, name, decoders[kind](object))
      else putTopology(index, object, classes)
    } catch (error) {
      failures.push(`${object.kind} ${namespace}/${name}: ${messageOf(error)}`)
    }
  }
  index.flush()
  // Who names a Secret is known only now.
  index.onCredentials((names) => {
    for (const at of names) {
      const slash = at.indexOf('/')
      const [namespace, name] = [at.slice(0, slash), at.slice(slash + 1)]
      const found = credential(namespace, name)
      if (found !== undefined) index.put('credentials', namespace, name, found)
    }
  })
  index.flush()
  return { state: index.state, failures, conditionsOf: (object) => conditionsIn(index, classes, object) }
}

function putTopology(index: MeshIndex, object: KubeObject, classes: Map<string, KubeObject>): void {
  const { name } = object.metadata
  switch (groupKindOf(object)) {
    case 'core/Namespace':
      index.putNamespace(name, decodeNamespace(object))
      break
    case 'core/Node':
      index.putNode(name, decodeNode(object))
      break
    case 'gateway.networking.k8s.io/GatewayClass':
      classes.set(name, object)
      index.putGatewayClass(name, decodeGatewayClass(object))
      break
  }
}

function conditionsIn(
  index: MeshIndex,
  classes: ReadonlyMap<string, KubeObject>,
  object: KubeObject,
): readonly JudgedCondition[] {
  const { namespace = '', name } = object.metadata
  const groupKind = groupKindOf(object)
  if (groupKind === 'gateway.networking.k8s.io/Gateway') return gatewayConditions(index, classes, object)
  const listed = LISTED[groupKind]
  const kind = listed === undefined ? undefined : UNITS[listed]
  if (kind === undefined) return []
  const result = index.resultOf(unit(kind, namespace, name))
  if (kind === 'httpRoute' || kind === 'grpcRoute')
    return (result?.routeParents ?? []).flatMap(({ parent, conditions }) =>
      conditions.map((condition) => ({ ...condition, part: `${parent.kind} ${parent.namespace}/${parent.name}` })),
    )
  return conditionsOf(kind, result).map((condition) => ({ ...condition, part: '' }))
}

/** As if what is deployed for the Gateway were there and ready: whether it is accepted does not depend on that. */
function gatewayConditions(
  index: MeshIndex,
  classes: ReadonlyMap<string, KubeObject>,
  object: KubeObject,
): readonly JudgedCondition[] {
  const gateway = decodeGatewayRequest(object)
  const cls = classOf(gateway.className, classes.get(gateway.className))
  if (cls === undefined) return []
  const takesRoutes = cls.deploys?.role === 'router'
  const listeners = index.resultOf(unit('gateway', gateway.namespace, gateway.name))?.listeners
  const ports = gateway.listeners.map(({ port }) => port)
  const service = { host: '', clusterIps: [], ports, loadBalancer: false, external: [], ready: true }
  const status = gatewayStatus(
    gateway,
    {},
    {
      cls,
      invalidParameters: undefined,
      services: { ok: true, services: [service] },
      listeners: takesRoutes ? (listeners ?? []) : undefined,
      nowMs: 0,
    },
  )
  const read = (written: unknown, part: string): readonly JudgedCondition[] =>
    list(written).flatMap((entry) => {
      const { type, status: value, reason, message } = record(entry)
      if (reason === CREDENTIAL_PENDING) return []
      return [
        {
          part,
          type: text(type) ?? '',
          status: value === 'True' ? ('True' as const) : ('False' as const),
          reason: text(reason) ?? '',
          message: text(message) ?? '',
        },
      ]
    })
  return [
    ...read(status['conditions'], '').filter(({ type }) => type !== 'Programmed'),
    ...list(status['listeners']).flatMap((entry) => {
      const { name, conditions } = record(entry)
      return read(conditions, `listener ${text(name) ?? ''}`)
    }),
  ]
}
