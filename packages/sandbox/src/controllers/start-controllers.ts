import { Scheduler } from '../scheduler/scheduler.ts'
import { AutoscalerStatus } from './autoscaler-status.ts'
import type { ControllerComponents } from './components.types.ts'
import { CronJobController } from './cron-job.ts'
import { DaemonSetController } from './daemon-set.ts'
import { DeploymentController } from './deployment.ts'
import { DisruptionController } from './disruption.ts'
import { EndpointSliceController } from './endpoint-slice.ts'
import { EndpointsMirror } from './endpoints-mirror.ts'
import { JobController } from './job.ts'
import { PodGc } from './pod-gc.ts'
import { ReplicaSetController } from './replica-set.ts'
import { ResourceQuotaController } from './resource-quota.ts'
import { StatefulSetController } from './stateful-set.ts'
import { TaintEvictionController } from './taint-eviction.ts'

const CONTROLLERS = [
  Scheduler,
  DeploymentController,
  ReplicaSetController,
  StatefulSetController,
  DaemonSetController,
  JobController,
  CronJobController,
  DisruptionController,
  TaintEvictionController,
  EndpointSliceController,
  EndpointsMirror,
  ResourceQuotaController,
  AutoscalerStatus,
  PodGc,
] as const

/** All that makes workloads come true, until disposed. */
export function startControllers(components: ControllerComponents): Disposable {
  const stack = new DisposableStack()
  for (const Controller of CONTROLLERS) stack.use(new Controller(components))
  return stack
}
