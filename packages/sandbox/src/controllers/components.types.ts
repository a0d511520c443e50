import type { Clock, Logger } from '@ambit/core'
import type { ObjectClient } from '../apiserver/contract.types.ts'
import type { EventRecorder } from '../kubelet/event-recorder.ts'
import type { DaemonSet, Deployment, EndpointSlice, Node, ReplicaSet, Service } from '../objects/cluster.types.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import type { Pod } from '../objects/pod.types.ts'

export interface ControllerComponents {
  readonly client: ObjectClient
  readonly logger: Logger
  readonly clock: Clock
  readonly events: EventRecorder
  readonly caches: {
    readonly pods: ObjectCache<Pod>
    readonly nodes: ObjectCache<Node>
    readonly services: ObjectCache<Service>
    readonly endpointSlices: ObjectCache<EndpointSlice>
    readonly deployments: ObjectCache<Deployment>
    readonly replicaSets: ObjectCache<ReplicaSet>
    readonly daemonSets: ObjectCache<DaemonSet>
  }
}
