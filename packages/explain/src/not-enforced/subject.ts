import { type KubeService, type Pod, type ServiceEntry, waypointOf } from '@ambit/controller/judgement'
import type { Asked } from '../asked.types.ts'
import type { CompiledMesh } from '../compile/compile-mesh.ts'

/** What policies might be about that look as if they applied. */
export interface Subject {
  readonly client: { readonly namespace: string; readonly isCaptured: boolean; readonly because: string }
  /** The pod that it goes to, or would go to. */
  readonly pod: Pod | undefined
  /** Whether a ztunnel stands before the pod, or would. */
  readonly isGuarded: boolean
  readonly service: KubeService | ServiceEntry | undefined
  readonly serviceKind: 'Service' | 'ServiceEntry'
  /** The waypoint that the service asks for, `namespace/name`. */
  readonly waypoint: string | undefined
  readonly isWaypointReady: boolean
  /** Waypoints and gateways on the way. */
  readonly passed: ReadonlySet<string>
}

const UNUSED = (): void => undefined

export function subjectOf(compiled: CompiledMesh, { client, target, journey }: Asked): Subject {
  const { workloads, judgement } = compiled
  const { state } = judgement
  const { passed } = journey
  const held = passed.service === undefined ? undefined : workloads.service(passed.service)
  const [endpoint] = held === undefined ? [] : workloads.usableEndpoints(held)
  const workload = passed.endpoint ?? (endpoint && workloads.workload(endpoint.workloadUid))
  const pod = workload && state.pods.get(workload.namespace, workload.name)
  const addressed = target.object?.kind === 'Pod' ? undefined : target.object
  const named = held === undefined ? addressed : { namespace: held.namespace, name: held.name }
  const kube = named && state.services.get(named.namespace, named.name)
  const service =
    kube ?? (named && state.serviceEntries.get(named.namespace, named.name)) ?? serviceOfPod(compiled, pod)
  const answer = service && waypointOf(state, service, 'service', UNUSED)
  return {
    client,
    pod,
    isGuarded: passed.endpoint === undefined ? workload?.protocol === 'HBONE' : passed.isEndpointGuarded,
    service,
    serviceKind: service !== undefined && 'hosts' in service ? 'ServiceEntry' : 'Service',
    waypoint: answer?.waypoint,
    isWaypointReady: answer?.binding.bound === true,
    passed: new Set(passed.proxies),
  }
}

/** A pod that is dialled itself: policies of its service look as if they applied. */
function serviceOfPod({ workloads, judgement, mesh }: CompiledMesh, pod: Pod | undefined): KubeService | undefined {
  const workload = pod && workloads.workload(`${mesh.clusterId}//Pod/${pod.namespace}/${pod.name}`)
  for (const key of workload?.services.keys() ?? []) {
    const found = workloads.service(key)
    const service = found && judgement.state.services.get(found.namespace, found.name)
    if (service !== undefined) return service
  }
  return undefined
}
