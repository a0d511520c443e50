import { isAccountWaypoint } from '../compile/account-waypoint.ts'
import { hostPatterns } from '../compile/host-name.ts'
import { labelsMatch } from '../compile/labels-match.ts'
import type { DestinationRule } from '../destination-rule.types.ts'
import type {
  AuthorizationPolicy,
  EndpointSlice,
  Gateway,
  KubeService,
  PeerAuthentication,
  Pod,
  RequestAuthentication,
  ServiceEntry,
} from '../domain.types.ts'
import type { IstioGateway } from '../ingress.types.ts'
import type { StringMap } from '../watch/json.ts'
import { hostsOf } from './links.ts'
import { selects } from './memberships.ts'
import type { InputKind, Inputs, MeshState } from './mesh-state.ts'
import { podsOfRouter, routerNameOf, routerUnits } from './routers.ts'
import { routesAlike } from './rules-of-router.ts'
import { partsOf, STRICT_UNIT, type Unit, unit } from './units.ts'

/** The units whose result may differ after one object changed from `before` to `after`; called when state is updated. */
export function touchedUnits<K extends InputKind>(
  state: MeshState,
  kind: K,
  change: {
    readonly namespace: string
    readonly name: string
    readonly before?: Inputs[K] | undefined
    readonly after?: Inputs[K] | undefined
  },
): Iterable<Unit> {
  const { namespace, name, before, after } = change
  const both = [before, after].filter((value) => value !== undefined)
  switch (kind) {
    case 'pods':
      return touchedByPod(namespace, name, before as Pod | undefined, after as Pod | undefined)
    case 'workloadEntries':
      return [unit('workloadEntry', namespace, name)]
    case 'services':
      return touchedByService(state, namespace, name, both as KubeService[])
    case 'serviceEntries':
      return touchedByServiceEntry(state, namespace, name, both as ServiceEntry[])
    case 'slices':
      return touchedBySlice(state, namespace, name, both as EndpointSlice[])
    case 'policies':
      return touchedByPolicy(state, namespace, name, both as AuthorizationPolicy[])
    case 'authentications':
      return touchedByAuthentication(state, namespace, name, both as PeerAuthentication[])
    case 'gateways':
      return touchedByGateway(state, namespace, name, both as Gateway[])
    case 'requestAuthentications':
      return touchedRouters(state, namespace, both as RequestAuthentication[])
    case 'istioGateways':
      return touchedByIstioGateway(state, both as IstioGateway[])
    case 'credentials':
      return [unit('credential', namespace, name)]
    case 'httpRoutes':
      return [unit('httpRoute', namespace, name)]
    case 'grpcRoutes':
      return [unit('grpcRoute', namespace, name)]
    case 'virtualServices':
      return [unit('virtualService', namespace, name)]
    case 'destinationRules':
      return touchedByRule(state, namespace, name, both as DestinationRule[])
    default:
      // What else uses the object noted it.
      return []
  }
}

function* touchedByPod(
  namespace: string,
  name: string,
  before: Pod | undefined,
  after: Pod | undefined,
): Iterable<Unit> {
  yield unit('pod', namespace, name)
  if (routesAlike(before, after)) return
  for (const version of [before, after])
    if (version?.isRouter === true) yield unit('router', namespace, routerNameOf(version))
}

function* touchedByIstioGateway(state: MeshState, versions: readonly IstioGateway[]): Iterable<Unit> {
  for (const key of routerUnits(state)) {
    const { namespace, name } = partsOf(key)
    const pods = podsOfRouter(state, namespace, name)
    if (versions.some(({ selector }) => pods.some(({ labels }) => labelsMatch(selector, labels)))) yield key
  }
}

/** Gateways that a policy without a target may be in force at, or may have been. */
function touchedRouters(
  state: MeshState,
  namespace: string,
  versions: readonly Pick<AuthorizationPolicy, 'targetRefs'>[],
): Iterable<Unit> {
  // Attached to a Gateway, it is in force only there.
  const attached = versions.every(({ targetRefs }) => targetRefs.length > 0)
  return routerUnits(state, attached || namespace !== state.mesh.rootNamespace ? namespace : undefined)
}

function* touchedByGateway(
  state: MeshState,
  namespace: string,
  name: string,
  versions: readonly Gateway[],
): Iterable<Unit> {
  yield unit('gateway', namespace, name)
  yield* routerUnits(state, namespace)
  // Nobody asks for such a one by name.
  if (versions.some(isAccountWaypoint)) yield* unitsOfNamespace(state, namespace)
}

function* touchedByService(
  state: MeshState,
  namespace: string,
  name: string,
  versions: readonly KubeService[],
): Iterable<Unit> {
  yield unit('service', namespace, name)
  // Ports of a gateway's pods are known by its Services.
  yield* routerUnits(state, namespace)
  for (const version of versions) {
    for (const host of hostsOf(version)) yield* state.links.hosts.get(host)
    if (selects(version)) yield* workloadsMatching(state, namespace, version.selector)
  }
  for (const sliceName of state.links.slicesOfService.get(`${namespace}/${name}`)) {
    yield unit('slice', namespace, sliceName)
    yield* podsOfSlice(state.slices.get(namespace, sliceName))
  }
}

function* touchedByServiceEntry(
  state: MeshState,
  namespace: string,
  name: string,
  versions: readonly ServiceEntry[],
): Iterable<Unit> {
  yield unit('serviceEntry', namespace, name)
  for (const version of versions) {
    for (const host of version.hosts) yield* state.links.hosts.get(host)
    if (version.workloadSelector !== undefined) yield* workloadsMatching(state, namespace, version.workloadSelector)
  }
}

/** Services of the rule's host noted that they looked for one; their workloads may now be in other subsets. */
function* touchedByRule(
  state: MeshState,
  namespace: string,
  name: string,
  versions: readonly DestinationRule[],
): Iterable<Unit> {
  yield unit('destinationRule', namespace, name)
  for (const { host } of versions) {
    for (const service of state.services)
      if (hostPatterns(service.hostname).includes(host))
        yield* touchedByService(state, service.namespace, service.name, [service])
    for (const entry of state.serviceEntries)
      if (entry.hosts.some((own) => hostPatterns(own).includes(host)))
        yield* touchedByServiceEntry(state, entry.namespace, entry.name, [entry])
  }
}

/** Pods that a Service selects are its own whatever a slice says, and there are many: each that gets ready changes a slice of a hundred. */
function* touchedBySlice(
  state: MeshState,
  namespace: string,
  name: string,
  versions: readonly EndpointSlice[],
): Iterable<Unit> {
  yield unit('slice', namespace, name)
  for (const version of versions) {
    const service = state.services.get(namespace, version.serviceName)
    if (service !== undefined && !selects(service)) yield* podsOfSlice(version)
  }
}

function* podsOfSlice(slice: EndpointSlice | undefined): Iterable<Unit> {
  for (const { podName } of slice?.endpoints ?? [])
    if (slice !== undefined && podName !== undefined) yield unit('pod', slice.namespace, podName)
}

function* touchedByPolicy(
  state: MeshState,
  namespace: string,
  name: string,
  versions: readonly AuthorizationPolicy[],
): Iterable<Unit> {
  yield unit('policy', namespace, name)
  yield* touchedRouters(state, namespace, versions)
  const everywhere = namespace === state.mesh.rootNamespace
  for (const { selector } of versions) {
    if (selector !== undefined) yield* workloadsMatching(state, everywhere ? undefined : namespace, selector)
  }
}

function* touchedByAuthentication(
  state: MeshState,
  namespace: string,
  name: string,
  versions: readonly PeerAuthentication[],
): Iterable<Unit> {
  yield unit('authentication', namespace, name)
  yield STRICT_UNIT
  const everywhere = namespace === state.mesh.rootNamespace
  for (const { selector } of versions) {
    if (selector !== undefined) {
      yield* workloadsMatching(state, namespace, selector)
      continue
    }
    // What is inherited changes: also for the policies with port exceptions below.
    yield* workloadsMatching(state, everywhere ? undefined : namespace, {})
    const below = everywhere ? state.authentications : state.authentications.in(namespace)
    for (const policy of below) yield unit('authentication', policy.namespace, policy.name)
  }
}

/** Pods, WorkloadEntries and ServiceEntries with inline endpoints whose labels match. */
export function* workloadsMatching(
  state: MeshState,
  namespace: string | undefined,
  selector: StringMap,
): Iterable<Unit> {
  const pods = namespace === undefined ? state.pods : state.pods.in(namespace)
  for (const pod of pods) if (labelsMatch(selector, pod.labels)) yield unit('pod', pod.namespace, pod.name)
  const entries = namespace === undefined ? state.workloadEntries : state.workloadEntries.in(namespace)
  for (const entry of entries)
    if (labelsMatch(selector, entry.labels)) yield unit('workloadEntry', entry.namespace, entry.name)
  const inline = namespace === undefined ? state.serviceEntries : state.serviceEntries.in(namespace)
  for (const entry of inline) {
    if (entry.endpoints.some(({ labels }) => labelsMatch(selector, labels)) || entry.endpoints.length === 0)
      yield unit('serviceEntry', entry.namespace, entry.name)
  }
}

/** Everything that inherits from the namespace's labels and annotations. */
export function* unitsOfNamespace(state: MeshState, namespace: string): Iterable<Unit> {
  for (const { name } of state.pods.in(namespace)) yield unit('pod', namespace, name)
  for (const { name } of state.services.in(namespace)) yield unit('service', namespace, name)
  for (const { name } of state.serviceEntries.in(namespace)) yield unit('serviceEntry', namespace, name)
  for (const { name } of state.workloadEntries.in(namespace)) yield unit('workloadEntry', namespace, name)
  // Their targets may inherit another waypoint.
  for (const { name, targetRefs } of state.policies.in(namespace))
    if (targetRefs.length > 0) yield unit('policy', namespace, name)
}

/** Everything, for a change of mesh-wide settings. */
export function* allUnits(state: MeshState): Iterable<Unit> {
  for (const { namespace, name } of state.virtualServices) yield unit('virtualService', namespace, name)
  for (const { namespace, name } of state.destinationRules) yield unit('destinationRule', namespace, name)
  for (const { namespace, name } of state.pods) yield unit('pod', namespace, name)
  for (const { namespace, name } of state.services) yield unit('service', namespace, name)
  for (const { namespace, name } of state.serviceEntries) yield unit('serviceEntry', namespace, name)
  for (const { namespace, name } of state.workloadEntries) yield unit('workloadEntry', namespace, name)
  for (const { namespace, name } of state.slices) yield unit('slice', namespace, name)
  for (const { namespace, name } of state.policies) yield unit('policy', namespace, name)
  for (const { namespace, name } of state.authentications) yield unit('authentication', namespace, name)
  for (const { namespace, name } of state.gateways) yield unit('gateway', namespace, name)
  for (const { namespace, name } of state.httpRoutes) yield unit('httpRoute', namespace, name)
  for (const { namespace, name } of state.grpcRoutes) yield unit('grpcRoute', namespace, name)
  for (const { namespace, name } of state.credentials) yield unit('credential', namespace, name)
  yield* routerUnits(state)
  yield STRICT_UNIT
}
