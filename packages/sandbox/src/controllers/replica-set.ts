import type { ReplicaSet } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { Pod } from '../objects/pod.types.ts'
import { matchesSelector } from '../objects/selector.ts'
import type { ControllerComponents } from './components.types.ts'
import { OwnerQueue } from './owner-queue.ts'
import { controllerOf, isActive, isAvailable, isReady, ownerReference, randomSuffix } from './ownership.ts'

/** Keeps the wanted number of pods of each ReplicaSet. */
export class ReplicaSetController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: OwnerQueue<ReplicaSet, Pod>

  constructor(components: ControllerComponents) {
    this.#components = components
    const { replicaSets, pods } = components.caches
    this.#queue = new OwnerQueue(components, {
      kind: 'ReplicaSet',
      gvr: GVR.replicaSets,
      owners: replicaSets,
      dependents: pods,
      reconcile: (set) => this.#reconcile(set),
    })
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]()
  }

  async #reconcile(set: ReplicaSet): Promise<void> {
    const { client } = this.#components
    const { namespace } = set.metadata
    // Asked directly, not from the cache: a cache that lags behind would create pods twice.
    const { items } = await client.list(GVR.pods, { namespace })
    const matching = (items as Pod[]).filter((pod) => matchesSelector(set.spec.selector, pod.metadata.labels))
    for (const orphan of matching)
      if (controllerOf(orphan) === undefined && isActive(orphan)) await this.#adopt(set, orphan)
    const pods = matching
      .filter((pod) => (controllerOf(pod)?.uid ?? set.metadata.uid) === set.metadata.uid)
      .filter(isActive)
    const wanted = set.spec.replicas ?? 1
    for (let missing = wanted - pods.length; missing > 0; missing--) await this.#create(set)
    const surplus = rankForDeletion(pods).slice(0, Math.max(0, pods.length - wanted))
    for (const pod of surplus) await this.#delete(set, pod)
    const now = (await client.list(GVR.pods, { namespace })).items as Pod[]
    await this.#writeStatus(
      set,
      now.filter((pod) => controllerOf(pod)?.uid === set.metadata.uid && isActive(pod)),
    )
  }

  async #adopt(set: ReplicaSet, pod: Pod): Promise<void> {
    const { namespace, name = '', uid } = pod.metadata
    await this.#components.client.patch(GVR.pods, namespace, name, {
      metadata: { uid, ownerReferences: [ownerReference(set)] },
    })
  }

  async #create(set: ReplicaSet): Promise<void> {
    const { template } = set.spec
    const { namespace } = set.metadata
    const name = `${set.metadata.name}-${randomSuffix()}`
    try {
      await this.#components.client.create(GVR.pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name,
          generateName: `${set.metadata.name}-`,
          namespace,
          labels: { ...template.metadata?.labels },
          ...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
          ownerReferences: [ownerReference(set)],
        },
        spec: template.spec,
      })
      this.#event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`)
    } catch (error) {
      this.#event(
        set,
        'Warning',
        'FailedCreate',
        `Error creating: ${error instanceof Error ? error.message : String(error)}`,
      )
      throw error
    }
  }

  async #delete(set: ReplicaSet, pod: Pod): Promise<void> {
    const { namespace, name = '', uid } = pod.metadata
    await this.#components.client.delete(GVR.pods, namespace, name, { preconditions: { uid } })
    this.#event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`)
  }

  async #writeStatus(set: ReplicaSet, pods: readonly Pod[]): Promise<void> {
    const minReady = set.spec.minReadySeconds ?? 0
    const now = this.#components.clock.now()
    const ready = pods.filter(isReady)
    const available = ready.filter((pod) => isAvailable(pod, minReady, now))
    if (available.length < ready.length) this.#queue.addAfter(set, minReady * 1000)
    const status = {
      replicas: pods.length,
      fullyLabeledReplicas: pods.length,
      readyReplicas: ready.length,
      availableReplicas: available.length,
      observedGeneration: set.metadata.generation ?? 0,
    }
    const before: Readonly<Record<string, unknown>> = { ...set.status }
    if (Object.entries(status).every(([field, value]) => (before[field] ?? 0) === value)) return
    await this.#components.client.patch(
      GVR.replicaSets,
      set.metadata.namespace,
      set.metadata.name ?? '',
      { status },
      { subresource: 'status' },
    )
  }

  #event(set: ReplicaSet, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#components.events.event(set, { type, reason, message, component: 'replicaset-controller' })
  }
}

/** Which pods go first when there are too many: unassigned, then unready, then the youngest. */
export function rankForDeletion(pods: readonly Pod[]): readonly Pod[] {
  const rank = (pod: Pod): number => (pod.spec.nodeName ? 2 : 0) + (isReady(pod) ? 1 : 0)
  return pods.toSorted(
    (a, b) =>
      rank(a) - rank(b) || (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
  )
}
