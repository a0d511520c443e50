import type { Clock, Logger } from '@ambit/core'
import type { Gvr, KubeObject, ObjectClient } from '../apiserver/contract.types.ts'
import type {
  DaemonSet,
  Deployment,
  EndpointSlice,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  ReplicaSet,
  ReplicationController,
  Service,
} from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import { ObjectCache } from '../objects/object-cache.ts'
import type { Pod } from '../objects/pod.types.ts'
import type {
  ControllerRevision,
  CronJob,
  Endpoints,
  HorizontalPodAutoscaler,
  Job,
  PodDisruptionBudget,
  ResourceQuota,
  StatefulSet,
} from '../objects/workloads.types.ts'

export interface ControllerCaches {
  readonly pods: ObjectCache<Pod>
  readonly nodes: ObjectCache<Node>
  readonly namespaces: ObjectCache<KubeObject>
  readonly services: ObjectCache<Service>
  readonly endpoints: ObjectCache<Endpoints>
  readonly endpointSlices: ObjectCache<EndpointSlice>
  readonly deployments: ObjectCache<Deployment>
  readonly replicaSets: ObjectCache<ReplicaSet>
  readonly replicationControllers: ObjectCache<ReplicationController>
  readonly daemonSets: ObjectCache<DaemonSet>
  readonly statefulSets: ObjectCache<StatefulSet>
  readonly controllerRevisions: ObjectCache<ControllerRevision>
  readonly jobs: ObjectCache<Job>
  readonly cronJobs: ObjectCache<CronJob>
  readonly disruptionBudgets: ObjectCache<PodDisruptionBudget>
  readonly autoscalers: ObjectCache<HorizontalPodAutoscaler>
  readonly resourceQuotas: ObjectCache<ResourceQuota>
  readonly volumes: ObjectCache<PersistentVolume>
  readonly volumeClaims: ObjectCache<PersistentVolumeClaim>
}

/** Local copies of all that controllers read; ready when each is `synced`. */
export function openControllerCaches(
  components: { readonly client: ObjectClient; readonly logger: Logger; readonly clock: Clock },
  stack: { use<T extends Disposable>(cache: T): T },
): ControllerCaches {
  const open = <T extends KubeObject>(gvr: Gvr): ObjectCache<T> => stack.use(new ObjectCache<T>(components, gvr))
  return {
    pods: open(GVR.pods),
    nodes: open(GVR.nodes),
    namespaces: open(GVR.namespaces),
    services: open(GVR.services),
    endpoints: open(GVR.endpoints),
    endpointSlices: open(GVR.endpointSlices),
    deployments: open(GVR.deployments),
    replicaSets: open(GVR.replicaSets),
    replicationControllers: open(GVR.replicationControllers),
    daemonSets: open(GVR.daemonSets),
    statefulSets: open(GVR.statefulSets),
    controllerRevisions: open(GVR.controllerRevisions),
    jobs: open(GVR.jobs),
    cronJobs: open(GVR.cronJobs),
    disruptionBudgets: open(GVR.disruptionBudgets),
    autoscalers: open(GVR.autoscalers),
    resourceQuotas: open(GVR.resourceQuotas),
    volumes: open(GVR.persistentVolumes),
    volumeClaims: open(GVR.persistentVolumeClaims),
  }
}
