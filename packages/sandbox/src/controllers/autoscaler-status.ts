import type { KubeObject } from '../apiserver/contract.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import type { Condition } from '../objects/pod.types.ts'
import type { HorizontalPodAutoscaler } from '../objects/workloads.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { nextConditions } from './conditions.ts'
import { OwnerQueue } from './owner-queue.ts'
import { isoTime, saysAlready } from './ownership.ts'

const NO_METRICS =
  'the HPA was unable to compute the replica count: the sandbox serves no metrics, so nothing is scaled by them'

/** Says on each HorizontalPodAutoscaler that it scales nothing, and why. */
export class AutoscalerStatus implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: OwnerQueue<HorizontalPodAutoscaler, HorizontalPodAutoscaler>
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { autoscalers, deployments, replicaSets, replicationControllers, statefulSets } = components.caches
    this.#queue = this.#stack.use(
      new OwnerQueue(components, {
        kind: 'HorizontalPodAutoscaler',
        gvr: GVR.autoscalers,
        owners: autoscalers,
        dependents: autoscalers,
        reconcile: (autoscaler) => this.#reconcile(autoscaler),
      }),
    )
    const onTarget = ({
      object,
    }: {
      object: { metadata: { namespace?: string | undefined; name?: string | undefined } }
    }): void => {
      for (const autoscaler of autoscalers.inNamespace(object.metadata.namespace))
        if (autoscaler.spec.scaleTargetRef.name === object.metadata.name) this.#queue.add(autoscaler)
    }
    this.#stack.use(deployments.subscribe(onTarget))
    this.#stack.use(replicaSets.subscribe(onTarget))
    this.#stack.use(replicationControllers.subscribe(onTarget))
    this.#stack.use(statefulSets.subscribe(onTarget))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(autoscaler: HorizontalPodAutoscaler): Promise<void> {
    const { client, clock } = this.#components
    const { namespace, name = '' } = autoscaler.metadata
    const replicas = this.#replicas(autoscaler)
    const { kind, name: target } = autoscaler.spec.scaleTargetRef
    const wanted: Condition[] =
      replicas === undefined
        ? [
            {
              type: 'AbleToScale',
              status: 'False',
              reason: 'FailedGetScale',
              message: `the HPA controller was unable to get the target's current scale: ${kind} "${target}" not found`,
            },
          ]
        : [
            {
              type: 'AbleToScale',
              status: 'True',
              reason: 'SucceededGetScale',
              message: "the HPA controller was able to get the target's current scale",
            },
            { type: 'ScalingActive', status: 'False', reason: 'FailedGetResourceMetric', message: NO_METRICS },
          ]
    const status = {
      currentReplicas: replicas ?? 0,
      desiredReplicas: replicas ?? 0,
      conditions: nextConditions(autoscaler.status?.conditions ?? [], wanted, isoTime(clock.now())),
    }
    if (saysAlready(autoscaler.status, status)) return
    await client.patch(GVR.autoscalers, namespace, name, { status }, { subresource: 'status' })
  }

  /** How many replicas the target has; undefined when there is no such target. */
  #replicas(autoscaler: HorizontalPodAutoscaler): number | undefined {
    const { deployments, replicaSets, replicationControllers, statefulSets } = this.#components.caches
    const { kind, name } = autoscaler.spec.scaleTargetRef
    const targets = new Map<string, Pick<ObjectCache<KubeObject>, 'get'>>([
      ['Deployment', deployments],
      ['ReplicaSet', replicaSets],
      ['ReplicationController', replicationControllers],
      ['StatefulSet', statefulSets],
    ])
    const target = targets.get(kind)?.get(autoscaler.metadata.namespace, name)
    return target === undefined ? undefined : ((target['status'] as { replicas?: number } | undefined)?.replicas ?? 0)
  }
}
