import type {
  AuthorizationPolicy,
  EndpointSlice,
  Gateway,
  GatewayClass,
  KubeService,
  MeshContext,
  Namespace,
  Node,
  PeerAuthentication,
  Pod,
  ServiceEntry,
  WorkloadEntry,
} from '../domain.types.ts'
import { Collection, MultiMap } from './collection.ts'
import { unit } from './units.ts'

/** The kinds of objects the index is fed with. */
export interface Inputs {
  readonly pods: Pod
  readonly services: KubeService
  readonly slices: EndpointSlice
  readonly serviceEntries: ServiceEntry
  readonly workloadEntries: WorkloadEntry
  readonly policies: AuthorizationPolicy
  readonly authentications: PeerAuthentication
  readonly gateways: Gateway
}

export type InputKind = keyof Inputs

/** Everything known of the cluster, decoded, with the look-ups that compiling needs. */
export class MeshState {
  mesh: MeshContext
  readonly pods: Collection<Pod> = new Collection()
  readonly services: Collection<KubeService> = new Collection()
  readonly slices: Collection<EndpointSlice> = new Collection()
  readonly serviceEntries: Collection<ServiceEntry> = new Collection()
  readonly workloadEntries: Collection<WorkloadEntry> = new Collection()
  readonly policies: Collection<AuthorizationPolicy> = new Collection()
  readonly authentications: Collection<PeerAuthentication> = new Collection()
  readonly gateways: Collection<Gateway> = new Collection()
  readonly gatewayClasses: Map<string, GatewayClass> = new Map()
  readonly namespaces: Map<string, Namespace> = new Map()
  readonly nodes: Map<string, Node> = new Map()
  /** Hostname to the units that declare it. */
  readonly hosts: MultiMap = new MultiMap()
  /** `namespace/pod` to names of slices in that namespace that name the pod. */
  readonly slicesOfPod: MultiMap = new MultiMap()
  /** `namespace/service` to names of its slices. */
  readonly slicesOfService: MultiMap = new MultiMap()

  constructor(mesh: MeshContext) {
    this.mesh = mesh
  }

  /** Puts or removes one object; answers what was there. */
  put<K extends InputKind>(
    kind: K,
    namespace: string,
    name: string,
    value: Inputs[K] | undefined,
  ): Inputs[K] | undefined {
    const collection = this[kind] as unknown as Collection<Inputs[K]>
    const previous = collection.set(namespace, name, value)
    if (kind === 'services' || kind === 'serviceEntries') {
      const key = unit(kind === 'services' ? 'service' : 'serviceEntry', namespace, name)
      for (const host of hostsOf(previous)) this.hosts.delete(host, key)
      for (const host of hostsOf(value)) this.hosts.add(host, key)
    } else if (kind === 'slices') {
      this.#linkSlice(previous as EndpointSlice | undefined, 'delete')
      this.#linkSlice(value as EndpointSlice | undefined, 'add')
    }
    return previous
  }

  #linkSlice(slice: EndpointSlice | undefined, verb: 'add' | 'delete'): void {
    if (slice === undefined) return
    this.slicesOfService[verb](`${slice.namespace}/${slice.serviceName}`, slice.name)
    for (const { podName } of slice.endpoints)
      if (podName !== undefined) this.slicesOfPod[verb](`${slice.namespace}/${podName}`, slice.name)
  }
}

/** Hostnames a Service or ServiceEntry declares; an ExternalName declares none. */
export function hostsOf(object: unknown): readonly string[] {
  const { hosts, hostname, externalName } = (object ?? {}) as Partial<ServiceEntry & KubeService>
  if (hosts !== undefined) return hosts
  return hostname === undefined || externalName === true ? [] : [hostname]
}
