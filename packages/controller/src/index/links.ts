import { isAccountWaypoint } from '../compile/account-waypoint.ts'
import type { DestinationRule } from '../destination-rule.types.ts'
import type { EndpointSlice, Gateway, KubeService, Pod, ServiceEntry, TargetRef } from '../domain.types.ts'
import type { MeshRoute } from '../route.types.ts'
import type { VirtualService } from '../virtual-service.types.ts'
import { MultiMap } from './collection.ts'
import { attachedKey, parentKey } from './keys.ts'
import type { InputKind, Inputs } from './mesh-state.ts'
import { routerNameOf } from './routers.ts'
import { unit } from './units.ts'

type Verb = 'add' | 'delete'

/** Who names whom: what compiling an object needs to find that the object itself does not say. */
export class Links {
  /** Hostname to the units that declare it. */
  readonly hosts: MultiMap = new MultiMap()
  /** `namespace/pod` to names of slices in that namespace that name the pod. */
  readonly slicesOfPod: MultiMap = new MultiMap()
  /** `namespace/service` to names of its slices. */
  readonly slicesOfService: MultiMap = new MultiMap()
  /** {@link parentKey} to the units of routes that name the parent. */
  readonly routesOfParent: MultiMap = new MultiMap()
  /** Host as VirtualServices write it, wildcards too, to their `namespace/name`. */
  readonly virtualServicesOfHost: MultiMap = new MultiMap()
  /** `namespace/name` of an Istio Gateway to those of VirtualServices bound to it. */
  readonly virtualServicesOfGateway: MultiMap = new MultiMap()
  /** Host as DestinationRules write it, wildcards too, to their `namespace/name`. */
  readonly rulesOfHost: MultiMap = new MultiMap()
  /** {@link attachedKey} to `namespace/name` of AuthorizationPolicies. */
  readonly policiesAt: MultiMap = new MultiMap()
  /** {@link attachedKey} to `namespace/name` of RequestAuthentications. */
  readonly requestAuthenticationsAt: MultiMap = new MultiMap()
  /** Namespace to names of its waypoints by service account. */
  readonly accountWaypoints: MultiMap = new MultiMap()
  /** `namespace/gateway` to the names of its pods. */
  readonly routerPods: MultiMap = new MultiMap()
  /** Name of a credential to the units that name it; kept by who compiles them. */
  readonly credentialUsers: MultiMap = new MultiMap()

  /** Follows one object from `before` to `after`. */
  move<K extends InputKind>(
    kind: K,
    namespace: string,
    name: string,
    before: Inputs[K] | undefined,
    after: Inputs[K] | undefined,
  ): void {
    for (const [object, verb] of [
      [before, 'delete'],
      [after, 'add'],
    ] as const) {
      if (object !== undefined) this.#link(kind, namespace, name, object, verb)
    }
  }

  #link(kind: InputKind, namespace: string, name: string, object: Inputs[InputKind], verb: Verb): void {
    switch (kind) {
      case 'services':
      case 'serviceEntries': {
        const key = unit(kind === 'services' ? 'service' : 'serviceEntry', namespace, name)
        for (const host of hostsOf(object)) this.hosts[verb](host, key)
        return
      }
      case 'slices':
        this.#linkSlice(object as EndpointSlice, verb)
        return
      case 'httpRoutes':
      case 'grpcRoutes': {
        const key = routeUnit(object as MeshRoute)
        for (const parent of parentKeysOf(object as MeshRoute)) this.routesOfParent[verb](parent, key)
        return
      }
      case 'virtualServices': {
        const { hosts, gateways } = object as VirtualService
        for (const host of hosts) this.virtualServicesOfHost[verb](host, `${namespace}/${name}`)
        for (const gateway of gateways) this.virtualServicesOfGateway[verb](gateway, `${namespace}/${name}`)
        return
      }
      case 'destinationRules':
        this.rulesOfHost[verb]((object as DestinationRule).host, `${namespace}/${name}`)
        return
      case 'policies':
        for (const key of attachedKeysOf(object as Attached)) this.policiesAt[verb](key, `${namespace}/${name}`)
        return
      case 'requestAuthentications':
        for (const key of attachedKeysOf(object as Attached))
          this.requestAuthenticationsAt[verb](key, `${namespace}/${name}`)
        return
      case 'pods':
        if ((object as Pod).isRouter) this.routerPods[verb](`${namespace}/${routerNameOf(object as Pod)}`, name)
        return
      case 'gateways':
        if (isAccountWaypoint(object as Gateway)) this.accountWaypoints[verb](namespace, name)
        return
      default:
    }
  }

  #linkSlice(slice: EndpointSlice, verb: Verb): void {
    this.slicesOfService[verb](`${slice.namespace}/${slice.serviceName}`, slice.name)
    for (const { podName } of slice.endpoints)
      if (podName !== undefined) this.slicesOfPod[verb](`${slice.namespace}/${podName}`, slice.name)
  }
}

interface Attached {
  readonly namespace: string
  readonly targetRefs: readonly TargetRef[]
}

/** Where a policy is attached. In another namespace it has no say. */
export function attachedKeysOf({ namespace, targetRefs }: Attached): readonly string[] {
  return targetRefs
    .filter((ref) => ref.namespace === undefined || ref.namespace === namespace)
    .map(({ kind, name }) => attachedKey(kind, kind === 'GatewayClass' ? '' : namespace, name))
}

export function parentKeysOf({ parents }: MeshRoute): readonly string[] {
  return parents.map(({ kind, namespace, name }) => parentKey(kind, namespace, name))
}

export function routeUnit({ kind, namespace, name }: Pick<MeshRoute, 'kind' | 'namespace' | 'name'>): string {
  return unit(kind === 'HTTPRoute' ? 'httpRoute' : 'grpcRoute', namespace, name)
}

/** Hostnames a Service or ServiceEntry declares; an ExternalName declares none. */
export function hostsOf(object: unknown): readonly string[] {
  const { hosts, hostname, externalName } = (object ?? {}) as Partial<ServiceEntry & KubeService>
  if (hosts !== undefined) return hosts
  return hostname === undefined || externalName === true ? [] : [hostname]
}
