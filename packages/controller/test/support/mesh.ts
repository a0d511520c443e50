import { authorizationpb, TYPE_URLS, waypointpb, workloadpb } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import { ResourceTable } from '@ambit/xds'
import { fromBinary } from '@bufbuild/protobuf'
import type { MeshContext } from '../../src/domain.types.ts'
import { MeshIndex } from '../../src/index/mesh-index.ts'
import { decodeAuthorizationPolicy } from '../../src/watch/decode-authorization-policy.ts'
import { decodeCredential } from '../../src/watch/decode-credential.ts'
import { decodeDestinationRule } from '../../src/watch/decode-destination-rule.ts'
import { decodeIstioGateway } from '../../src/watch/decode-istio-gateway.ts'
import { decodePeerAuthentication } from '../../src/watch/decode-peer-authentication.ts'
import { keepPod, podOf } from '../../src/watch/decode-pod.ts'
import { decodeRequestAuthentication } from '../../src/watch/decode-request-authentication.ts'
import { decodeGrpcRoute, decodeHttpRoute, decodeReferenceGrant } from '../../src/watch/decode-route.ts'
import { decodeEndpointSlice, decodeService } from '../../src/watch/decode-service.ts'
import { decodeServiceEntry, decodeWorkloadEntry } from '../../src/watch/decode-service-entry.ts'
import { decodeGateway, decodeGatewayClass, decodeNamespace, decodeNode } from '../../src/watch/decode-topology.ts'

import { decodeVirtualService } from '../../src/watch/decode-virtual-service.ts'

export const MESH: MeshContext = {
  rootNamespace: 'istio-system',
  trustDomain: 'cluster.local',
  clusterId: 'Kubernetes',
  domain: 'cluster.local',
  network: '',
}

/** An index fed with whole Kubernetes objects. */
export class Mesh {
  readonly table = new ResourceTable()
  readonly index: MeshIndex

  constructor(mesh: Partial<MeshContext> = {}) {
    this.index = new MeshIndex({ ...MESH, ...mesh }, this.table)
  }

  static of(...objects: readonly KubeObject[]): Mesh {
    return new Mesh().apply(...objects)
  }

  apply(...objects: readonly KubeObject[]): this {
    for (const object of objects) this.put(object, true)
    this.index.flush()
    return this
  }

  delete(...objects: readonly KubeObject[]): this {
    for (const object of objects) this.put(object, false)
    this.index.flush()
    return this
  }

  /** Without a flush. */
  put(object: KubeObject, there: boolean): void {
    const { namespace = '', name } = object.metadata
    const { index } = this
    switch (object.kind) {
      case 'Pod':
        return index.put('pods', namespace, name, there ? podOf(keepPod(object)) : undefined)
      case 'Service':
        return index.put('services', namespace, name, there ? decodeService(object, 'cluster.local') : undefined)
      case 'EndpointSlice':
        return index.put('slices', namespace, name, there ? decodeEndpointSlice(object) : undefined)
      case 'ServiceEntry':
        return index.put('serviceEntries', namespace, name, there ? decodeServiceEntry(object) : undefined)
      case 'WorkloadEntry':
        return index.put('workloadEntries', namespace, name, there ? decodeWorkloadEntry(object) : undefined)
      case 'AuthorizationPolicy':
        return index.put('policies', namespace, name, there ? decodeAuthorizationPolicy(object) : undefined)
      case 'PeerAuthentication':
        return index.put('authentications', namespace, name, there ? decodePeerAuthentication(object) : undefined)
      case 'Gateway':
        if (object.apiVersion.startsWith('networking.istio.io/'))
          return index.put('istioGateways', namespace, name, there ? decodeIstioGateway(object) : undefined)
        return index.put('gateways', namespace, name, there ? decodeGateway(object) : undefined)
      case 'HTTPRoute':
        return index.put('httpRoutes', namespace, name, there ? decodeHttpRoute(object) : undefined)
      case 'GRPCRoute':
        return index.put('grpcRoutes', namespace, name, there ? decodeGrpcRoute(object) : undefined)
      case 'VirtualService': {
        const value = there ? decodeVirtualService(object, 'cluster.local') : undefined
        return index.put('virtualServices', namespace, name, value)
      }
      case 'DestinationRule': {
        const value = there ? decodeDestinationRule(object, 'cluster.local') : undefined
        return index.put('destinationRules', namespace, name, value)
      }
      case 'ReferenceGrant':
        return index.put('grants', namespace, name, there ? decodeReferenceGrant(object) : undefined)
      case 'Secret':
        return index.put('credentials', namespace, name, there ? decodeCredential(object) : undefined)
      case 'RequestAuthentication':
        return index.put(
          'requestAuthentications',
          namespace,
          name,
          there ? decodeRequestAuthentication(object) : undefined,
        )
      case 'GatewayClass':
        return index.putGatewayClass(name, there ? decodeGatewayClass(object) : undefined)
      case 'Namespace':
        return index.putNamespace(name, there ? decodeNamespace(object) : undefined)
      case 'Node':
        return index.putNode(name, there ? decodeNode(object) : undefined)
      default:
        throw new Error(`no ${object.kind} here`)
    }
  }

  workload(uid: string): workloadpb.Workload {
    const { type } = this.#address(uid)
    if (type.case !== 'workload') throw new Error(`${uid} is no workload`)
    return type.value
  }

  service(name: string): workloadpb.Service {
    const { type } = this.#address(name)
    if (type.case !== 'service') throw new Error(`${name} is no service`)
    return type.value
  }

  policy(name: string): authorizationpb.Authorization | undefined {
    const found = this.table.lookup(TYPE_URLS.authorization, name)
    return found && fromBinary(authorizationpb.AuthorizationSchema, found.bytes)
  }

  destination(
    name: string,
  ): { destination: waypointpb.Destination; audience: readonly string[] | undefined } | undefined {
    const found = this.table.lookup(TYPE_URLS.destination, name)
    return found && { destination: fromBinary(waypointpb.DestinationSchema, found.bytes), audience: found.audience }
  }

  requestPolicy(
    name: string,
  ): { policy: waypointpb.HttpAuthorization; audience: readonly string[] | undefined } | undefined {
    const found = this.table.lookup(TYPE_URLS.httpAuthorization, name)
    return found && { policy: fromBinary(waypointpb.HttpAuthorizationSchema, found.bytes), audience: found.audience }
  }

  settings(name: string): waypointpb.Settings | undefined {
    const found = this.table.lookup(TYPE_URLS.waypointSettings, name)
    return found && fromBinary(waypointpb.SettingsSchema, found.bytes)
  }

  names(typeUrl: string = TYPE_URLS.address): readonly string[] {
    return [...this.table.snapshot(typeUrl).keys()].sort()
  }

  trafficPolicy(name: string): waypointpb.TrafficPolicy | undefined {
    const found = this.table.lookup(TYPE_URLS.trafficPolicy, name)
    return found && fromBinary(waypointpb.TrafficPolicySchema, found.bytes)
  }

  /** Which subsets the workload says it is in. */
  subsetsOf(uid: string): readonly string[] | undefined {
    const found = this.table.lookup(TYPE_URLS.subsetMember, uid)
    return found && fromBinary(waypointpb.SubsetMemberSchema, found.bytes).subsets
  }

  /** Everything proxies are told, comparable. */
  dump(): Readonly<Record<string, string>> {
    const all = Object.values(TYPE_URLS).flatMap((typeUrl) =>
      [...this.table.snapshot(typeUrl)].map(
        ([name, { version, aliases, audience }]) =>
          [`${typeUrl} ${name}`, `${version} ${aliases.join()} ${audience?.join() ?? 'all'}`] as const,
      ),
    )
    return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** What goes into statuses, comparable. */
  said(): Readonly<Record<string, unknown>> {
    const all: [string, unknown][] = []
    for (const [key, result] of this.index.results()) {
      const { addresses: _a, policies: _p, settings: _s, requestPolicies: _r, destinations: _d, ...rest } = result
      const { credentials: _c, namesCredentials: _n, trafficPolicies: _t, subsetMembers: _m, ...said } = rest
      const { ingressUsesWaypoint, routeParents = [], ...conditions } = said
      if (routeParents.length > 0 || Object.values(conditions).some((value) => value !== undefined))
        all.push([key, { ingressUsesWaypoint, routeParents, ...conditions }])
    }
    return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #address(name: string): workloadpb.Address {
    const found = this.table.lookup(TYPE_URLS.address, name)
    if (found === undefined) throw new Error(`no ${name}; there are: ${this.names().join(', ')}`)
    return fromBinary(workloadpb.AddressSchema, found.bytes)
  }
}
