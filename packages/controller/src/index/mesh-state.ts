import type { DestinationRule } from '../destination-rule.types.ts'
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
  RequestAuthentication,
  ServiceEntry,
  WorkloadEntry,
} from '../domain.types.ts'
import type { Credential, IstioGateway } from '../ingress.types.ts'
import type { MeshRoute, ReferenceGrant } from '../route.types.ts'
import type { VirtualService } from '../virtual-service.types.ts'
import { Collection } from './collection.ts'
import { Links } from './links.ts'

/** The kinds of objects the index is fed with. */
export interface Inputs {
  readonly pods: Pod
  readonly services: KubeService
  readonly slices: EndpointSlice
  readonly serviceEntries: ServiceEntry
  readonly workloadEntries: WorkloadEntry
  readonly policies: AuthorizationPolicy
  readonly authentications: PeerAuthentication
  readonly requestAuthentications: RequestAuthentication
  readonly gateways: Gateway
  readonly httpRoutes: MeshRoute
  readonly grpcRoutes: MeshRoute
  readonly virtualServices: VirtualService
  readonly destinationRules: DestinationRule
  readonly grants: ReferenceGrant
  readonly istioGateways: IstioGateway
  readonly credentials: Credential
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
  readonly requestAuthentications: Collection<RequestAuthentication> = new Collection()
  readonly gateways: Collection<Gateway> = new Collection()
  readonly httpRoutes: Collection<MeshRoute> = new Collection()
  readonly grpcRoutes: Collection<MeshRoute> = new Collection()
  readonly virtualServices: Collection<VirtualService> = new Collection()
  readonly destinationRules: Collection<DestinationRule> = new Collection()
  readonly grants: Collection<ReferenceGrant> = new Collection()
  readonly istioGateways: Collection<IstioGateway> = new Collection()
  readonly credentials: Collection<Credential> = new Collection()
  readonly gatewayClasses: Map<string, GatewayClass> = new Map()
  readonly namespaces: Map<string, Namespace> = new Map()
  readonly nodes: Map<string, Node> = new Map()
  readonly links: Links = new Links()

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
    this.links.move(kind, namespace, name, previous, value)
    return previous
  }
}
