import type { KubeObject, OwnerReference } from '../apiserver/contract.types.ts'
import { LIMITS } from '../limits.ts'
import { GVR } from '../objects/gvr.ts'
import type { Condition, Pod } from '../objects/pod.types.ts'
import { matchesSelector } from '../objects/selector.ts'
import type { PodDisruptionBudget } from '../objects/workloads.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { nextConditions } from './conditions.ts'
import { countBudget } from './disruption-budget.ts'
import { OwnerQueue } from './owner-queue.ts'
import { controllerOf, isoTime, saysAlready } from './ownership.ts'

/** Counts for each PodDisruptionBudget how many of its pods may be evicted. */
export class DisruptionController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: OwnerQueue<PodDisruptionBudget, Pod>
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { deployments, disruptionBudgets, pods, replicaSets, replicationControllers, statefulSets } =
      components.caches
    this.#queue = this.#stack.use(
      new OwnerQueue(components, {
        kind: 'PodDisruptionBudget',
        gvr: GVR.disruptionBudgets,
        owners: disruptionBudgets,
        dependents: pods,
        spacingMs: LIMITS.controllerSpacingMs,
        reconcile: (budget) => this.#reconcile(budget),
      }),
    )
    this.#stack.use(
      pods.subscribe(({ object, previous }) => {
        for (const budget of disruptionBudgets.inNamespace(object.metadata.namespace))
          if (covers(budget, object) || (previous !== undefined && covers(budget, previous))) this.#queue.add(budget)
      }),
    )
    // A controller that is scaled changes what is expected before any pod does.
    const onScale = ({ object, previous }: { object: Scaled; previous: Scaled | undefined }): void => {
      if (object.spec.replicas === previous?.spec.replicas) return
      for (const budget of disruptionBudgets.inNamespace(object.metadata.namespace)) this.#queue.add(budget)
    }
    this.#stack.use(deployments.subscribe(onScale))
    this.#stack.use(replicaSets.subscribe(onScale))
    this.#stack.use(replicationControllers.subscribe(onScale))
    this.#stack.use(statefulSets.subscribe(onScale))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(budget: PodDisruptionBudget): Promise<void> {
    const { caches, client, clock } = this.#components
    const { generation, name = '', namespace } = budget.metadata
    const pods = caches.pods.inNamespace(namespace).filter((pod) => covers(budget, pod))
    const { againMs, ...counts } = countBudget(budget, pods, this.#expected(namespace, pods), clock.now())
    if (againMs !== undefined) this.#queue.addAfter(budget, againMs)
    const sufficient = counts.disruptionsAllowed > 0
    const condition: Condition = {
      type: 'DisruptionAllowed',
      status: sufficient ? 'True' : 'False',
      reason: sufficient ? 'SufficientPods' : 'InsufficientPods',
      message: '',
      ...({ observedGeneration: generation } as object),
    }
    const before = budget.status?.conditions ?? []
    const status = {
      ...counts,
      observedGeneration: generation ?? 0,
      conditions: nextConditions(before, [condition], isoTime(clock.now())),
    }
    // Names that are no longer there are taken away by nulls.
    const gone = Object.keys(budget.status?.disruptedPods ?? {}).filter((one) => !(one in counts.disruptedPods))
    if (gone.length === 0 && saysAlready({ disruptedPods: {}, ...budget.status }, status)) return
    const disruptedPods = { ...Object.fromEntries(gone.map((one) => [one, null])), ...counts.disruptedPods }
    // Of what was counted: an eviction in between has taken one away already.
    const metadata = { resourceVersion: budget.metadata.resourceVersion }
    const patch = { metadata, status: { ...status, disruptedPods } }
    await client.patch(GVR.disruptionBudgets, namespace, name, patch, { subresource: 'status' })
  }

  /** How many pods the controllers of these want in all. */
  #expected(namespace: string | undefined, pods: readonly Pod[]): number {
    const wanted = new Map<string, number>()
    for (const pod of pods) {
      const owner = this.#topOf(namespace, controllerOf(pod))
      if (owner !== undefined) wanted.set(owner.uid, owner.replicas)
    }
    return [...wanted.values()].reduce((sum, replicas) => sum + replicas, 0)
  }

  #topOf(
    namespace: string | undefined,
    owner: OwnerReference | undefined,
  ): { readonly uid: string; readonly replicas: number } | undefined {
    const { deployments, jobs, replicaSets, replicationControllers, statefulSets } = this.#components.caches
    const { kind, name = '', uid } = owner ?? {}
    let found: KubeObject | undefined
    let replicas: number | undefined
    if (kind === 'ReplicaSet') {
      const set = replicaSets.get(namespace, name)
      const deployment = deployments.get(namespace, controllerOf(set ?? NOTHING)?.name ?? '')
      found = deployment ?? set
      replicas = deployment?.spec.replicas ?? set?.spec.replicas
      if (found !== undefined && set?.metadata.uid !== uid) return undefined
    } else if (kind === 'StatefulSet' || kind === 'ReplicationController') {
      const set = (kind === 'StatefulSet' ? statefulSets : replicationControllers).get(namespace, name)
      found = set
      replicas = set?.spec.replicas
    } else if (kind === 'Job') {
      const job = jobs.get(namespace, name)
      found = job
      replicas = job?.spec.parallelism
    }
    return found === undefined ? undefined : { uid: found.metadata.uid ?? '', replicas: replicas ?? 1 }
  }
}

type Scaled = KubeObject & { readonly spec: { readonly replicas?: number | undefined } }

const NOTHING = { apiVersion: '', kind: '', metadata: {} }

function covers(budget: PodDisruptionBudget, pod: Pod): boolean {
  return budget.spec.selector !== undefined && matchesSelector(budget.spec.selector, pod.metadata.labels)
}
