import { messageOf } from '@ambit/core'
import type { Gvr } from '../apiserver/contract.types.ts'
import { LIMITS } from '../limits.ts'
import type { ReplicaSet, ReplicationController } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import type { Condition, LabelSelector, Pod } from '../objects/pod.types.ts'
import { matchesLabels } from '../objects/selector.ts'
import type { ControllerComponents } from './components.types.ts'
import { conditionOf, nextConditions } from './conditions.ts'
import { OwnerQueue } from './owner-queue.ts'
import { isActive, isoTime, isReady, msUntilAvailable, saysAlready, withoutZeros } from './ownership.ts'
import { PodControl } from './pod-control.ts'

type Replicated = ReplicaSet | ReplicationController

interface ReplicatedKind<Owner extends Replicated> {
  readonly kind: string
  readonly gvr: Gvr
  readonly owners: ObjectCache<Owner>
  readonly selectorOf: (owner: Owner) => LabelSelector
}

/** Keeps the wanted number of pods of each ReplicaSet and ReplicationController. */
export class ReplicaSetController implements Disposable {
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    const { replicaSets, replicationControllers } = components.caches
    this.#stack.use(
      new ReplicaKeeper<ReplicaSet>(components, {
        kind: 'ReplicaSet',
        gvr: GVR.replicaSets,
        owners: replicaSets,
        selectorOf: ({ spec }) => spec.selector,
      }),
    )
    this.#stack.use(
      new ReplicaKeeper<ReplicationController>(components, {
        kind: 'ReplicationController',
        gvr: GVR.replicationControllers,
        owners: replicationControllers,
        selectorOf: ({ spec }) => ({ matchLabels: spec.selector }),
      }),
    )
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }
}

class ReplicaKeeper<Owner extends Replicated> implements Disposable {
  readonly #components: ControllerComponents
  readonly #kind: ReplicatedKind<Owner>
  readonly #pods: PodControl
  readonly #queue: OwnerQueue<Owner, Pod>

  constructor(components: ControllerComponents, kind: ReplicatedKind<Owner>) {
    this.#components = components
    this.#kind = kind
    this.#pods = new PodControl(components, `${kind.kind.toLowerCase()}-controller`)
    this.#queue = new OwnerQueue(components, {
      ...kind,
      dependents: components.caches.pods,
      spacingMs: LIMITS.controllerSpacingMs,
      reconcile: (set) => this.#reconcile(set),
    })
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]()
  }

  async #reconcile(set: Owner): Promise<void> {
    const pods = (await this.#pods.claim(set, this.#kind.selectorOf(set))).filter(isActive)
    const wanted = set.spec.replicas ?? 1
    let failure: unknown
    try {
      for (let missing = wanted - pods.length; missing > 0; missing--) await this.#pods.create(set, set.spec.template)
      for (const pod of this.#surplus(set, pods, pods.length - wanted)) await this.#pods.delete(set, pod)
    } catch (error) {
      failure = error
    }
    await this.#writeStatus(set, failure)
    if (failure !== undefined) throw failure
  }

  #surplus(set: Owner, pods: readonly Pod[], count: number): readonly Pod[] {
    if (count <= 0) return []
    const onNode = new Map<string, number>()
    // Pods of all the sets of one Deployment count, as what matters is where its service runs.
    const owner = set.metadata.ownerReferences?.find(({ controller }) => controller === true)
    const { caches } = this.#components
    const family = owner === undefined ? [set] : this.#kind.owners.controlledBy(owner.uid)
    for (const { metadata } of family)
      for (const pod of caches.pods.controlledBy(metadata.uid).filter(isActive)) {
        const node = pod.spec.nodeName ?? ''
        onNode.set(node, (onNode.get(node) ?? 0) + 1)
      }
    return rankForDeletion(pods, onNode).slice(0, count)
  }

  async #writeStatus(set: Owner, failure: unknown): Promise<void> {
    const { caches, client, clock } = this.#components
    const pods = caches.pods.controlledBy(set.metadata.uid).filter(isActive)
    const waits = pods.map((pod) => msUntilAvailable(pod, set.spec.minReadySeconds ?? 0, clock.now()))
    const soonest = Math.min(...waits.filter((wait) => wait !== undefined && wait > 0).map(Number))
    if (Number.isFinite(soonest)) this.#queue.addAfter(set, soonest)
    const labels = set.spec.template.metadata?.labels ?? {}
    const before = set.status?.conditions ?? []
    // The first message stays: each names another pod, and a changed status would ask for the next try at once.
    const message = conditionOf(before, 'ReplicaFailure')?.message ?? messageOf(failure)
    const wanted: Condition[] =
      failure === undefined ? [] : [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }]
    const conditions = nextConditions(before, wanted, isoTime(clock.now()), { drop: ['ReplicaFailure'] })
    const status = {
      replicas: pods.length,
      fullyLabeledReplicas: pods.filter((pod) => matchesLabels(labels, pod.metadata.labels)).length,
      readyReplicas: pods.filter(isReady).length,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      observedGeneration: set.metadata.generation ?? 0,
      ...(conditions.length + before.length > 0 ? { conditions } : {}),
    }
    if (saysAlready(set.status, status)) return
    const { namespace, name = '' } = set.metadata
    const patch = { status: withoutZeros(status, ['replicas']) }
    const written = await client.patch(this.#kind.gvr, namespace, name, patch, { subresource: 'status' })
    this.#kind.owners.note(written as Owner)
  }
}

/**
 * Which pods go first when there are too many: unassigned ones, pending ones, unready ones, those of a low deletion cost,
 * those on nodes with many of the kind, and the youngest.
 */
export function rankForDeletion(pods: readonly Pod[], onNode: ReadonlyMap<string, number> = new Map()): readonly Pod[] {
  const ranks = new Map(
    pods.map((pod) => [
      pod,
      [
        pod.spec.nodeName ? 1 : 0,
        pod.status?.phase === 'Running' ? 1 : 0,
        isReady(pod) ? 1 : 0,
        Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0,
        -(onNode.get(pod.spec.nodeName ?? '') ?? 0),
      ],
    ]),
  )
  const youngestFirst = (a: Pod, b: Pod): number =>
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '')
  return pods.toSorted((a, b) => {
    const [left = [], right = []] = [ranks.get(a), ranks.get(b)]
    const first = left.findIndex((value, i) => value !== right[i])
    return first === -1 ? youngestFirst(a, b) : (left[first] ?? 0) - (right[first] ?? 0)
  })
}
