import { type KubeService, type Pod, type ServiceEntry, waypointOf } from '@ambit/controller/judgement'
import type { Workload } from '@ambit/state'
import type { Asked } from '../asked.types.ts'
import type { CompiledMesh } from '../compile/compile-mesh.ts'

/** What policies might be about that look as if they applied. */
export interface Subject {
  readonly client: { readonly namespace: string; readonly isCaptured: boolean; readonly because: string }
  /** The pod that it goes to, or would go to. */
  readonly pod: Pod | undefined
  /** Whether a ztunnel stands before the pod, or would. */
  readonly isGuarded: boolean
  /** The service that was addressed; of a pod that was dialled itself, the services it is behind. */
  readonly services: readonly SubjectService[]
  /** Waypoints and gateways on the way. */
  readonly passed: ReadonlySet<string>
}

export interface SubjectService {
  readonly namespace: string
  readonly name: string
  /** The waypoint that it asks for, `namespace/name`. */
  readonly waypoint: string | undefined
  readonly isWaypointReady: boolean
}

const UNUSED = (): void => undefined

export function subjectOf(compiled: CompiledMesh, { client, target, journey }: Asked): Subject {
  const { workloads, judgement } = compiled
  const { state } = judgement
  const { passed } = journey
  const held = passed.service === undefined ? undefined : workloads.service(passed.service)
  const [endpoint] = held === undefined ? [] : workloads.usableEndpoints(held)
  const workload = passed.endpoint ?? (endpoint && workloads.workload(endpoint.workloadUid))
  const addressed = target.object?.kind === 'Pod' ? undefined : target.object
  const named = held === undefined ? addressed : { namespace: held.namespace, name: held.name }
  const service = named && serviceAt(compiled, named)
  // Without an address of its own its name stands for pods.
  const isByPod = service === undefined || ('clusterIps' in service && service.clusterIps.length === 0)
  const services = isByPod ? servicesOfPod(compiled, workload) : [service]
  return {
    client,
    pod: workload && state.pods.get(workload.namespace, workload.name),
    isGuarded: passed.endpoint === undefined ? workload?.protocol === 'HBONE' : passed.isEndpointGuarded,
    services: services.map((one) => subjectService(compiled, one)),
    passed: new Set(passed.proxies),
  }
}

function subjectService({ judgement }: CompiledMesh, service: KubeService | ServiceEntry): SubjectService {
  const answer = waypointOf(judgement.state, service, 'service', UNUSED)
  const { namespace, name } = service
  return { namespace, name, waypoint: answer?.waypoint, isWaypointReady: answer?.binding.bound === true }
}

function serviceAt(
  { judgement }: CompiledMesh,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): KubeService | ServiceEntry | undefined {
  const { services, serviceEntries } = judgement.state
  return services.get(namespace, name) ?? serviceEntries.get(namespace, name)
}

function servicesOfPod(
  compiled: CompiledMesh,
  workload: Workload | undefined,
): readonly (KubeService | ServiceEntry)[] {
  return [...(workload?.services.keys() ?? [])].flatMap((key) => {
    const found = compiled.workloads.service(key)
    return (found && serviceAt(compiled, found)) ?? []
  })
}
